"""
How far apart scrapes are, as the samples of one living series tell.

It is the median of what lies between them: a scrape that failed, a process that began again, or
the zero that Prometheus puts at a counter's creation (`created-timestamp-zero-ingestion`) is an
exception among them.
"""

from collections.abc import Iterable
from itertools import pairwise
from statistics import median_low

from rollouts.analysis.counter_metric import Labels, labels_of, newest
from rollouts.judge.counters import Sample
from rollouts.ports import Series

REMEMBERED = 12
"""So many samples tell it."""


class Spacing:
    """What one series after another has told, read by read."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """0 as long as nobody can know."""
        self._followed: Labels = ()
        self._times: list[float] = []

    def note(self, found: Iterable[Series]) -> None:
        """Take in what was read; parts may have been read before."""
        series = {labels_of(each): each for each in found if each.samples}
        last = newest(series.values())
        followed = series.get(self._followed)
        if followed is None or newest([followed]) + 2 * self.seconds < last:  # it is gone
            living = {
                labels: each
                for labels, each in series.items()
                if newest([each]) + 2 * self.seconds >= last
            }
            if not living:
                return
            self._followed = max(living, key=lambda each: (len(living[each].samples), each))
            self._times = []
            followed = living[self._followed]
        after = self._times[-1] if self._times else 0.0
        self._times += [at for at in _scrapes(followed.samples) if at > after]
        self._times = self._times[-REMEMBERED:]
        between = [later - before for before, later in pairwise(self._times)]
        self.seconds = median_low(between) if between else self.seconds


def _scrapes(samples: Iterable[Sample]) -> list[float]:
    """Return the times of samples, without zeros before a counter's first value: those are no scrapes."""
    ordered = sorted(samples)
    made_up = {at for (at, value), (_, then) in pairwise(ordered) if value == 0 and then > 0}
    return [at for at, _ in ordered if at not in made_up]
