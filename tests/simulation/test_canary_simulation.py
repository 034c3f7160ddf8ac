"""What a canary promises, whatever happens: thousands of seeded stories in virtual time."""

from random import Random

import pytest

from tests.simulation.cluster_faults import changed_services
from tests.simulation.kubelets import Behaviour
from tests.simulation.random_events import meddle
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.setups import SETUPS, STEPS
from tests.simulation.starting_points import healthy
from tests.simulation.story import Story

SHORT = {"pause": {"duration": "9s"}}


def test_a_good_release_is_promoted_and_a_settled_one_writes_nothing() -> None:
    story = healthy(1)
    new = story.release("shop:2", Behaviour())
    status = story.settle()
    assert status.phase == "Healthy", "\n".join(story.log)
    assert status.stable_revision is not None
    assert status.stable_revision.hash == new
    assert story.stable == new
    assert story.route is None
    before = story.writes
    story.settle(60)
    assert story.writes == before


def test_a_bad_release_is_rolled_back_and_its_pods_go() -> None:
    story = healthy(2)
    old = story.stable
    new = story.release("shop:2", Behaviour(error_rate=0.3))
    status = story.settle()
    assert status.phase == "Degraded"
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert story.stable == story.selects("checkout-canary") == old
    assert story.sizes().get(new, 0) == 0
    assert story.route is None


def test_a_release_that_never_gets_ready_ends_at_the_deadline() -> None:
    story = healthy(3, progressDeadlineSeconds=30)
    story.release("shop:2", Behaviour(ready_after=10_000))
    status = story.settle()
    assert status.abort is not None
    assert "no progress for 30s" in status.abort.reason


def test_a_canary_that_crashes_under_traffic_is_rolled_back_at_once() -> None:
    story = healthy(4)
    story.release("shop:2", Behaviour(crashes=True))
    status = story.settle()
    assert status.abort is not None
    assert "crash" in status.abort.reason


def test_a_retry_takes_no_pods_that_have_just_served() -> None:
    """Its first step asks for fewer than the attempt before had."""
    by_hand, by_weight = {"replicas": 1}, {"matchTrafficWeight": True}
    steps = [{"setCanaryScale": by_hand}, SHORT, {"setCanaryScale": by_weight}, *STEPS]
    story = healthy(4, strategy={"steps": steps})
    new = story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 50)
    story.command("abort")
    story.round()
    story.command("retry")
    story.round()
    assert story.sizes()[new] == 2
    assert story.settle().phase == "Healthy"
    assert story.is_stable(new)


def test_a_size_that_is_set_by_hand_takes_no_pods_from_users() -> None:
    """Somebody has the stable Service lead to the pods of all, and lets nobody change that."""
    three, one = ({"setCanaryScale": {"replicas": count}} for count in (3, 1))
    story = healthy(4, strategy={"steps": [three, SHORT, one, SHORT]})
    new = story.release("shop:2")
    story.run_until(lambda it: it.status.current_step_index == 1)
    story.caches.refusals.append(changed_services)
    story.select("checkout", None)
    story.run_until(lambda it: it.status.current_step_index == 3)
    story.pass_time(3)
    assert story.sizes()[new] == 3
    story.caches.refusals.clear()
    assert story.settle().phase == "Healthy"
    assert story.is_stable(new)


@pytest.mark.parametrize("room", [1, 2])
def test_as_many_pods_as_a_person_calls_enough_are_promoted_and_no_fewer(room: int) -> None:
    """Half of four is two: with room for one the weight stays at what one can have."""
    strategy = {"replicaProgressThreshold": {"type": "Percent", "value": 50}}
    story = healthy(4, strategy=strategy)
    lost, story.kubelets.quota = story.users.lost, 4 + room
    new = story.release("shop:2")
    story.settle(300)
    assert story.status.stable_revision is not None
    assert story.is_stable(new) is (room == 2)
    assert story.users.lost == lost


def test_a_template_that_returns_to_stable_needs_no_steps() -> None:
    story = healthy(5)
    old = story.stable
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 25)
    story.release("shop:1", Behaviour())
    story.reconcile()
    assert story.route == 0
    status = story.settle()
    assert status.phase == "Healthy"
    assert story.stable == story.selects("checkout-canary") == old


def test_a_newer_template_takes_over_and_traffic_goes_to_stable_first() -> None:
    story = healthy(6)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 50)
    newest = story.release("shop:3", Behaviour())
    story.reconcile()
    assert story.route == 0
    status = story.settle()
    assert status.phase == "Healthy"
    assert story.stable == newest
    assert list(story.sizes()) == [newest]


def test_blindness_holds_a_release_and_sight_lets_it_go_on() -> None:
    story = healthy(7)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 5)
    story.monitor.error = "Prometheus does not answer"
    status = story.settle(120)
    assert story.route == 5
    assert status.phase == "Paused"
    assert status.pause is not None
    assert status.pause.reason == "MetricsUnavailable"
    story.monitor.error = ""
    assert story.settle().phase == "Healthy"


def test_inconclusive_at_the_end_of_an_analysis_pauses_until_the_evidence_is_there() -> None:
    story = healthy(8)
    steps = [{"setWeight": 5}, {"analysis": {"duration": "2s"}}]
    story.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.phase == "Paused")
    assert story.status.pause is not None
    assert story.status.pause.reason == "Inconclusive"
    assert "more requests" in story.status.message
    assert story.settle(3600).phase == "Healthy"


def test_a_first_deploy_without_replicas_is_stable_without_pods() -> None:
    story = Story(SETUPS["router"], 10, replicas=0)
    assert story.settle().phase == "Healthy"
    assert story.stable == story.hash_of("shop:1")
    assert not story.sizes()


@pytest.mark.parametrize("verb", ["pause", "spec"])
def test_a_held_release_keeps_its_weight_and_can_still_be_rolled_back(verb: str) -> None:
    story = healthy(9)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 5)
    if verb == "pause":
        story.command("pause")
    else:
        story.edit({"spec": {"paused": True}})
    assert story.settle(60).phase == "Paused"
    assert story.route == 5
    story.command("abort", "x", by="me")
    story.reconcile()
    assert story.route == 0
    assert story.status.abort is not None
    assert "aborted by me" in story.status.abort.reason


def test_a_pod_that_is_replaced_late_in_a_long_pause_stops_nothing() -> None:
    story = healthy(11, progressDeadlineSeconds=60)
    steps = [{"setWeight": 50}, {"pause": {"duration": "10m"}}]
    story.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    new = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.current_step_index == 1)
    story.pass_time(300)
    story.kubelets.remove(story.kubelets.pods(new)[-1]["metadata"]["name"])
    assert story.settle().phase == "Healthy"
    assert story.stable == new


@pytest.mark.parametrize("good", [True, False])
def test_an_autoscaler_makes_neither_revision_smaller_before_the_other_has_gone(
    good: bool,
) -> None:
    story = healthy(12, replicas=8)
    story.release("shop:2", Behaviour(error_rate=0.0 if good else 0.05))
    story.run_until(lambda it: it.route == (50 if good else 5))
    story.edit({"spec": {"replicas": 2}})
    status = story.settle()
    assert status.phase == ("Healthy" if good else "Degraded")
    assert story.sizes() == {story.stable: 2}


def test_what_somebody_keeps_changing_is_not_fought_over() -> None:
    story = healthy(13)
    before = story.writes
    for _ in range(300):
        story.select("checkout", "elsewhere")
        story.reconcile()
        story.tick(0.1)
    assert story.writes - before < 30


def test_a_release_that_nothing_was_measured_of_waits_for_a_person() -> None:
    story = healthy(14)
    story.monitor.blind = True
    story.release("shop:2", Behaviour())
    assert story.settle().phase == "Paused"
    assert "nothing was measured for errors" in story.status.message
    story.command("promote", "go")
    assert story.settle().phase == "Healthy"


def test_a_hold_right_after_a_rise_does_not_take_it_back() -> None:
    story = healthy(15)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 5)
    assert story.status.weights.applied == 0, "it is not confirmed yet"
    story.edit({"spec": {"paused": True}})
    story.reconcile()
    assert story.route == 5
    assert story.status.weights.applied == 5


def test_drift_that_has_ended_holds_nothing_up() -> None:
    story = healthy(16)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.weights.applied == 5)
    for _ in range(4):
        meddle(story, Random(1))
        story.round()
        story.tick(0.5)
    story.command("abort", "x")
    story.settle()
    assert not_cleaned_up(story) == []
