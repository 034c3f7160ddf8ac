"""
Restarts in virtual time, by controllers that see late and die often.

Pods, the ReplicaSet's status and the Service's endpoints are seen with delays of their own.
Whatever is seen, what is there must never be less than the strategy's maxUnavailable leaves.
"""

import random

import pytest

from rollouts.core.world import restart_pace
from rollouts.model.kinds import ENDPOINT_SLICE, POD, REPLICA_SET
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.ports import Evict, Write
from tests.simulation.kubelets import Behaviour, is_ready
from tests.simulation.setups import SETUPS
from tests.simulation.story import Story

WATCHES = (POD, REPLICA_SET, ENDPOINT_SLICE)


def started(seed: int, size: int, dice: random.Random) -> Story:
    """Return a story of so many pods, which checks at every eviction how many are left."""
    most = dice.choice([0, 1, "25%", "50%"])
    story = Story(SETUPS["router"], seed, replicas=size, strategy={"maxUnavailable": most})
    keep = restart_pace(parse_rollout(story.rollout), RolloutStatus()).keep
    after = story.caches.after

    def checked(write: Write) -> None:
        after(write)
        if isinstance(write, Evict):
            left = sum(is_ready(pod) for pod in story.kubelets.pods())
            assert left >= keep, f"{left} of {keep} pods are left without {write.ref.name}"

    story.caches.after = checked
    story.kubelets.behaviours["shop:1"] = Behaviour(ready_after=1.5)
    assert story.settle().phase == "Healthy"
    return story


def restart(story: Story, dice: random.Random) -> None:
    """Restart while caches are late and controllers die; return when it is over."""
    story.command("restart", "once")
    for _ in range(2000):
        late = [kind for kind in WATCHES if dice.random() < 0.5]
        story.caches.fall_behind(late)
        story.die_after = dice.choice([None, None, None, 0, 1])
        story.round(1)
        story.tick(0.25)
        if story.status.last_command and story.status.restart is None and not late:
            return
    raise AssertionError(f"it never ends: {story.status.message}")


@pytest.mark.parametrize("seed", range(20))
def test_never_too_many_are_missing_and_it_ends(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.choice([1, 1, 2, 3, 4, 5, 8, 12])
    story = started(seed, size, dice)
    before = {pod["metadata"]["name"] for pod in story.kubelets.pods()}
    restart(story, dice)
    story.die_after = None
    story.caches.fall_behind([])
    story.settle()
    after = {pod["metadata"]["name"] for pod in story.kubelets.pods()}
    assert not before & after
    assert len(after) == size
    assert story.kubelets.made <= 2 * size + 1, "no pod was replaced twice"
