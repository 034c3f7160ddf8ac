"""What becomes of releases: of one, of many of a kind, and of those before and now side by side."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Ending = Literal["promoted", "rolled back", "waits for a person", "under way"]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
LONG_SECONDS = 30.0
"""A release that was held so much longer than its pauses was held for long."""


@dataclass(frozen=True)
class Fate:
    """What became of one release; seconds count from its first weight on."""

    ending: Ending
    failed: int
    """How many users met a failure until then."""
    highest_percent: int
    """100 is the promotion."""
    held_seconds: float
    """How long the traffic was split: the pauses, and what came on top."""
    seconds_to_weight_0: float | None


@dataclass(frozen=True)
class Fates:
    """What became of the releases of one kind; shares are in percent."""

    kind: str
    releases: int
    endings_percent: Mapping[Ending, float]
    never_above_first_weight_percent: float
    held_long_percent: float
    failed_median: float
    failed_p90: float
    seconds_to_weight_0_median: float | None

    @property
    def sentence(self) -> str:
        """Say how they ended."""
        ended = ", ".join(
            f"{share:g} % {name}" for name, share in self.endings_percent.items() if share
        )
        return (
            f"{self.kind}: {ended} of {self.releases}; {self.failed_median:g} users met a failure"
        )


def together(kind: str, fates: Sequence[Fate], first_weight: int, pauses_seconds: float) -> Fates:
    """Return the fates of one kind as one."""
    endings = Counter(each.ending for each in fates)
    low = sum(each.highest_percent <= first_weight for each in fates)
    long = sum(each.held_seconds > pauses_seconds + LONG_SECONDS for each in fates)
    back = [each.seconds_to_weight_0 for each in fates if each.seconds_to_weight_0 is not None]
    count = len(fates)
    return Fates(
        kind=kind,
        releases=count,
        endings_percent={ending: _share(endings[ending], count) for ending in ENDINGS},
        never_above_first_weight_percent=_share(low, count),
        held_long_percent=_share(long, count),
        failed_median=statistics.median(each.failed for each in fates),
        failed_p90=sorted(each.failed for each in fates)[min(count - 1, 9 * count // 10)],
        seconds_to_weight_0_median=round(statistics.median(back), 1) if back else None,
    )


def table(sides: Mapping[str, Sequence[Fates]]) -> str:
    """
    Return a line for each kind as Markdown; of several sides, the cells have them all.

    Each side has the same kinds, in the same order.
    """
    names = ("releases", *(f"{each}, %" for each in ENDINGS))
    names += ("never above the first weight, %", f"held {LONG_SECONDS:g} s longer, %")
    names += ("users who met a failure, median", "90th percentile", "s to weight 0, median")
    heading = f"| {' / '.join(sides) or 'kind'} | {' | '.join(names)} |"
    lines = [heading, "|---|" + "--:|" * len(names)]
    for rows in zip(*sides.values(), strict=True):
        cells = (_beside(each) for each in zip(*map(_cells, rows), strict=True))
        lines.append(f"| {rows[0].kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(fates: Fates) -> list[str]:
    back = fates.seconds_to_weight_0_median
    numbers = (
        fates.releases,
        *(fates.endings_percent[each] for each in ENDINGS),
        fates.never_above_first_weight_percent,
        fates.held_long_percent,
        fates.failed_median,
        fates.failed_p90,
    )
    return [*(f"{each:g}" for each in numbers), "–" if back is None else f"{back:g}"]


def _beside(cells: Sequence[str]) -> str:
    """Return what all sides have once, and else each side's."""
    return cells[0] if len(set(cells)) == 1 else " / ".join(cells)


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)
