"""A week that failed: what it was that must never happen, and how to see it again."""

import re
import time
import traceback
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.simulation.shrinking import shrunk
from tests.simulation.week import Week

LAST_LINES = 60


@dataclass(frozen=True)
class Failure:
    """Which week failed, by which invariant, and its timeline."""

    seed: int
    setup: str
    invariant: str
    """The function that found it, as `invariants.Invariants._nobody_is_lost`, or what was raised."""
    message: str
    kept: tuple[int, ...] | None
    """The moments that are needed for it; None for all."""
    timeline: tuple[str, ...]

    @property
    def again(self) -> str:
        """The command that tells it again."""
        moments = "" if self.kept is None else f" ARGS='--moments {written(self.kept)}'"
        return f"make sim SEED={self.seed}{moments}"


@dataclass(frozen=True)
class WeekOutcome:
    """What became of a week."""

    seed: int
    setup: str
    releases: int
    reconciles: int
    writes: int
    failure: Failure | None
    cpu_seconds: float = field(default=0.0, compare=False)


def lived(week: Week) -> WeekOutcome:
    """Live a week through; whatever goes wrong is in its outcome."""
    began = time.process_time()
    story, failure = week.begin(), None
    try:
        week.live(story)
    except Exception as error:  # noqa: BLE001 - a crash of the controller is a failure like any other
        failure = Failure(
            week.seed,
            week.setup,
            _finder(error),
            str(error).partition("\n")[0][:400],
            None if week.kept is None else tuple(week.kept),
            tuple(story.log[-LAST_LINES:]),
        )
    counts = (story.releases, story.reconciles, story.writes)
    return WeekOutcome(week.seed, week.setup, *counts, failure, time.process_time() - began)


def lived_by(seed: int) -> WeekOutcome:
    """Live through the week that a seed makes."""
    return lived(Week.of(seed))


def simplified(failure: Failure) -> Failure:
    """Return the failure with as few moments as it needs."""
    week = Week.of(failure.seed)

    def fails(kept: Collection[int]) -> bool:
        found = lived(Week.of(failure.seed, frozenset(kept))).failure
        return found is not None and _kind(found) == _kind(failure)

    kept = shrunk(week.moments, fails)
    return lived(Week.of(failure.seed, tuple(kept))).failure or failure


def _kind(failure: Failure) -> tuple[str, str]:
    """Return what makes two failures the same, whichever numbers and revisions they are about."""
    return failure.invariant, re.sub(r"\w*\d\w*", "", failure.message)


def _finder(error: Exception) -> str:
    """Return where it was found: the innermost function of the invariants, or else of the product."""
    frames = traceback.extract_tb(error.__traceback__)
    for folder in ("tests/simulation/", "rollouts/"):
        for frame in reversed(frames):
            _, found, rest = frame.filename.partition(folder)
            if found:
                place = rest.removesuffix(".py").replace("/", ".")
                kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__} in "
                return f"{kind}{place}.{frame.name}"
    return type(error).__name__


def written(numbers: Collection[int]) -> str:
    """Return numbers as people write them: `3-5,9`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def numbers(text: str) -> frozenset[int]:
    """
    Read numbers as people write them: `3-5,9`.

    Raises:
        ValueError: that is no such list.
    """
    found = set[int]()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(found)
