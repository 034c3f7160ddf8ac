"""What was counted of the canary in the last while, by the times of the samples that show it."""

import math
from collections.abc import Iterable

from rollouts.controller.counted import Meaning
from rollouts.judge.counters import Sample
from rollouts.model.evidence import Counts

CELLS = 60
"""Into so many parts a window is divided, so that a long one needs no more memory than a short one."""


class Window:
    """Additions of the last `seconds`, to one part in sixty."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._width = seconds / CELLS
        self._cells: dict[int, dict[tuple[bool, float | None], float]] = {}

    def add(self, meaning: Meaning, added: Iterable[Sample]) -> None:
        """Take in what one series added, and when."""
        if not meaning.canary:
            return
        kind = (meaning.failed, meaning.bound)
        for at, count in added:
            cell = self._cells.setdefault(self._cell(at), {})
            cell[kind] = cell.get(kind, 0.0) + count

    def forget(self, until: float) -> None:
        """Forget what was seen up to then, in unix seconds."""
        last = self._cell(until)
        self._cells = {number: cell for number, cell in self._cells.items() if number > last}

    def counts(self, after: float) -> Counts:
        """Return the canary's requests that were seen after that, and those that failed."""
        kinds = [
            (failed, count)
            for (failed, bound), count in self._after(after)
            if bound in (None, math.inf)
        ]
        requests = sum(count for _, count in kinds)
        return Counts(round(requests), round(sum(count for failed, count in kinds if failed)))

    def buckets(self, after: float) -> dict[float, float]:
        """Return the canary's cumulative counts by upper bound, in seconds."""
        sums: dict[float, float] = {}
        for (_, bound), count in self._after(after):
            if bound is not None:
                sums[bound] = sums.get(bound, 0.0) + count
        return sums

    def _after(self, after: float) -> Iterable[tuple[tuple[bool, float | None], float]]:
        last = self._cell(after)
        return (
            found for number, cell in self._cells.items() if number > last for found in cell.items()
        )

    def _cell(self, at: float) -> int:
        return math.floor(at / self._width)
