"""Whatever happens, on every setup: hundreds of seeded stories in virtual time."""

import random

import pytest

from tests.simulation.cluster_faults import MEDDLING, PODS, SEEING, WRITING, end
from tests.simulation.kubelets import Behaviour
from tests.simulation.leftovers import is_over, left_behind
from tests.simulation.random_events import USUAL_EVENTS, happen
from tests.simulation.setups import SETUPS
from tests.simulation.spec_edits import EDITING
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story, told
from tests.unit.controller.edits import put_beside

SEEDS = {setup: range(60) for setup in SETUPS}
BY_DAY = 6
GROUPS = [PODS, SEEING, WRITING, MEDDLING, EDITING]


def live(story: Story, chance: random.Random, ticks: int) -> None:
    """Let people and a cluster do what they do, and controllers die, for so many ticks."""
    groups = chance.sample(GROUPS, k=chance.choice([0, 1, 1, 2, 3]))
    faults = [each for group in groups for each in group]
    if EDITING in groups:
        put_beside(story.present)
    story.say(f"faults: {[each.name for each in faults]}")
    for _ in range(ticks):
        happen(story, chance, USUAL_EVENTS)
        happen(story, chance, faults)
        story.die_after = chance.choice([None, None, None, 0, 1, 2, 3])
        story.round(chance.choice([1, 1, 2, 30]))
        story.tick(chance.choice([0.1, 0.5, 1.0, 5.0]))


@pytest.mark.parametrize(
    ("setup", "seed"),
    [
        pytest.param(setup, seed, marks=[] if seed < BY_DAY else [pytest.mark.nightly])
        for setup, seeds in SEEDS.items()
        for seed in seeds
    ],
)
def test_whatever_happens_the_invariants_hold_and_it_ends(setup: str, seed: int) -> None:
    """Faults, releases, commands and deaths at random; then peace: it must come to an end."""
    chance = random.Random(f"{setup} {seed}")
    story = deployed(setup, seed, progressDeadlineSeconds=60)
    with told(f"{setup} {seed}", story):
        live(story, chance, chance.randint(20, 200))
        end(story)
        status = story.settle(4000)
        assert status.phase in ("Healthy", "Paused", "Degraded")
        before = story.writes
        story.settle(60)
        if status.phase != "Paused":  # with traffic, a held canary's sample goes on growing
            assert story.writes == before, "a settled Rollout writes"
        if is_over(status):
            assert left_behind(story) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("setup", SETUPS)
def test_good_releases_that_overtake_each_other_are_never_rolled_back(
    setup: str, seed: int
) -> None:
    """Whenever the next one comes, and whenever the controller dies: only the last is promoted."""
    chance = random.Random(f"{setup} {seed}")
    story = deployed(setup, seed)
    lost = story.users.lost
    with told(f"{setup} {seed}", story):
        for number in range(chance.randint(2, 6)):
            behaviour = Behaviour(ready_after=chance.choice([0.2, 2.0, 6.0]))
            last = f"shop:{number + 2}"
            story.release(last, behaviour)
            story.say(f"release {last}")
            for _ in range(chance.randint(1, 40)):
                story.die_after = chance.choice([None, None, 0, 1, 2])
                story.round(chance.choice([1, 1, 2, 30]))
                assert story.status.abort is None, story.status.abort
                story.tick(chance.choice([0.1, 0.3, 1.0]))
        story.die_after = None
        assert story.settle().phase == "Healthy"
        assert story.status.stable_revision is not None
        assert story.status.stable_revision.images == [last]
        assert story.users.lost == lost
