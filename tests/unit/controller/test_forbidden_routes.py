"""Routes that the controller may not read may send requests anywhere: nothing moves on, and the way out is said."""

from typing import Any

import pytest

from rollouts.model.kinds import CRD, Kind, Ref
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.fakes.control_loop import STEPS, ControlLoop
from tests.fakes.crds import definition

WHY = 'trafficsplits is forbidden: User "x" cannot list resource "trafficsplits"'


@pytest.fixture
async def meshed(loop: ControlLoop) -> ControlLoop:
    """A release through a mesh, with 25 % on its canary."""
    loop.cluster.put(CRD, definition(TRAFFIC_SPLIT, "v1alpha2"))
    canary = {"stableService": "checkout", "trafficRouting": {"smi": {}}, "steps": STEPS}
    await loop.deployed(strategy={"canary": canary})
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop) == 25)
    return loop


def canary_weight(loop: ControlLoop) -> Any:
    split = loop.cluster.get(Ref(TRAFFIC_SPLIT, "shop", "checkout"))
    return split and split["spec"]["backends"][1]["weight"]


def preflight(loop: ControlLoop) -> tuple[str, str, str]:
    (found,) = [each for each in loop.status["conditions"] if each["type"] == "Preflight"]
    return found["status"], found["reason"], found["message"]


async def test_a_release_is_held_while_its_routes_may_not_be_read_and_goes_on_by_itself(
    meshed: ControlLoop,
) -> None:
    meshed.cluster.unseen = {TRAFFIC_SPLIT: WHY}
    await meshed.run(60)
    status, reason, message = preflight(meshed)
    assert (status, reason) == ("False", "RoutesForbidden")
    assert WHY in message
    assert canary_weight(meshed) == 25
    meshed.cluster.unseen = {}
    await meshed.until(lambda: meshed.status["phase"] == "Healthy")
    assert preflight(meshed)[1] != "RoutesForbidden"


async def test_no_release_begins_without_its_routes_being_seen(loop: ControlLoop) -> None:
    loop.cluster.put(CRD, definition(TRAFFIC_SPLIT, "v1alpha2"))
    canary = {"stableService": "checkout", "trafficRouting": {"smi": {}}, "steps": STEPS}
    await loop.deployed(strategy={"canary": canary})
    loop.cluster.unseen = {TRAFFIC_SPLIT: WHY}
    loop.release("shop:2")
    await loop.run(60)
    assert canary_weight(loop) in (0, None)
    assert WHY in loop.status["message"]


async def test_a_bad_release_goes_back_also_where_its_routes_may_not_be_read(
    meshed: ControlLoop,
) -> None:
    meshed.cluster.unseen = {TRAFFIC_SPLIT: WHY}
    await meshed.run(3)
    meshed.command("abort")
    await meshed.run(3)
    assert canary_weight(meshed) in (0, None)
    assert meshed.status["phase"] == "Degraded"


async def test_a_settled_rollout_writes_nothing_while_its_routes_may_not_be_read(
    loop: ControlLoop,
) -> None:
    loop.cluster.put(CRD, definition(TRAFFIC_SPLIT, "v1alpha2"))
    canary = {"stableService": "checkout", "trafficRouting": {"smi": {}}, "steps": STEPS}
    await loop.deployed(strategy={"canary": canary})
    loop.cluster.unseen = {TRAFFIC_SPLIT: WHY}
    await loop.run(10)
    before = len(loop.cluster.writes)
    await loop.run(60)
    assert len(loop.cluster.writes) - before <= 1


@pytest.mark.parametrize("other", [HTTP_ROUTE, GRPC_ROUTE], ids=str)
async def test_a_kind_of_route_that_the_spec_does_not_name_holds_up_nothing(
    meshed: ControlLoop, other: Kind
) -> None:
    meshed.cluster.unseen = {other: "forbidden"}
    await meshed.until(lambda: meshed.status["phase"] == "Healthy")
