"""
What was counted on the pages of the processes themselves, and which of two counts is the larger.

The counter rules are those of scrapes (`judge.counters`): a fall is a restart, and a new series of a
process that was read before counts from zero. Readings and scrapes are added up apart, each by
its own clock: where clocks differ, an older sample would look like a counter that began anew.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from datetime import datetime

from rollouts.analysis.counter_windows import CounterWindow, CounterWindows
from rollouts.analysis.sample_checks import countable_series
from rollouts.analysis.series import Labels, labels_of
from rollouts.errors import Unavailable
from rollouts.judge.counters import reset_times
from rollouts.model.counter_metric import Metric
from rollouts.ports import Series

MOST_FALLS = 3
"""So often counters may fall in a process that does not say when it started."""


class PageCounters:
    """One metric of one exposure, as its canary's processes show it."""

    def __init__(self, metric: Metric, exposed_at: datetime, restart_seconds: float) -> None:
        self.windows = CounterWindows(metric, exposed_at, (), restart_seconds)
        self.metric = metric
        self._started: dict[str, float] = {}
        """When each process that was read says that it started, in unix seconds; 0: it does not say."""
        self._falls: dict[str, int] = {}
        self._refused: dict[str, str] = {}

    def take_in(
        self, found: Iterable[Series], at: datetime, started: float, *, is_new: bool
    ) -> None:
        """
        Take in one page of one process.

        `started` is when the process says that it started, in unix seconds; 0: it does not say.
        `is_new`: series that are seen for the first time have counted nothing before the exposure, since the
        process started after it, or was read after it and did not have them.

        Raises:
            Unavailable: it can't be counted. A process that contradicts itself counts no more.
        """
        fitting, problem = countable_series(
            each for each in found if self.metric.is_asked(each.labels)
        )
        if problem:
            raise Unavailable(problem)
        counters, new = self.windows.total.counters, set[Labels]()
        for process, series in self._by_process(fitting).items():
            self._see_falls(process, series, started)
            if is_new or process in self._started:
                new |= {labels_of(each) for each in series} - counters.keys()
            self._started[process] = started
        self.windows.begin_anew(at)
        self.windows.add(fitting, new)

    def _by_process(self, found: Iterable[Series]) -> dict[str, list[Series]]:
        result: dict[str, list[Series]] = {}
        for each in found:
            result.setdefault(self.metric.process(each.labels), []).append(each)
        return result

    def _see_falls(self, process: str, series: Iterable[Series], started: float) -> None:
        """
        See that counters fall only where the process began anew.

        Raises:
            Unavailable: they do not.
        """
        counters = self.windows.total.counters
        before = self._started.get(process, 0.0)
        fell = any(reset_times(counters.get(labels_of(each)), each.samples) for each in series)
        if 0 < started < before:
            self._refused[process] = (
                f"{process} is answered by several processes in turn, each with counts of its own: have them counted"
                " together, as prometheus_client's multiprocess mode does"
            )
        if fell and not (started and before):
            self._falls[process] = self._falls.get(process, 0) + 1
        if (fell and before and started == before) or self._falls.get(process, 0) > MOST_FALLS:
            self._refused[process] = (
                f"{self.metric.series.name} of {process} falls, and the process did not begin anew: it is"
                " no counter; name one that is"
            )
        if process in self._refused:
            raise Unavailable(self._refused[process])

    def requests(self) -> Mapping[str, float]:
        """Return how many of the canary's requests each process has counted, but for those that count no more."""
        return _requests(self.windows.total, self.metric, self._refused)


def larger(scraped: CounterWindows, read: PageCounters) -> CounterWindows:
    """
    Return the windows with, of each process of the canary, the side that has counted more requests.

    Both are the same counters, which only grow, so that this is the later of the two, in all its
    series. It is chosen by how many requests there are, and never by how many failed. What a pass
    needs stays as it was scraped.
    """
    metric, before = read.metric, _requests(scraped.total, read.metric)
    taken = {name for name, count in read.requests().items() if count >= before.get(name, 0.0)}
    result = copy(scraped)
    result.total = _with(scraped.total, read.windows.total, metric, taken)
    result.restarts = {
        number: _with(
            scraped.restarts.get(number) or CounterWindow(window.since), window, metric, taken
        )
        for number, window in read.windows.restarts.items()
    }
    return result


def _with(
    scraped: CounterWindow, read: CounterWindow, metric: Metric, taken: set[str]
) -> CounterWindow:
    result = CounterWindow(scraped.since, {}, {**scraped.meanings, **read.meanings})
    for side, is_taken in ((scraped, False), (read, True)):
        for labels, counter in side.counters.items():
            is_canary = result.meanings[labels].canary
            if (is_canary and metric.process(dict(labels)) in taken) == is_taken:
                result.counters[labels] = counter
    return result


def _requests(
    window: CounterWindow, metric: Metric, without: Iterable[str] = ()
) -> dict[str, float]:
    """Return the canary's requests by process."""
    left_out, result = set(without), dict[str, float]()
    for labels, counter in window.counters.items():
        meaning = window.meanings[labels]
        if meaning.counts_requests and meaning.canary:
            process = metric.process(dict(labels))
            if process not in left_out:
                result[process] = result.get(process, 0.0) + counter.total
    return result
