"""Routes whose controller tells no generation, falls silent, or never speaks: a release through all of it."""

from typing import Any

import pytest

from rollouts.model.kinds import CRD, HASH_LABEL, JSON, POD, SERVICE, Ref
from rollouts.model.routers.gateway import HTTP_ROUTE
from tests.fakes.control_loop import ControlLoop
from tests.fakes.crds import definition

WEB = Ref(HTTP_ROUTE, "shop", "web")
STEPS: list[JSON] = [{"setWeight": 25}, {"pause": {"duration": 10}}]


class Routed(ControlLoop):
    """A loop behind an HTTPRoute, whose controller answers as `manner` says."""

    def __init__(self, manner: str) -> None:
        super().__init__()
        self.manner = manner
        self.cluster.put(CRD, definition(HTTP_ROUTE, "v1"))
        backend: JSON = {"group": "", "kind": "Service", "name": "checkout", "port": 80}
        spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [backend]}]}
        self.cluster.put(
            HTTP_ROUTE,
            {
                "apiVersion": HTTP_ROUTE.api_version,
                "kind": "HTTPRoute",
                "metadata": {"namespace": "shop", "name": "web"},
                "spec": spec,
            },
        )

    async def round(self) -> float | None:
        for _ in range(20):
            before = len(self.cluster.writes)
            self.answer()
            after = await super().round()
            if len(self.cluster.writes) == before:
                return after
        raise AssertionError("it never settles")

    def answer(self) -> None:
        """Say of every route what its controller says of it."""
        if self.manner == "silent":
            return
        for route in self.cluster.select(HTTP_ROUTE, "shop"):
            told = {"observedGeneration": route["metadata"]["generation"]}
            conditions = [
                {"type": each, "status": "True", **(told if self.manner == "prompt" else {})}
                for each in ("Accepted", "ResolvedRefs")
            ]
            parents = [{"parentRef": {"name": "edge"}, "conditions": conditions}]
            if (route.get("status") or {}).get("parents") != parents:
                ref = Ref(HTTP_ROUTE, "shop", route["metadata"]["name"])
                self.cluster.edit(ref, {"status": {"parents": parents}})

    @property
    def backends(self) -> list[tuple[str, Any]]:
        route = self.cluster.get(WEB)
        assert route is not None
        refs = route["spec"]["rules"][0]["backendRefs"]
        return [(each["name"], each.get("weight")) for each in refs]

    def pods(self) -> set[str]:
        return {pod["metadata"]["labels"][HASH_LABEL] for pod in self.cluster.select(POD, "shop")}


async def routed(manner: str, **changes: Any) -> Routed:
    loop = Routed(manner)
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"gatewayAPI": {"httpRoutes": ["web"]}},
        "steps": STEPS,
        "scaleDownDelaySeconds": 5,
        "abortScaleDownDelaySeconds": 5,
    }
    await loop.deployed(strategy={"canary": canary}, **changes)
    return loop


@pytest.mark.parametrize("manner", ["prompt", "no generation"])
async def test_a_release_goes_through_without_generations(manner: str) -> None:
    loop = await routed(manner)
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    assert loop.backends == [("checkout", 75), ("checkout-canary", 25)]
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    await loop.run(10)
    assert loop.backends == [("checkout", None)]
    assert len(loop.pods()) == 1


async def gone_silent() -> Routed:
    """Return a loop whose Gateway fell silent in the middle of a release that was rolled back."""
    loop = await routed("prompt")
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    loop.manner = "silent"
    loop.command("abort")
    await loop.run(60)
    assert loop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert len(loop.pods()) == 2, "it may still send to the canary"
    return loop


async def test_a_gateway_that_fell_silent_does_not_keep_a_rolled_back_canary() -> None:
    loop = await gone_silent()
    await loop.run(300)
    assert loop.backends == [("checkout", None)]
    assert len(loop.pods()) == 1
    canary = loop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    assert canary is not None
    assert canary["spec"]["selector"][HASH_LABEL] == loop.status["stableRevision"]["hash"]


async def test_an_answer_is_waited_for_from_when_stable_can_bear_what_comes_back() -> None:
    loop = await routed("prompt")
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    stable = loop.cluster.select(POD, "shop", {HASH_LABEL: loop.status["stableRevision"]["hash"]})
    for pod in stable:
        loop.kubernetes.unready(pod, loop.clock.now())
    loop.monitor.failures = 500
    await loop.run(400)
    assert loop.status["abort"]
    assert loop.backends == [("checkout", 75), ("checkout-canary", 25)]
    loop.manner = "silent"
    for pod in stable:
        loop.kubernetes.recover(pod)
    await loop.run(60)
    assert loop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert len(loop.pods()) == 2, "it may still send to the canary"
    assert "NotConfirmed" not in loop.reasons()
    await loop.run(300)
    assert len(loop.pods()) == 1


async def test_a_newer_template_waits_for_its_answer_and_goes_through_with_it() -> None:
    loop = await gone_silent()
    before = loop.pods()
    loop.release("shop:3")
    await loop.run(320)
    assert loop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert "Gateway edge has not confirmed generation" in loop.status["message"]
    loop.manner = "prompt"
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    await loop.run(10)
    assert len(loop.pods() - before) == len(loop.pods()) == 1


async def test_without_its_answer_the_deadline_ends_it_and_nothing_stays() -> None:
    loop = await gone_silent()
    loop.release("shop:3")
    await loop.until(lambda: loop.reasons().count("RolledBack") == 2, 700)
    await loop.run(320)
    assert "NotConfirmed" in loop.reasons()
    assert loop.backends == [("checkout", None)]
    assert len(loop.pods()) == 1


async def test_where_nobody_ever_speaks_the_deadline_ends_it_and_nothing_stays() -> None:
    loop = await routed("silent", progressDeadlineSeconds=30)
    assert "says nothing of HTTPRoute web" in str(loop.status["conditions"])
    loop.release("shop:2")
    await loop.run(120)
    assert "made no progress" in loop.status["abort"]["reason"]
    assert loop.backends == [("checkout", None)]
    assert len(loop.pods()) == 1
