"""What blue-green, replica-weighted and dynamic canaries promise, in virtual time."""

import pytest

from rollouts.model.kinds import POD, REPLICA_SET
from tests.simulation.kubelets import Behaviour, is_ready
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.starting_points import blue_green, by_replicas, deployed, dynamic
from tests.simulation.story import Story


def test_a_good_release_is_previewed_switched_baked_and_promoted() -> None:
    story = blue_green(1)
    old = story.stable
    new = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.selects("checkout-preview") == new)
    assert story.stable == old
    story.run_until(lambda it: it.stable == new)
    assert story.sizes().get(old, 0) == 4
    status = story.settle()
    assert status.phase == "Healthy", "\n".join(story.log)
    assert story.stable == story.selects("checkout-preview") == new
    assert story.sizes().get(old, 0) == 0
    before = story.writes
    story.settle(60)
    assert story.writes == before


def test_a_failing_bake_is_one_switch_back() -> None:
    story = blue_green(2)
    old = story.stable
    new = story.release("shop:2", Behaviour(error_rate=0.3))
    story.run_until(lambda it: it.stable == new)
    story.run_until(lambda it: it.stable == old, 20)
    status = story.settle()
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert status.stable_revision is not None
    assert status.stable_revision.hash == old
    assert story.sizes().get(new, 0) == 0


def test_what_turns_bad_while_the_old_revision_is_warm_goes_back_too() -> None:
    strategy = {"scaleDownDelaySeconds": 120}
    story = blue_green(3, strategy=strategy)
    old = story.stable
    new = story.release("shop:2", Behaviour())
    story.run_until(is_promoted)
    story.turn(new, Behaviour(error_rate=0.5))
    story.run_until(lambda it: it.stable == old, 30)
    assert story.settle().phase == "Degraded"
    assert story.stable == old


def is_promoted(story: Story) -> bool:
    return story.status.phase == "Healthy" and story.is_stable(story.hash_of("shop:2"))


def test_abort_and_rollback_go_back_while_the_old_revision_is_warm_and_rollback_later_too() -> None:
    for verb, wait in (("abort", 0), ("rollback", 0), ("rollback", 300)):
        strategy = {"scaleDownDelaySeconds": 60}
        story = blue_green(4, strategy=strategy)
        old = story.stable
        story.release("shop:2", Behaviour())
        story.run_until(is_promoted)
        story.pass_time(wait)
        story.command(verb, "back", by="me")
        story.reconcile()
        assert (story.stable == old) is (wait == 0)
        status = story.settle()
        assert story.stable == old, "\n".join(story.log[-30:])
        assert status.phase == "Degraded"
        story.command("retry", "again")
        assert story.settle().phase == "Healthy", "\n".join(story.log[-30:])
        assert story.stable != old


def test_a_preview_waits_for_promotion_with_fewer_pods() -> None:
    story = blue_green(5, strategy={"previewReplicaCount": 1, "autoPromotionEnabled": False})
    new = story.release("shop:2", Behaviour())
    assert story.settle(60).phase == "Paused"
    assert story.sizes().get(new, 0) == 1
    story.command("promote", "go")
    assert story.settle().phase == "Healthy", "\n".join(story.log)


def test_a_newer_template_in_the_bake_goes_back_first() -> None:
    story = blue_green(6)
    old = story.stable
    second = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.stable == second)
    third = story.release("shop:3", Behaviour())
    story.reconcile()
    assert story.stable == old
    assert story.settle().phase == "Healthy"
    assert story.stable == third


def test_several_routers_move_together_after_testers_had_a_look() -> None:
    story = deployed("several routers", 14)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.weights.routes == ["testers"])
    assert story.status.weights.applied == 0
    assert story.route == 0
    story.run_until(lambda it: it.status.weights.applied == 50)
    assert story.status.weights.routes == []
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    assert not_cleaned_up(story) == []


def test_the_share_of_the_pods_is_the_weight() -> None:
    story = by_replicas(7, replicas=10)
    new = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.weights.applied == 50)
    assert story.percent(new) == 50.0
    status = story.settle()
    assert status.phase == "Healthy", "\n".join(story.log)
    assert story.sizes() == {new: 10}
    before = story.writes
    story.settle(60)
    assert story.writes == before


def test_a_weight_that_whole_pods_can_not_have_is_rounded_and_shown() -> None:
    story = by_replicas(8)
    new = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.weights.applied not in (0, 100))
    assert story.status.weights.applied == story.percent(new) == 25
    told = [entry.message for entry in story.status.history if entry.reason == "WeightSet"]
    assert told == ["the canary has 25 % of the pods, the nearest to 5 % that whole pods can be"]


def test_a_bad_release_without_a_router_gives_its_pods_back() -> None:
    story = by_replicas(9, replicas=8)
    new = story.release("shop:2", Behaviour(error_rate=0.4))
    status = story.settle()
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert story.sizes().get(new, 0) == 0
    assert story.sizes() == {story.hash_of("shop:1"): 8}


def test_a_single_pod_is_replaced_by_a_surge() -> None:
    story = by_replicas(10, replicas=1)
    new = story.release("shop:2", Behaviour())
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    assert story.sizes().get(new, 0) == 1


def test_stable_makes_room_only_for_traffic_that_was_measured() -> None:
    story = dynamic(11)
    old = story.stable
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 50)
    story.run_until(lambda it: it.sizes().get(old, 0) == 5)
    assert story.settle().phase == "Healthy", "\n".join(story.log)


def test_stable_never_has_more_traffic_than_pods_for_it() -> None:
    story = dynamic(16)
    old, new = story.stable, story.release("shop:2")
    while not story.is_stable(new):
        story.round(1)
        ready = sum(map(is_ready, story.kubelets.pods(old)))
        assert ready >= story.shares()["shop.test"].get(old, 0.0) * 10 - 1e-9
        story.tick(0.3)
    assert story.settle().phase == "Healthy"


def test_a_rollback_grows_stable_before_the_traffic_comes_back() -> None:
    story = dynamic(12)
    old = story.stable
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.sizes().get(old, 0) == 5)
    story.command("abort", "x")
    story.reconcile()
    assert story.route == 50
    assert story.settle().phase == "Degraded"
    assert story.route is None
    assert story.sizes().get(old, 0) == 10


@pytest.mark.parametrize("way_back", ["abort", "newer template"])
def test_traffic_that_comes_back_bit_by_bit_is_nobody_else_s_change(way_back: str) -> None:
    story = dynamic(12)
    old = story.stable
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.sizes().get(old, 0) == 5)
    if way_back == "abort":
        story.command("abort", "x")
    else:
        story.release("shop:3", Behaviour())
    story.settle()
    assert "DriftCorrected" not in {each.reason for each in story.status.history}


def test_going_back_within_the_window_skips_the_steps() -> None:
    story = by_replicas(13, rollbackWindow={"revisions": 2})
    for image in ("shop:2", "shop:3"):
        story.release(image, Behaviour())
        assert story.settle().phase == "Healthy"
    began = story.now
    back = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.phase == "Healthy" and list(it.sizes()) == [back])
    assert (story.now - began).total_seconds() < 15


def test_pods_that_are_going_already_are_not_counted_on() -> None:
    story = by_replicas(15, replicas=7)
    old = story.hash_of("shop:1")
    story.caches.fall_behind([POD, REPLICA_SET])
    story.release("shop:2", Behaviour(ready_after=60))
    story.command("promote-full", "x")
    story.pass_time(20)
    assert story.sizes()[old] == 6, "one of seven may be missing, and one is"
