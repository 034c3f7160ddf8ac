"""The Service that was made for a new revision is as its stable Service is, before a request is sent to it."""

from contextlib import suppress

import pytest

from rollouts.errors import Forbidden
from rollouts.model.kinds import JSON, SERVICE, Ref
from rollouts.ports import Patch
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by

STABLE = Ref(SERVICE, "shop", "checkout")
SECOND = Ref(SERVICE, "shop", "checkout-canary")
PREVIEWED: JSON = {**BLUE_GREEN, "previewService": "checkout-canary"}
NEW_PORTS = [{"name": "web", "port": 80, "targetPort": 9090, "nodePort": 30080}]
H2C = {"traefik.ingress.kubernetes.io/service.serversscheme": "h2c"}


def ports(loop: ControlLoop) -> list[JSON]:
    found = loop.cluster.get(SECOND)
    assert found is not None
    return list(found["spec"]["ports"])


def changed(loop: ControlLoop) -> None:
    """Change the stable Service as somebody else."""
    loop.cluster.edit(STABLE, {"metadata": {"annotations": H2C}, "spec": {"ports": NEW_PORTS}})


async def released_once(loop: ControlLoop, way: JSON) -> None:
    await loop.deployed(strategy=goes_by(way)["spec"]["strategy"])
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    loop.command('{"id": "full", "verb": "promote-full"}')
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(70)
    assert loop.status["phase"] == "Healthy"


@pytest.mark.parametrize("way", [CANARY, PREVIEWED], ids=["canary", "preview"])
async def test_when_settled_it_follows_with_one_write(loop: ControlLoop, way: JSON) -> None:
    await released_once(loop, way)
    loop.cluster.writes.clear()
    changed(loop)
    await loop.run(10)
    assert ports(loop) == [{"name": "web", "port": 80, "targetPort": 9090}]
    found = loop.cluster.get(SECOND)
    assert found is not None
    assert H2C.items() <= found["metadata"]["annotations"].items()
    about = [each for each in loop.cluster.writes if isinstance(each, Patch) and each.ref == SECOND]
    assert len(about) == 1
    assert loop.reasons()[-1] == "ServiceSynced"
    loop.cluster.writes.clear()
    await loop.run(60)
    assert loop.cluster.writes == []


async def test_it_has_the_new_ports_before_any_request_is_sent_to_it(loop: ControlLoop) -> None:
    """The Service and the image are changed by one commit."""
    await released_once(loop, CANARY)
    changed(loop)
    loop.release("shop:3")
    for _ in range(60):
        loop.kubernetes.settle()
        await loop.reconciler.reconcile(KEY)
        if canary_weight(loop.cluster):
            break
        loop.clock.move(0.5)
    assert canary_weight(loop.cluster) == 25
    assert ports(loop)[0]["targetPort"] == 9090


async def test_a_release_waits_for_it_as_long_as_that_write_is_refused(loop: ControlLoop) -> None:
    await released_once(loop, CANARY)
    changed(loop)
    loop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and "ports" in str(write.body) else None
    )
    loop.release("shop:3")
    for _ in range(60):
        loop.kubernetes.settle()
        with suppress(Forbidden):
            await loop.reconciler.reconcile(KEY)
        assert not canary_weight(loop.cluster), "nobody listens on the ports of before"
        loop.clock.move(1)
    assert "ServiceSynced" not in loop.reasons()
    loop.cluster.refuses = lambda _: None
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    assert loop.reasons().count("ServiceSynced") == 1


async def test_in_the_middle_of_a_release_it_follows_at_once(loop: ControlLoop) -> None:
    await loop.deployed(strategy=goes_by(CANARY)["spec"]["strategy"])
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    changed(loop)
    await loop.round()
    assert ports(loop)[0]["targetPort"] == 9090
    assert canary_weight(loop.cluster) == 25


async def test_it_follows_another_stable_service(loop: ControlLoop) -> None:
    """Another Service is the stable one by now, and the canary's keeps its name."""
    named: JSON = {**CANARY, "canaryService": "checkout-canary"}
    await released_once(loop, named)
    stable = loop.cluster.get(STABLE)
    assert stable is not None
    metadata = {"namespace": "shop", "name": "other"}
    loop.cluster.put(
        SERVICE, {"metadata": metadata, "spec": {**stable["spec"], "ports": NEW_PORTS}}
    )
    loop.edit(goes_by({**named, "stableService": "other"}))
    await loop.run(10)
    assert ports(loop)[0]["targetPort"] == 9090


async def test_a_users_own_canary_service_is_left_as_it_is(loop: ControlLoop) -> None:
    await released_once(loop, CANARY)
    loop.cluster.edit(SECOND, {"metadata": {"ownerReferences": None, "labels": None}})
    before = ports(loop)
    changed(loop)
    await loop.run(10)
    assert ports(loop) == before
    by_name = {each["type"]: each for each in loop.status["conditions"]}
    assert "port 80 leads to 8080" in by_name["Preflight"]["message"]


async def test_what_somebody_changes_about_it_is_put_right_but_not_in_a_war(
    loop: ControlLoop,
) -> None:
    await released_once(loop, CANARY)
    for _ in range(10):
        loop.cluster.edit(SECOND, {"spec": {"ports": NEW_PORTS}})
        loop.kubernetes.settle()
        await loop.reconciler.reconcile(KEY)
    assert loop.reasons().count("ServiceSynced") == 3
    await loop.run(20)
    assert ports(loop)[0]["targetPort"] == 8080
