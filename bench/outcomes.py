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
class ReleaseOutcome:
    """What became of one release; seconds count from its first weight on."""

    ending: Ending
    failed: int
    """How many users met a failure until then."""
    highest_percent: int
    held_seconds: float
    """How long the traffic was split: the pauses, and what came on top."""
    seconds_to_weight_0: float | None


class WeightTrace:
    """
    The weights of one release, as they are seen, in seconds of any clock.

    It begins with the first weight above 0. The traffic is split until the weight is 100,
    which is the promotion, or 0.
    """

    def __init__(self) -> None:
        self.highest_percent = 0
        self._begun_at: float | None = None
        self._split_until: float | None = None

    def note(self, weight_percent: int, at: float) -> None:
        if self._begun_at is None and weight_percent:
            self._begun_at = at
        if self._begun_at is not None and self._split_until is None and weight_percent in (0, 100):
            self._split_until = at
        self.highest_percent = max(self.highest_percent, weight_percent)

    @property
    def has_begun(self) -> bool:
        return self._begun_at is not None

    @property
    def is_split(self) -> bool:
        return self.has_begun and self._split_until is None

    def outcome(self, ending: Ending, failed: int, now: float) -> ReleaseOutcome:
        """Return what became of it; `now` is when its ending came, such as the weight 0 of a rollback."""
        begun_at = self._begun_at
        assert begun_at is not None, "no weight was ever seen"
        until = now if self._split_until is None else self._split_until
        held, back = round(until - begun_at, 1), round(now - begun_at, 1)
        zero = back if ending == "rolled back" else None
        return ReleaseOutcome(ending, failed, self.highest_percent, held, zero)


@dataclass(frozen=True)
class OutcomeSummary:
    """What became of the releases of one kind; shares are in percent."""

    kind: str
    releases: int
    endings_percent: Mapping[Ending, float]
    never_above_first_weight_percent: float
    held_long_percent: float
    failed_median: float
    failed_p90: float
    seconds_to_weight_0_median: float | None
    seconds_to_weight_0_p95: float | None

    @property
    def sentence(self) -> str:
        """Return, in words, how they ended."""
        ended = ", ".join(
            f"{share:g} % {name}" for name, share in self.endings_percent.items() if share
        )
        return (
            f"{self.kind}: {ended} of {self.releases}; {self.failed_median:g} users met a failure"
        )


def summarize(
    kind: str, outcomes: Sequence[ReleaseOutcome], first_weight: int, pauses_seconds: float
) -> OutcomeSummary:
    """Return the outcomes of one kind as one."""
    endings = Counter(each.ending for each in outcomes)
    low = sum(each.highest_percent <= first_weight for each in outcomes)
    long = sum(each.held_seconds > pauses_seconds + LONG_SECONDS for each in outcomes)
    back = [each.seconds_to_weight_0 for each in outcomes if each.seconds_to_weight_0 is not None]
    count = len(outcomes)
    return OutcomeSummary(
        kind=kind,
        releases=count,
        endings_percent={ending: _share(endings[ending], count) for ending in ENDINGS},
        never_above_first_weight_percent=_share(low, count),
        held_long_percent=_share(long, count),
        failed_median=statistics.median(each.failed for each in outcomes),
        failed_p90=sorted(each.failed for each in outcomes)[min(count - 1, 9 * count // 10)],
        seconds_to_weight_0_median=round(statistics.median(back), 1) if back else None,
        seconds_to_weight_0_p95=round(_p95(back), 1) if back else None,
    )


def table(sides: Mapping[str, Sequence[OutcomeSummary]]) -> str:
    """
    Return a line for each kind as Markdown; of several sides, the cells have them all.

    Each side has the same kinds, in the same order.
    """
    names = ("releases", *(f"{each}, %" for each in ENDINGS))
    names += ("never above the first weight, %", f"held {LONG_SECONDS:g} s longer, %")
    names += (
        "users who met a failure, median",
        "90th percentile",
        "s to weight 0, median",
        "95th percentile",
    )
    heading = f"| {' / '.join(sides) or 'kind'} | {' | '.join(names)} |"
    lines = [heading, "|---|" + "--:|" * len(names)]
    for rows in zip(*sides.values(), strict=True):
        cells = (_beside(each) for each in zip(*map(_cells, rows), strict=True))
        lines.append(f"| {rows[0].kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(outcomes: OutcomeSummary) -> list[str]:
    back = outcomes.seconds_to_weight_0_median, outcomes.seconds_to_weight_0_p95
    numbers = (
        outcomes.releases,
        *(outcomes.endings_percent[each] for each in ENDINGS),
        outcomes.never_above_first_weight_percent,
        outcomes.held_long_percent,
        outcomes.failed_median,
        outcomes.failed_p90,
    )
    return [
        *(f"{each:g}" for each in numbers),
        *("–" if each is None else f"{each:g}" for each in back),
    ]


def _beside(cells: Sequence[str]) -> str:
    """Return what all sides have once, and else each side's."""
    return cells[0] if len(set(cells)) == 1 else " / ".join(cells)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, 95 * len(values) // 100)]


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)
