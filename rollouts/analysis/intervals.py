"""Both arms' counts by short intervals, so that their shares may differ from one to the next."""

import math

from rollouts.analysis.counter_metric import Meaning
from rollouts.judge.counters import Sample
from rollouts.model.evidence import Counts, Interval

PER_RESTART = 20
"""So many intervals lie between two moments at which counting begins anew."""


class Intervals:
    """What was counted in each interval since the exposure; `seconds` is the length of one."""

    def __init__(self, begin: float, seconds: float) -> None:
        self._begin = begin
        self._seconds = seconds
        self._sums: dict[int, dict[bool, list[float]]] = {}

    def add(self, meaning: Meaning, added: list[Sample]) -> None:
        """Take in what one series added, and when."""
        if meaning.bound is not None:
            return
        for at, count in added:
            number = int((at - self._begin) // self._seconds)
            sums = self._sums.setdefault(number, {True: [0.0, 0.0], False: [0.0, 0.0]})
            sums[meaning.canary][0] += count
            sums[meaning.canary][1] += count if meaning.failed else 0.0

    def failing(self, since: float = -math.inf) -> tuple[Interval, ...]:
        """
        Return those in which anything failed, in their order.

        They are from after the present weight took effect if they begin after `since`, the first
        scrape that shows it, in unix seconds.
        """
        return tuple(
            Interval(
                number // PER_RESTART,
                _counts(sums[True]),
                _counts(sums[False]),
                at_weight=self._begin + number * self._seconds > since,
            )
            for number, sums in sorted(self._sums.items())
            if sums[True][1] or sums[False][1]
        )


def _counts(sums: list[float]) -> Counts:
    return Counts(round(sums[0]), round(sums[1]))
