"""What blue-green, replica-weighted and dynamic canaries promise, in virtual time."""

import pytest

from rollouts.core.observed import Command
from tests.simulation.simulator import Behaviour
from tests.simulation.starts import blue_green, by_replicas, dynamic, several_routers


def test_a_good_release_is_previewed_switched_baked_and_promoted() -> None:
    simulation = blue_green(1)
    old = simulation.services["app"]
    new = simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.services.get("app-preview") == new)
    assert simulation.services["app"] == old
    simulation.run_until(lambda it: it.services["app"] == new)
    assert simulation.replica_sets[old].wanted == 4
    status = simulation.settle()
    assert status.phase == "Healthy", "\n".join(simulation.log)
    assert simulation.services == {"app": new, "app-preview": new}
    assert simulation.replica_sets[old].wanted == 0
    before = simulation.writes
    simulation.settle(60)
    assert simulation.writes == before


def test_a_failing_bake_is_one_switch_back() -> None:
    simulation = blue_green(2)
    old = simulation.services["app"]
    new = simulation.release("app:2", Behaviour(error_rate=0.3))
    simulation.run_until(lambda it: it.services["app"] == new)
    simulation.run_until(lambda it: it.services["app"] == old, 20)
    status = simulation.settle()
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert status.stable_revision is not None
    assert status.stable_revision.hash == old
    assert simulation.replica_sets[new].wanted == 0


def test_what_turns_bad_while_the_old_revision_is_warm_goes_back_too() -> None:
    strategy = {"scaleDownDelaySeconds": 120}
    simulation = blue_green(3, strategy=strategy)
    old = simulation.services["app"]
    new = simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.phase == "Healthy")
    simulation.behaviour[new] = Behaviour(error_rate=0.5)
    simulation.run_until(lambda it: it.services["app"] == old, 30)
    assert simulation.settle().phase == "Degraded"
    assert simulation.services["app"] == old


def test_abort_and_rollback_go_back_while_the_old_revision_is_warm_and_rollback_later_too() -> None:
    for verb, wait in (("abort", 0), ("rollback", 0), ("rollback", 300)):
        strategy = {"scaleDownDelaySeconds": 60}
        simulation = blue_green(4, strategy=strategy)
        old = simulation.services["app"]
        simulation.release("app:2", Behaviour())
        simulation.run_until(lambda it: it.status.phase == "Healthy")
        end = simulation.now.timestamp() + wait
        simulation.run_until(lambda it, end=end: it.now.timestamp() >= end)
        simulation.command = Command(id="back", verb=verb, by="me")
        simulation.reconcile()
        assert (simulation.services["app"] == old) is (wait == 0)
        status = simulation.settle()
        assert simulation.services["app"] == old, "\n".join(simulation.log[-30:])
        assert status.phase == "Degraded"
        simulation.command = Command(id="again", verb="retry")
        assert simulation.settle().phase == "Healthy", "\n".join(simulation.log[-30:])
        assert simulation.services["app"] != old


def test_a_preview_waits_for_promotion_with_fewer_pods() -> None:
    simulation = blue_green(5, strategy={"previewReplicaCount": 1, "autoPromotionEnabled": False})
    new = simulation.release("app:2", Behaviour())
    assert simulation.settle(60).phase == "Paused"
    assert simulation.replica_sets[new].wanted == 1
    simulation.command = Command(id="go", verb="promote")
    assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)


def test_a_newer_template_in_the_bake_goes_back_first() -> None:
    simulation = blue_green(6)
    old = simulation.services["app"]
    second = simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.services["app"] == second)
    third = simulation.release("app:3", Behaviour())
    simulation.reconcile()
    assert simulation.services["app"] == old
    assert simulation.settle().phase == "Healthy"
    assert simulation.services["app"] == third


def test_several_routers_move_together_after_testers_had_a_look() -> None:
    simulation = several_routers(14)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.weights.routes == ["testers"])
    assert simulation.status.weights.applied == 0
    assert simulation.status.exposure.canary_requests > 0 or simulation.routes is not None
    simulation.run_until(lambda it: it.status.weights.applied == 50)
    assert simulation.status.weights.routes == []
    assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)
    assert simulation.routes is None


def test_the_share_of_the_pods_is_the_weight() -> None:
    simulation = by_replicas(7, replicas=10)
    new = simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.weights.applied == 50)
    assert simulation.share_of_current() == 50.0
    status = simulation.settle()
    assert status.phase == "Healthy", "\n".join(simulation.log)
    assert {
        hash_: found.wanted for hash_, found in simulation.replica_sets.items() if found.wanted
    } == {new: 10}
    before = simulation.writes
    simulation.settle(60)
    assert simulation.writes == before


def test_a_weight_that_whole_pods_can_not_have_is_rounded_and_shown() -> None:
    simulation = by_replicas(8)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.weights.applied not in (0, 100))
    assert simulation.status.weights.applied == simulation.share_of_current() == 25
    told = [entry.message for entry in simulation.status.history if entry.reason == "WeightSet"]
    assert told == ["the canary has 25 % of the pods, the nearest to 5 % that whole pods can be"]


def test_a_bad_release_without_a_router_gives_its_pods_back() -> None:
    simulation = by_replicas(9, replicas=8)
    new = simulation.release("app:2", Behaviour(error_rate=0.4))
    status = simulation.settle()
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert simulation.replica_sets[new].wanted == 0
    assert sum(found.wanted for found in simulation.replica_sets.values()) == 8


def test_a_single_pod_is_replaced_by_a_surge() -> None:
    simulation = by_replicas(10, replicas=1)
    new = simulation.release("app:2", Behaviour())
    assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)
    assert simulation.replica_sets[new].wanted == 1


def test_stable_makes_room_only_for_traffic_that_was_measured() -> None:
    simulation = dynamic(11)
    old = simulation.services["app"]
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 50)
    simulation.run_until(lambda it: it.replica_sets[old].wanted == 5)
    assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)


def test_a_rollback_grows_stable_before_the_traffic_comes_back() -> None:
    simulation = dynamic(12)
    old = simulation.services["app"]
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.replica_sets[old].wanted == 5)
    simulation.command = Command(id="x", verb="abort")
    simulation.reconcile()
    assert simulation.route == 50
    assert simulation.settle().phase == "Degraded"
    assert simulation.route is None
    assert simulation.replica_sets[old].wanted == 10


@pytest.mark.parametrize("way_back", ["abort", "newer template"])
def test_traffic_that_comes_back_bit_by_bit_is_nobody_else_s_change(way_back: str) -> None:
    simulation = dynamic(12)
    old = simulation.services["app"]
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.replica_sets[old].wanted == 5)
    if way_back == "abort":
        simulation.command = Command(id="x", verb="abort")
    else:
        simulation.release("app:3", Behaviour())
    simulation.settle()
    assert "PutBack" not in {each.reason for each in simulation.status.history}


def test_going_back_within_the_window_skips_the_steps() -> None:
    simulation = by_replicas(13, rollbackWindow={"revisions": 2})
    for image in ("app:2", "app:3"):
        simulation.release(image, Behaviour())
        assert simulation.settle().phase == "Healthy"
    began = simulation.now
    simulation.release("app:2", Behaviour())
    simulation.run_until(
        lambda it: it.status.phase == "Healthy" and it.status.stable_revision.number == 4
    )
    assert (simulation.now - began).total_seconds() < 15
