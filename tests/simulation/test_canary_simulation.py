"""What a canary promises, whatever happens: thousands of seeded stories in virtual time."""

from datetime import timedelta

import pytest

from rollouts.core.observed import Command
from tests.simulation.simulator import Behaviour, Simulation
from tests.simulation.starts import canary_spec, healthy


def test_a_good_release_is_promoted_and_a_settled_one_writes_nothing() -> None:
    simulation = healthy(1)
    new = simulation.release("app:2", Behaviour())
    status = simulation.settle()
    assert status.phase == "Healthy", "\n".join(simulation.log)
    assert status.stable_revision is not None
    assert status.stable_revision.hash == new
    assert simulation.services["app"] == new
    assert simulation.route is None
    before = simulation.writes
    simulation.settle(60)
    assert simulation.writes == before


def test_a_bad_release_is_rolled_back_and_its_pods_go() -> None:
    simulation = healthy(2)
    old = simulation.services["app"]
    new = simulation.release("app:2", Behaviour(error_rate=0.3))
    status = simulation.settle()
    assert status.phase == "Degraded"
    assert status.abort is not None
    assert "errors" in status.abort.reason
    assert simulation.services == {"app": old, "app-canary": old}
    assert simulation.replica_sets[new].wanted == 0
    assert simulation.route is None


def test_a_release_that_never_gets_ready_ends_at_the_deadline() -> None:
    simulation = healthy(3, progressDeadlineSeconds=30)
    simulation.release("app:2", Behaviour(ready_after=10_000))
    status = simulation.settle()
    assert status.abort is not None
    assert "no progress for 30s" in status.abort.reason


def test_a_canary_that_crashes_under_traffic_is_rolled_back_at_once() -> None:
    simulation = healthy(4)
    simulation.release("app:2", Behaviour(crashes=True))
    status = simulation.settle()
    assert status.abort is not None
    assert "crash" in status.abort.reason


def test_a_template_that_returns_to_stable_needs_no_steps() -> None:
    simulation = healthy(5)
    old = simulation.services["app"]
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 25)
    simulation.release("app:1", Behaviour())
    simulation.reconcile()
    assert simulation.route == 0
    status = simulation.settle()
    assert status.phase == "Healthy"
    assert simulation.services == {"app": old, "app-canary": old}


def test_a_newer_template_takes_over_and_traffic_goes_to_stable_first() -> None:
    simulation = healthy(6)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 50)
    newest = simulation.release("app:3", Behaviour())
    simulation.reconcile()
    assert simulation.route == 0
    status = simulation.settle()
    assert status.phase == "Healthy"
    assert simulation.services["app"] == newest
    assert sum(found.wanted > 0 for found in simulation.replica_sets.values()) == 1


def test_blindness_holds_a_release_and_sight_lets_it_go_on() -> None:
    simulation = healthy(7)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 5)
    simulation.metrics_answer = False
    status = simulation.settle(120)
    assert simulation.route == 5
    assert status.phase == "Paused"
    assert status.pause is not None
    assert status.pause.reason == "MetricsUnavailable"
    simulation.metrics_answer = True
    assert simulation.settle().phase == "Healthy"


def test_inconclusive_at_the_end_of_an_analysis_pauses_until_the_evidence_is_there() -> None:
    simulation = healthy(8)
    steps = [{"setWeight": 5}, {"analysis": {"duration": "2s"}}]
    simulation.raw_spec["strategy"]["canary"]["steps"] = steps
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.phase == "Paused")
    assert simulation.status.pause is not None
    assert simulation.status.pause.reason == "Inconclusive"
    assert "more requests" in simulation.status.message
    assert simulation.settle(3600).phase == "Healthy"


def test_a_first_deploy_without_replicas_is_stable_without_pods() -> None:
    simulation = Simulation(canary_spec(replicas=0), 10)
    new = simulation.release("app:1", Behaviour())
    assert simulation.settle().phase == "Healthy"
    assert simulation.services["app"] == new
    assert not simulation.replica_sets[new].wanted


@pytest.mark.parametrize("verb", ["pause", "spec"])
def test_a_held_release_keeps_its_weight_and_can_still_be_rolled_back(verb: str) -> None:
    simulation = healthy(9)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 5)
    if verb == "pause":
        simulation.command = Command(id="", verb="pause")
    else:
        simulation.raw_spec["paused"] = True
    assert simulation.settle(60).phase == "Paused"
    assert simulation.route == 5
    simulation.command = Command(id="x", verb="abort", by="me")
    simulation.reconcile()
    assert simulation.route == 0
    assert simulation.status.abort is not None
    assert "aborted by me" in simulation.status.abort.reason


def test_a_pod_that_is_replaced_late_in_a_long_pause_stops_nothing() -> None:
    simulation = healthy(11, progressDeadlineSeconds=60)
    steps = [{"setWeight": 50}, {"pause": {"duration": "10m"}}]
    simulation.raw_spec["strategy"]["canary"]["steps"] = steps
    new = simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.current_step_index == 1)
    end = simulation.now + timedelta(minutes=5)
    simulation.run_until(lambda it: it.now >= end)
    simulation.replica_sets[new].pods.pop()
    simulation.fill(simulation.replica_sets[new])
    assert simulation.settle().phase == "Healthy"
    assert simulation.services["app"] == new


@pytest.mark.parametrize("good", [True, False])
def test_an_autoscaler_makes_neither_revision_smaller_before_the_other_has_gone(
    good: bool,
) -> None:
    simulation = healthy(12, replicas=8)
    simulation.release("app:2", Behaviour(error_rate=0.0 if good else 0.05))
    simulation.run_until(lambda it: it.route == (50 if good else 5))
    simulation.raw_spec["replicas"] = 2
    status = simulation.settle()
    assert status.phase == ("Healthy" if good else "Degraded")
    stable = simulation.replica_sets[simulation.services["app"]]
    assert stable.wanted == 2


def test_what_somebody_keeps_changing_is_not_fought_over() -> None:
    simulation = healthy(13)
    before = simulation.writes
    for _ in range(300):
        simulation.services["app"] = "elsewhere"
        simulation.reconcile()
        simulation.tick(0.1)
    assert simulation.writes - before < 30


def test_a_release_that_nothing_was_measured_of_waits_for_a_person() -> None:
    simulation = healthy(14)
    simulation.blind = True
    simulation.release("app:2", Behaviour())
    assert simulation.settle().phase == "Paused"
    assert "nothing was measured for errors" in simulation.status.message
    simulation.command = Command(id="go", verb="promote")
    assert simulation.settle().phase == "Healthy"
