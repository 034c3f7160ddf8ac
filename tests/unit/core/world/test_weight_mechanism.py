"""What each mechanism of a weight answers for itself, and that each has its writes."""

from typing import Any

import pytest

from rollouts.core.plan.weight import BACK, FORWARD
from rollouts.core.world import (
    PodShare,
    RouterWeight,
    ServiceSwitch,
    WeightMechanism,
    World,
    mechanism_of,
)
from rollouts.model.evidence import Evidence
from rollouts.model.route import Route
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus, Weights
from tests.unit.core.worlds import NEW, NOW, OLD, observed, revision, service, spec_of

BLUE_GREEN = {"blueGreen": {"activeService": "checkout", "previewService": "checkout-preview"}}
ROUTED, SWITCHED = spec_of(), spec_of(strategy=BLUE_GREEN)
SHARED = spec_of(strategy={"canary": {"steps": [{"setWeight": 25}]}})
EACH = pytest.mark.parametrize(
    ("spec", "kind"), [(ROUTED, RouterWeight), (SWITCHED, ServiceSwitch), (SHARED, PodShare)]
)


UNDER_WAY = RolloutStatus(stable_revision=revision(OLD), current_revision=revision(NEW))


def world_of(spec: RolloutSpec, **seen: Any) -> World:
    return World(spec, observed(**seen), Evidence(), NOW)


@EACH
def test_each_strategy_has_one_mechanism(spec: RolloutSpec, kind: type[WeightMechanism]) -> None:
    mechanism = mechanism_of(spec)
    assert type(mechanism) is kind
    assert [mechanism.is_routed, mechanism.is_switched, mechanism.pods_are_the_weight].count(
        True
    ) == 1


def test_each_carrier_has_its_writes_forward_and_back() -> None:
    assert set(FORWARD) == set(BACK) == set(WeightMechanism.__subclasses__())


@EACH
def test_routing_objects_that_are_only_left_carry_nothing(
    spec: RolloutSpec, kind: type[WeightMechanism]
) -> None:
    world = world_of(spec, route=Route(exists=True, weight=25, highest=25))
    assert mechanism_of(spec).live_route(world).highest == (25 if kind is RouterWeight else 0)


@pytest.mark.parametrize(
    ("spec", "selected", "bound"),
    [
        (ROUTED, OLD, True),
        (ROUTED, NEW, False),
        (ROUTED, "", False),
        (SWITCHED, OLD, True),
        (SWITCHED, NEW, True),
        (SWITCHED, "", False),
        (SHARED, "", True),
    ],
)
def test_new_pods_get_nothing_by_accident(spec: RolloutSpec, selected: str, bound: bool) -> None:
    world = world_of(spec, services={"checkout": service("checkout", selected)})
    assert mechanism_of(spec).is_bound(world, UNDER_WAY) is bound


@pytest.mark.parametrize(("spec", "pods"), [(ROUTED, 2), (SHARED, 2), (SWITCHED, 4)])
def test_a_size_that_was_set_by_hand_serves_but_where_it_is_the_previews(
    spec: RolloutSpec, pods: int
) -> None:
    status = UNDER_WAY.evolve(canary_scale=2, weights=Weights(desired=100, applied=100))
    assert mechanism_of(spec).pods_serving(spec, status) == pods


def test_a_strategy_is_called_as_people_call_it() -> None:
    words = [mechanism_of(spec).strategy(spec) for spec in (ROUTED, SWITCHED, SHARED)]
    assert words == ["canary (nginx)", "blueGreen", "canary (by replicas)"]
