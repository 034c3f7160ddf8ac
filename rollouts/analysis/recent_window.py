"""
What was counted of the canary in the last while, by the times of the samples that show it.

Where too few requests came in that time to say anything, it goes back for as many as are needed:
little traffic is judged late, and not never.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rollouts.analysis.counter_metric import Meaning
from rollouts.judge.counters import Sample
from rollouts.model.evidence import Counts

_Addition = tuple[tuple[bool, float | None], float]
"""Of failed ones or others, in which bucket; and how many."""
CELLS = 60
"""Into so many parts a window is divided, so that a long one needs no more memory than a short one."""


@dataclass(frozen=True, slots=True)
class Span:
    """The last `seconds`, or the last `requests` of the canary if these took longer."""

    seconds: float
    requests: int = 0


class Window:
    """Additions of the last while, to one part in sixty of its seconds."""

    def __init__(self, span: Span) -> None:
        self._requests = span.requests
        self._width = span.seconds / CELLS
        self._cells: dict[int, dict[tuple[bool, float | None], float]] = {}

    def add(self, meaning: Meaning, added: Iterable[Sample]) -> None:
        """Take in what one series added, and when."""
        if not meaning.canary:
            return
        kind = (meaning.failed, meaning.bound)
        for at, count in added:
            cell = self._cells.setdefault(self._cell(at), {})
            cell[kind] = cell.get(kind, 0.0) + count

    def begin(self, after: float) -> float:
        """
        Return `after`, in unix seconds, or the earlier moment after which enough requests were seen.

        Minus infinity if there were not so many at all.
        """
        missing = self._requests - self.counts(after).requests
        if missing <= 0:
            return after
        for number in sorted(self._cells, reverse=True):
            if number > self._cell(after):
                continue
            missing -= round(sum(count for _, count in _requests(self._cells[number].items())))
            if missing <= 0:
                return (number - 0.5) * self._width
        return -math.inf

    def forget(self, until: float) -> None:
        """Forget what was seen up to then, in unix seconds, and is not needed to have enough requests."""
        begin = self.begin(until)
        if math.isinf(begin):
            return
        last = self._cell(begin)
        self._cells = {number: cell for number, cell in self._cells.items() if number > last}

    def counts(self, after: float) -> Counts:
        """Return the canary's requests that were seen after that, and those that failed."""
        kinds = _requests(self._after(after))
        requests = sum(count for _, count in kinds)
        return Counts(round(requests), round(sum(count for failed, count in kinds if failed)))

    def buckets(self, after: float) -> dict[float, float]:
        """Return the canary's cumulative counts by upper bound, in seconds."""
        sums: dict[float, float] = {}
        for (_, bound), count in self._after(after):
            if bound is not None:
                sums[bound] = sums.get(bound, 0.0) + count
        return sums

    def _after(self, after: float) -> Iterable[_Addition]:
        last = self._cell(after)
        return (
            found for number, cell in self._cells.items() if number > last for found in cell.items()
        )

    def _cell(self, at: float) -> int:
        return math.floor(at / self._width)


def _requests(found: Iterable[_Addition]) -> list[tuple[bool, float]]:
    """Return how many requests there were, each once, and whether they failed."""
    return [(failed, count) for (failed, bound), count in found if bound in (None, math.inf)]
