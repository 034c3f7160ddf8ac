"""Routes whose controller tells no generation, falls silent, or never speaks: a release through all of it."""

from typing import Any

import pytest

from rollouts.model.kinds import CRD, HASH_LABEL, HTTP_ROUTE, JSON, POD, SERVICE, Ref
from tests.fakes.definitions import definition
from tests.fakes.shop import Shop

WEB = Ref(HTTP_ROUTE, "shop", "web")
STEPS: list[JSON] = [{"setWeight": 25}, {"pause": {"duration": 10}}]


class Routed(Shop):
    """A shop behind an HTTPRoute, whose controller answers as `manner` says."""

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
        raise AssertionError("it never comes to rest")

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
    shop = Routed(manner)
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"gatewayAPI": {"httpRoutes": ["web"]}},
        "steps": STEPS,
        "scaleDownDelaySeconds": 5,
        "abortScaleDownDelaySeconds": 5,
    }
    await shop.deployed(strategy={"canary": canary}, **changes)
    return shop


@pytest.mark.parametrize("manner", ["prompt", "no generation"])
async def test_a_release_goes_through_without_generations(manner: str) -> None:
    shop = await routed(manner)
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    assert shop.backends == [("checkout", 75), ("checkout-canary", 25)]
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    await shop.run(10)
    assert shop.backends == [("checkout", None)]
    assert len(shop.pods()) == 1


async def gone_silent() -> Routed:
    """Return a shop whose Gateway fell silent in the middle of a release that was rolled back."""
    shop = await routed("prompt")
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    shop.manner = "silent"
    shop.command("abort")
    await shop.run(60)
    assert shop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert len(shop.pods()) == 2, "it may still send to the canary"
    return shop


async def test_a_gateway_that_fell_silent_does_not_keep_a_rolled_back_canary() -> None:
    shop = await gone_silent()
    await shop.run(300)
    assert shop.backends == [("checkout", None)]
    assert len(shop.pods()) == 1
    canary = shop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    assert canary is not None
    assert canary["spec"]["selector"][HASH_LABEL] == shop.status["stableRevision"]["hash"]


async def test_an_answer_is_waited_for_from_when_stable_can_bear_what_comes_back() -> None:
    shop = await routed("prompt")
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    stable = shop.cluster.select(POD, "shop", {HASH_LABEL: shop.status["stableRevision"]["hash"]})
    for pod in stable:
        shop.kubernetes.unready(pod, shop.clock.now())
    shop.eyes.failures = 500
    await shop.run(400)
    assert shop.status["abort"]
    assert shop.backends == [("checkout", 75), ("checkout-canary", 25)]
    shop.manner = "silent"
    for pod in stable:
        shop.kubernetes.recover(pod)
    await shop.run(60)
    assert shop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert len(shop.pods()) == 2, "it may still send to the canary"
    assert "NotConfirmed" not in shop.reasons()
    await shop.run(300)
    assert len(shop.pods()) == 1


async def test_a_newer_template_waits_for_its_answer_and_goes_through_with_it() -> None:
    shop = await gone_silent()
    before = shop.pods()
    shop.release("shop:3")
    await shop.run(320)
    assert shop.backends == [("checkout", 100), ("checkout-canary", 0)]
    assert "Gateway edge has not confirmed generation" in shop.status["message"]
    shop.manner = "prompt"
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    await shop.run(10)
    assert len(shop.pods() - before) == len(shop.pods()) == 1


async def test_without_its_answer_the_deadline_ends_it_and_nothing_stays() -> None:
    shop = await gone_silent()
    shop.release("shop:3")
    await shop.until(lambda: shop.reasons().count("RolledBack") == 2, 700)
    await shop.run(320)
    assert "NotConfirmed" in shop.reasons()
    assert shop.backends == [("checkout", None)]
    assert len(shop.pods()) == 1


async def test_where_nobody_ever_speaks_the_deadline_ends_it_and_nothing_stays() -> None:
    shop = await routed("silent", progressDeadlineSeconds=30)
    assert "says nothing of HTTPRoute web" in str(shop.status["conditions"])
    shop.release("shop:2")
    await shop.run(120)
    assert "made no progress" in shop.status["abort"]["reason"]
    assert shop.backends == [("checkout", None)]
    assert len(shop.pods()) == 1
