"""Whatever happens, on every setup: hundreds of seeded stories in virtual time."""

import random

import pytest

from tests.fakes.observations import ComparedObservations
from tests.simulation.kubelets import Behaviour
from tests.simulation.setups import SETUPS
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story, told
from tests.simulation.week import Week

SEEDS = range(60)
BY_DAY = 6
LONGEST_BY_NIGHT = 200


@pytest.mark.parametrize(
    ("setup", "seed"),
    [
        pytest.param(setup, seed, marks=[] if seed < BY_DAY else [pytest.mark.nightly])
        for setup in SETUPS
        for seed in SEEDS
    ],
)
def test_whatever_happens_the_invariants_hold_and_it_ends(setup: str, seed: int) -> None:
    """Faults, releases, commands and deaths at random; then peace: it must come to an end."""
    week = Week(seed, setup) if seed < BY_DAY else Week(seed, setup, longest=LONGEST_BY_NIGHT)
    story = week.begin()
    with told(f"{setup} {seed}", story):
        week.live(story)


@pytest.mark.parametrize("setup", SETUPS)
def test_what_was_observed_is_what_the_cluster_says(
    setup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is remembered is older than the caches, whatever happens."""
    monkeypatch.setattr(Story, "observations", ComparedObservations)
    week = Week(BY_DAY, setup)
    story = week.begin()
    with told(f"{setup} {BY_DAY}", story):
        week.live(story)
    observations = story.reconciler.observations
    assert isinstance(observations, ComparedObservations)
    assert observations.compared


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
