"""Without pods nothing is released unseen: it waits, and stable comes first when pods are asked for."""

from collections.abc import Callable

import pytest

from rollouts.core.observed import Command
from rollouts.model.status import Weights
from tests.simulation.simulator import Behaviour, Simulation
from tests.simulation.starts import blue_green, by_replicas, healthy
from tests.unit.core.worlds import (
    NEW,
    OLD,
    at,
    replica_set,
    settled,
    spec_of,
    told,
    under_way,
)

Start = Callable[..., Simulation]
WAYS = [healthy, by_replicas, blue_green]


def asleep(start: Start, seed: int, **changes: object) -> Simulation:
    """Return a simulation at 0 replicas with a new template, after everything that happens then."""
    simulation = start(seed, **changes)
    simulation.raw_spec["replicas"] = 0
    simulation.settle()
    simulation.release("app:2", Behaviour())
    simulation.settle(4000)
    return simulation


def pods(simulation: Simulation) -> list[int]:
    return [each.wanted for each in simulation.replica_sets.values()]


def stable_image(simulation: Simulation) -> list[str]:
    assert simulation.status.stable_revision is not None
    return simulation.status.stable_revision.images


@pytest.mark.parametrize("start", WAYS)
def test_a_release_at_0_pods_starts_none_and_promotes_nothing(start: Start) -> None:
    simulation = asleep(start, 1)
    assert simulation.status.phase == "Progressing", "for longer than any deadline"
    assert "spec.replicas is 0, and nothing is released unseen" in simulation.status.message
    assert stable_image(simulation) == ["app:1"]
    assert pods(simulation) in ([0], [0, 0])
    assert simulation.route is None
    waits = [each for each in simulation.status.history if each.reason == "WaitsForPods"]
    assert len(waits) == 1
    writes = simulation.writes
    simulation.settle()
    assert simulation.writes == writes


@pytest.mark.parametrize("start", WAYS)
def test_when_pods_are_asked_for_stable_has_its_own_before_the_canary_has_any(start: Start) -> None:
    simulation = asleep(start, 2)
    stable = next(iter(simulation.replica_sets))
    simulation.raw_spec["replicas"] = 3

    def canary_starts(it: Simulation) -> bool:
        others = [each.wanted for hash_, each in it.replica_sets.items() if hash_ != stable]
        return any(others)

    simulation.run_until(canary_starts)
    ready = [pod for pod in simulation.replica_sets[stable].pods if pod.ready(simulation.now)]
    assert len(ready) == 3
    assert simulation.status.stable_floor == 3
    assert simulation.settle().phase == "Healthy"
    assert stable_image(simulation) == ["app:2"]


def test_the_first_step_has_all_its_time_after_the_waiting() -> None:
    steps = [{"pause": {"duration": "60s"}}, {"setWeight": 50}]
    scene = under_way(0, spec_of(steps, replicas=0)).with_(stable_floor=0, weights=Weights())
    waits = scene.having(replica_set(OLD, 0)).without(NEW)
    awake = waits.after(waits.decide(), 3600).with_(spec=spec_of(steps, replicas=4))
    status = awake.having(replica_set(OLD, 4)).decide().status
    assert status.step_started_at == at(3600)
    assert "holds for 1m" in status.message


def test_it_may_fall_asleep_again_until_stable_is_up() -> None:
    simulation = asleep(by_replicas, 3)
    simulation.raw_spec["replicas"] = 3
    simulation.reconcile()
    simulation.raw_spec["replicas"] = 0
    simulation.settle()
    assert "spec.replicas is 0" in simulation.status.message
    assert stable_image(simulation) == ["app:1"]


@pytest.mark.parametrize("start", WAYS)
def test_scaled_to_0_in_the_middle_it_goes_on_with_the_pods_it_began_with(start: Start) -> None:
    simulation = start(4)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.status.weights.applied > 0)
    simulation.raw_spec["replicas"] = 0
    simulation.run_until(lambda it: stable_image(it) == ["app:2"])
    assert simulation.status.exposure.canary_requests > 0
    assert simulation.settle().phase == "Healthy"
    assert not any(pods(simulation))


def test_a_stable_revision_that_is_broken_is_not_waited_for() -> None:
    spec = spec_of(replicas=4)
    broken = replica_set(OLD, 4, 0, problem="ImagePullBackOff")
    scene = under_way(0, spec).having(broken).without(NEW)
    scene = scene.with_(stable_floor=0, weights=Weights())
    assert scene.decide().status.weights.desired == 25
    patient = scene.having(replica_set(OLD, 4, 0)).decide().status
    assert patient.weights.desired == 0
    assert "0 of 4 stable pods are available, which come first" in patient.message


@pytest.mark.parametrize("start", WAYS)
def test_promote_full_takes_it_upon_a_person(start: Start) -> None:
    simulation = asleep(start, 5)
    simulation.command = Command(id="x", verb="promote-full", by="ann")
    assert simulation.settle().phase == "Healthy"
    assert stable_image(simulation) == ["app:2"]
    assert not any(pods(simulation)), "the autoscaler wants none"
    answer = simulation.status.last_command
    assert answer is not None
    assert answer.accepted
    assert answer.message.startswith("promoted without pods")


def test_promote_is_refused_and_says_what_it_waits_for() -> None:
    simulation = asleep(healthy, 6)
    simulation.command = Command(id="x", verb="promote")
    simulation.settle()
    answer = simulation.status.last_command
    assert answer is not None
    assert not answer.accepted
    assert "spec.replicas is 0" in answer.message


@pytest.mark.parametrize("how", ["rollback", "template"])
@pytest.mark.parametrize("start", WAYS)
def test_what_was_stable_before_may_come_back_without_pods(start: Start, how: str) -> None:
    simulation = start(7, rollbackWindow={"revisions": 2})
    simulation.release("app:2", Behaviour())
    assert simulation.settle().phase == "Healthy"
    simulation.raw_spec["replicas"] = 0
    simulation.settle()
    if how == "template":
        simulation.release("app:1", Behaviour())
    else:
        simulation.command = Command(id="x", verb="rollback")
    simulation.settle()
    assert simulation.status.stable_revision is not None
    assert simulation.status.stable_revision.hash == next(iter(simulation.replica_sets))
    assert not any(pods(simulation))


def test_the_stable_template_again_ends_the_waiting() -> None:
    simulation = asleep(healthy, 8)
    simulation.release("app:1", Behaviour())
    assert simulation.settle().phase == "Healthy"
    assert stable_image(simulation) == ["app:1"]


def test_a_held_release_says_so_and_not_that_it_waits() -> None:
    simulation = asleep(healthy, 9)
    simulation.raw_spec["paused"] = True
    assert simulation.settle().phase == "Paused"


def test_a_new_template_is_told_and_then_why_it_waits() -> None:
    scene = settled(spec_of(replicas=0)).having(replica_set(OLD, 0))
    scene = scene.with_(template_hash=NEW)
    decision = scene.decide()
    assert told(decision) == ["RolloutStarted", "WaitsForPods"]
    assert told(scene.after(decision).decide()) == []
