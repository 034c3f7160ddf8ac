"""dynamicStableScale: stable gives up pods for traffic that the canary is known to have taken."""

from typing import Any

import pytest

from rollouts.core.plan.actions import ScaleReplicaSet, SetWeight
from rollouts.model.route import Route, Split
from rollouts.model.status import Exposure, Weights
from tests.unit.core.worlds import NEW, OLD, Scene, at, replica_set, spec_of, under_way

MIRROR = {"setMirrorRoute": {"name": "shadow", "percentage": 100}}


def scene(
    steps: list[Any], served: float | None = 50.0, requests: int = 100, *routes: str
) -> Scene:
    """Return a canary that has half of the traffic of 4 pods, at the last of the steps."""
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": [*steps, {"setWeight": 50}, {"pause": {}}],
        "dynamicStableScale": True,
    }
    weights = Weights(desired=50, applied=50, applied_at=at(-8), served=served, routes=[*routes])
    return under_way(
        50,
        spec_of(strategy={"canary": canary}),
        weights=weights,
        exposure=Exposure(canary_requests=requests),
        current_step_index=len(steps) + 1,
    )


def sizes(found: Scene) -> dict[str, int]:
    scales = (each for each in found.decide().actions if isinstance(each, ScaleReplicaSet))
    return {each.name.removeprefix("checkout-"): each.replicas for each in scales}


def test_stable_keeps_the_pods_that_its_own_share_needs() -> None:
    assert sizes(scene([])) == {OLD: 2}


@pytest.mark.parametrize(
    "unsure",
    [scene([], served=None), scene([], served=39.0), scene([], requests=19)],
    ids=["nothing measured", "less than configured", "too few requests"],
)
def test_what_was_not_measured_makes_no_room(unsure: Scene) -> None:
    assert OLD not in sizes(unsure)


def test_copies_of_requests_are_no_traffic_that_was_taken() -> None:
    assert OLD not in sizes(scene([MIRROR], 50.0, 100, "shadow"))
    ended = [MIRROR, {"setMirrorRoute": {"name": "shadow"}}]
    assert sizes(scene(ended)) == {OLD: 2}
    assert NEW not in sizes(scene(ended))


def test_a_header_route_is_no_weight_that_stable_could_not_bear_less_of() -> None:
    """Some pods of stable are being replaced while testers alone reach the canary."""
    found = scene([]).with_(weights=Weights(desired=0, applied=0), current_step_index=0)
    opened = Route(exists=True, weight=0, highest=1, written=frozenset({0}))
    short = found.with_(route=opened).evolve(replica_set(OLD, 4, 2))
    weights = [each for each in short.decide().actions if isinstance(each, SetWeight)]
    assert all(each.split.percent == 0 for each in weights)


def test_stable_gives_up_no_pods_for_traffic_that_somebody_gave_back_to_it() -> None:
    found = scene([]).with_(route=Route(exists=True, weight=3, highest=3))
    assert OLD not in sizes(found)
    assert SetWeight(Split(50)) in found.decide().actions
