"""What an autoscaler sees of a release, and what it may do to one."""

import pytest

from rollouts.core import actions as act
from tests.unit.core.worlds import NEW, OLD, replica_set, rolled_back, spec_of, under_way


@pytest.mark.parametrize(("replicas", "wanted"), [(2, 4), (4, 4), (8, 8)])
def test_an_autoscaler_may_raise_stable_in_mid_rollout_and_never_lower_it(
    replicas: int, wanted: int
) -> None:
    scene = under_way(25, spec_of(replicas=replicas))
    assert scene.status.stable_floor == 4
    scales = {
        action.name: action.replicas
        for action in scene.decide().actions
        if isinstance(action, act.ScaleReplicaSet)
    }
    assert scales.get("checkout-oldhash", 4) == wanted


def test_the_floor_is_what_stable_had_at_the_start_and_goes_with_the_canary() -> None:
    fresh = under_way(25, template_hash="newest").having(replica_set(OLD, 9))
    assert fresh.decide().status.stable_floor == 9
    back = fresh.with_(template_hash=OLD, stable_floor=9)
    assert back.decide().status.stable_floor == 9, "the canary is still there"
    assert back.without(NEW).decide().status.stable_floor == 0


def test_an_autoscaler_sees_all_pods_that_share_the_traffic() -> None:
    status = under_way(25).decide().status
    assert status.replicas == 4 + 1
    assert status.selector == "app=checkout"
    stopped = rolled_back().decide().status
    assert stopped.replicas == 4
    assert stopped.selector == "app=checkout,rollouts.dev/pod-template-hash=oldhash"
