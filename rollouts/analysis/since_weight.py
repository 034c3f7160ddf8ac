"""
What was counted since the weight that is applied now took effect.

A scrape shows what came before it. So counting begins, for each process that was there before,
with its first scrape after the weight was applied. A pod of the canary that had not been scraped
by then was made for this weight: what it has counted belongs to it, from its first answer on. The
samples alone tell it, so that a controller that starts anew counts the same.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from rollouts.analysis.counter_metric import Labels, Metric
from rollouts.analysis.counter_window import Tally
from rollouts.analysis.recent_window import Span, Window
from rollouts.judge.counters import Beginning
from rollouts.ports import Series


class AtWeight:
    """The counters since the first scrape after `applied_at`, as `total` knows them by then."""

    def __init__(
        self, metric: Metric, total: Tally, applied_at: datetime, windows: Iterable[Span]
    ) -> None:
        self.applied_at = applied_at
        self.tally = total.later(applied_at.timestamp())
        self.windows = {span: Window(span) for span in windows}
        self._metric = metric
        self._first: dict[str, float] = {}
        """When each process was scraped first since then."""
        self._before: set[str] = set()
        """Those that were scraped before, too."""
        for labels, counter in total.counters.items():
            self._meet(metric.process(dict(labels)), [counter.at])

    @property
    def since(self) -> float:
        """
        The first scrape that shows it of every process there was; infinity as long as there is none.

        A process that is new has counted nothing from before.
        """
        known = [at for process, at in self._first.items() if process in self._before]
        return max(known, default=min(self._first.values(), default=math.inf))

    def note_scrapes(self, scraped: Iterable[Series]) -> None:
        """Know when processes were scraped; before what was read with it is added."""
        for series in scraped:
            self._meet(self._metric.process(series.labels), (at for at, _ in series.samples))

    def add(self, labels: Labels, series: Series, beginning: Beginning) -> None:
        """Take in more samples of one series."""
        since = self._counts_from(self._metric.process(series.labels), labels)
        added = self.tally.add(labels, series, replace(beginning, since=since))
        for window in self.windows.values():
            window.add(self.tally.meanings[labels], added)

    def _counts_from(self, process: str, labels: Labels) -> float:
        """Return after which moment the samples of a process show nothing but this weight."""
        if self.tally.meanings[labels].young and process not in self._before:
            return self.tally.since
        return self._first.get(process, math.inf)

    def _meet(self, process: str, times: Iterable[float]) -> None:
        for at in times:
            if at > self.tally.since:
                self._first[process] = min(at, self._first.get(process, math.inf))
            else:
                self._before.add(process)
