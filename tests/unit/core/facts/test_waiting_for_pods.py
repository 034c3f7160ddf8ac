"""Without pods nothing is released unseen: it waits, and stable comes first when pods are asked for."""

from collections.abc import Callable

import pytest

from rollouts.model.kinds import REPLICA_SET
from rollouts.model.status import Weights
from tests.simulation.kubelets import Behaviour, is_ready
from tests.simulation.starting_points import blue_green, by_replicas, healthy
from tests.simulation.story import Story
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

Start = Callable[..., Story]
WAYS = [healthy, by_replicas, blue_green]


def asleep(start: Start, seed: int, **changes: object) -> Story:
    """Return a story at 0 replicas with a new template, after everything that happens then."""
    story = start(seed, **changes)
    story.edit({"spec": {"replicas": 0}})
    story.settle()
    story.release("shop:2", Behaviour())
    story.settle(4000)
    return story


def pods(story: Story) -> list[int]:
    found = story.present.select(REPLICA_SET, "shop")
    return [each["spec"]["replicas"] for each in found]


def stable_image(story: Story) -> list[str]:
    assert story.status.stable_revision is not None
    return story.status.stable_revision.images


@pytest.mark.parametrize("start", WAYS)
def test_a_release_at_0_pods_starts_none_and_promotes_nothing(start: Start) -> None:
    story = asleep(start, 1)
    assert story.status.phase == "Progressing", "for longer than any deadline"
    assert "spec.replicas is 0, and a release without pods can't be judged" in story.status.message
    assert stable_image(story) == ["shop:1"]
    assert pods(story) in ([0], [0, 0])
    assert story.route is None
    waits = [each for each in story.status.history if each.reason == "WaitsForPods"]
    assert len(waits) == 1
    writes = story.writes
    story.settle()
    assert story.writes == writes


@pytest.mark.parametrize("start", WAYS)
def test_when_pods_are_asked_for_stable_has_its_own_before_the_canary_has_any(start: Start) -> None:
    story = asleep(start, 2)
    stable = story.hash_of("shop:1")
    story.edit({"spec": {"replicas": 3}})

    def canary_starts(it: Story) -> bool:
        return any(hash_ != stable for hash_ in it.sizes())

    story.run_until(canary_starts)
    ready = [pod for pod in story.kubelets.pods(stable) if is_ready(pod)]
    assert len(ready) == 3
    assert story.status.stable_floor == 3
    assert story.settle().phase == "Healthy"
    assert stable_image(story) == ["shop:2"]


def test_the_first_step_has_all_its_time_after_the_waiting() -> None:
    steps = [{"pause": {"duration": "60s"}}, {"setWeight": 50}]
    scene = under_way(0, spec_of(steps, replicas=0)).with_(stable_floor=0, weights=Weights())
    waits = scene.evolve(replica_set(OLD, 0)).without(NEW)
    awake = waits.after(waits.decide(), 3600).with_(spec=spec_of(steps, replicas=4))
    status = awake.evolve(replica_set(OLD, 4)).decide().status
    assert status.step_started_at == at(3600)
    assert "pauses for 1m" in status.message


def test_it_may_fall_asleep_again_until_stable_is_up() -> None:
    story = asleep(by_replicas, 3)
    story.edit({"spec": {"replicas": 3}})
    story.reconcile()
    story.edit({"spec": {"replicas": 0}})
    story.settle()
    assert "spec.replicas is 0" in story.status.message
    assert stable_image(story) == ["shop:1"]


@pytest.mark.parametrize("start", WAYS)
def test_scaled_to_0_in_the_middle_it_goes_on_with_the_pods_it_began_with(start: Start) -> None:
    story = start(4)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.weights.applied > 0)
    story.edit({"spec": {"replicas": 0}})
    story.run_until(lambda it: stable_image(it) == ["shop:2"])
    assert story.status.exposure.canary_requests > 0
    assert story.settle().phase == "Healthy"
    assert not any(pods(story))


def test_a_stable_revision_that_is_broken_is_not_waited_for() -> None:
    spec = spec_of(replicas=4)
    broken = replica_set(OLD, 4, 0, problem="ImagePullBackOff")
    scene = under_way(0, spec).evolve(broken).without(NEW)
    scene = scene.with_(stable_floor=0, weights=Weights())
    assert scene.decide().status.weights.desired == 25
    patient = scene.evolve(replica_set(OLD, 4, 0)).decide().status
    assert patient.weights.desired == 0
    assert "0 of 4 stable pods are available, which come first" in patient.message


@pytest.mark.parametrize("start", WAYS)
def test_promote_full_takes_it_upon_a_person(start: Start) -> None:
    story = asleep(start, 5)
    story.command("promote-full", "x", by="ann")
    assert story.settle().phase == "Healthy"
    assert stable_image(story) == ["shop:2"]
    assert not any(pods(story)), "the autoscaler wants none"
    answer = story.status.last_command
    assert answer is not None
    assert answer.accepted
    assert answer.message.startswith("the revision is promoted without pods")


def test_promote_is_refused_and_says_what_it_waits_for() -> None:
    story = asleep(healthy, 6)
    story.command("promote", "x")
    story.settle()
    answer = story.status.last_command
    assert answer is not None
    assert not answer.accepted
    assert "spec.replicas is 0" in answer.message


@pytest.mark.parametrize("how", ["rollback", "template"])
@pytest.mark.parametrize("start", WAYS)
def test_what_was_stable_before_may_come_back_without_pods(start: Start, how: str) -> None:
    story = start(7, rollbackWindow={"revisions": 2})
    story.release("shop:2", Behaviour())
    assert story.settle().phase == "Healthy"
    story.edit({"spec": {"replicas": 0}})
    story.settle()
    if how == "template":
        story.release("shop:1", Behaviour())
    else:
        story.command("rollback", "x")
    story.settle()
    assert story.status.stable_revision is not None
    assert story.status.stable_revision.hash == story.hash_of("shop:1")
    assert not any(pods(story))


def test_the_stable_template_again_ends_the_waiting() -> None:
    story = asleep(healthy, 8)
    story.release("shop:1", Behaviour())
    assert story.settle().phase == "Healthy"
    assert stable_image(story) == ["shop:1"]


def test_a_held_release_says_so_and_not_that_it_waits() -> None:
    story = asleep(healthy, 9)
    story.edit({"spec": {"paused": True}})
    assert story.settle().phase == "Paused"


def test_a_new_template_is_told_and_then_why_it_waits() -> None:
    scene = settled(spec_of(replicas=0)).evolve(replica_set(OLD, 0))
    scene = scene.with_(template_hash=NEW)
    decision = scene.decide()
    assert told(decision) == ["RolloutStarted", "WaitsForPods"]
    assert told(scene.after(decision).decide()) == []
