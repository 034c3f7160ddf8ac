"""
A bad week in the life of one Rollout: at least four releases, and whatever else may happen to it.

A week is its seed. It is made of moments, each of which has dice of its own: so a week that fails can
be told again without the moments that have no part in it.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from rollouts.core.world import under_way
from rollouts.model.status import RolloutStatus
from tests.simulation.cluster_faults import MEDDLING, PODS, SEEING, WRITING, end
from tests.simulation.random_events import USUAL_EVENTS, RandomEvent, happen, release
from tests.simulation.settled_invariants import is_over, not_cleaned_up
from tests.simulation.setups import SETUPS
from tests.simulation.spec_edits import EDITING
from tests.simulation.story import Story
from tests.unit.controller.edits import put_beside

RELEASES = 4
LENGTH = (20, 100)
"""In moments, of a few seconds each."""
GROUPS = [PODS, SEEING, WRITING, MEDDLING, EDITING]
END_SECONDS, SETTLE_SECONDS = 4000, 60
LONGEST_STEPS_SECONDS = 5 * 3600
"""More than what the steps of a release may take by an edit: analyses of one hour and of two, and a pause of one between."""


@dataclass(frozen=True)
class Week:
    """One week; with `kept` only those of its moments happen."""

    seed: int
    setup: str
    kept: Collection[int] | None = None
    longest: int = LENGTH[1]

    @classmethod
    def of(cls, seed: int, kept: Collection[int] | None = None) -> "Week":
        """Return the week that a seed alone makes: setups take turns."""
        names = list(SETUPS)
        return cls(seed, names[seed % len(names)], kept)

    @cached_property
    def moments(self) -> range:
        """All its moments, whether they are kept or not."""
        return range(self._dice("length").randint(LENGTH[0], self.longest))

    @cached_property
    def releases(self) -> set[int]:
        """The moments with a release whatever the dice say."""
        return set(self._dice("releases").sample(self.moments, k=RELEASES))

    @cached_property
    def faults(self) -> list[RandomEvent]:
        """What may go wrong in this week."""
        dice = self._dice("faults")
        groups = dice.sample(GROUPS, k=dice.choice([0, 1, 1, 2, 3]))
        return [each for group in groups for each in group]

    def begin(self) -> Story:
        """Return the story, of which nothing has happened yet."""
        return Story(SETUPS[self.setup], self.seed, progressDeadlineSeconds=60)

    def live(self, story: Story) -> None:
        """
        Let a first version become stable, the week go by, and then peace: it must come to an end.

        Raises:
            AssertionError: something happened that must never happen.
        """
        assert story.settle().phase == "Healthy", "the first version is not stable"
        if any(each in self.faults for each in EDITING):
            put_beside(story.present)
        story.say(f"faults: {[each.name for each in self.faults]}")
        for number in self.moments:
            if self.kept is None or number in self.kept:
                self._live(story, number)
        story.moment = None
        end(story)
        _settles(story)

    def _live(self, story: Story, number: int) -> None:
        dice = self._dice(number)
        story.moment = number
        if number in self.releases:
            release(story, dice)
        else:
            happen(story, dice, USUAL_EVENTS)
        happen(story, dice, self.faults)
        story.die_after = dice.choice([None, None, None, 0, 1, 2, 3])
        story.round(dice.choice([1, 1, 2, 30]))
        story.tick(dice.choice([0.1, 0.5, 1.0, 5.0]))

    def _dice(self, what: object) -> random.Random:
        return random.Random(f"{self.setup} {self.seed} {what}")


def _settles(story: Story) -> None:
    status = story.settle(END_SECONDS)
    if status.phase == "Progressing":  # by the clock of a step, or it never ends
        status = story.settle(LONGEST_STEPS_SECONDS)
    assert status.phase in ("Healthy", "Paused", "Degraded"), f"it ends {status.phase}"
    before = story.writes
    story.settle(SETTLE_SECONDS)
    if not _is_measured(status):
        assert story.writes == before, "a settled Rollout writes"
    unkept = story.invariants.ended.missing()
    assert not unkept, f"not on record: {', '.join(unkept)}"
    if is_over(status):
        left = not_cleaned_up(story)
        assert not left, f"left behind: {', '.join(left)}"


def _is_measured(status: RolloutStatus) -> bool:
    """
    Return whether a canary that is held has traffic: its sample goes on growing, and status keeps it now and then.

    It is held by a pause, or by a spec that is not valid, which is Degraded.
    """
    invalid = any(
        each.type == "InvalidSpec" and each.status == "True" for each in status.conditions
    )
    held = invalid and under_way(status) is not None and status.weights.applied > 0
    return status.phase == "Paused" or held
