"""
About how many of a canary's requests nobody saw.

Counters lose nothing while nobody scrapes them, as long as they go on. What is lost:

- what a counter had when it was met, where nobody can say since when (see `counter_baseline`);
- what came in a gap of the scrapes, of all or of one process, where a counter began anew in it, or
  its process ended.

Of the first no more is lost than what was there, of both about as much as the process gets in
such a time. It is an estimate, to wait for as much evidence as was missed; nothing is counted by it.
What is seen after a gap makes up for it, and nothing that was seen before: that is other evidence.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollouts.analysis.series import Labels, labels_of, newest
from rollouts.judge.counters import Counter, Sample, reset_times
from rollouts.model.counter_metric import Metric, SeriesMeaning
from rollouts.ports import Series

GAP_INTERVALS = 2.5
"""So many scrape intervals without a scrape are a gap: two scrapes are missing."""


@dataclass(frozen=True, slots=True)
class ScrapeGap:
    """A time in which requests may have been lost, and how many at most."""

    process: str
    begin: float
    end: float
    most: float = math.inf


class UnseenRequests:
    """When nobody saw what a canary did."""

    def __init__(self, metric: Metric, since: float) -> None:
        self._metric = metric
        self._since = since
        self._gaps: list[ScrapeGap] = []
        self._scrape_gaps: list[tuple[float, float]] = []
        self._last: dict[str, float] = {}
        """When each of the canary's processes was seen last."""
        self._down: dict[str, float] = {}
        """When each did last not answer."""
        self._newest = 0.0
        self._over = 0.0
        """When the last gap was over."""
        self._seen = 0.0
        """How many requests were seen since then."""

    def note(
        self,
        found: Sequence[Series],
        known: Mapping[Labels, Counter],
        from_zero: Collection[Labels],
        interval_seconds: float,
    ) -> None:
        """Take in what was read: `known` are the counters before it, `from_zero` those that count from zero."""
        seen = _seen(self._metric, found, known)
        for series in found:
            if not series.samples or not _counts_requests(self._metric.meaning(series.labels)):
                continue
            process = self._metric.process(series.labels)
            self._last[process] = max(self._last.get(process, 0.0), newest([series]))
            labels = labels_of(series)
            first, value = min(series.samples)
            if value and first > self._since and labels not in {*known, *from_zero}:
                before = _before(seen[process], first)
                self._gaps.append(ScrapeGap(process, before or self._since, first, value))
            for at in reset_times(known.get(labels), series.samples):
                before = _before(seen[process], at)
                if before and at > self._since and at - before > GAP_INTERVALS * interval_seconds:
                    self._gaps.append(ScrapeGap(process, before, at))
        over = max((each.end for each in self._all(interval_seconds)), default=0.0)
        if over > self._over:
            self._over, self._seen = over, 0.0

    def add(self, meaning: SeriesMeaning, added: Iterable[Sample]) -> None:
        """Take in what one series added, and when; after `note` of the same."""
        if _counts_requests(meaning):
            self._seen += sum(count for at, count in added if at > self._over)

    def note_failed(self, ups: Iterable[Series]) -> None:
        """Take in which processes of the canary did not answer a scrape: samples of `up`."""
        for up in ups:
            if self._metric.meaning(up.labels).canary:
                process = self._metric.process(up.labels)
                failed = (at for at, value in up.samples if value == 0)
                self._down[process] = max(failed, default=self._down.get(process, 0.0))

    def note_scrapes(self, of_canary: Iterable[Series], interval_seconds: float) -> None:
        """Take in the samples of all that shows that the canary was scraped."""
        for at in sorted({at for each in of_canary for at, _ in each.samples}):
            if self._newest and at - self._newest > GAP_INTERVALS * interval_seconds:
                self._scrape_gaps.append((self._newest, at))
            self._newest = max(self._newest, at)

    def count(self, requests: int, begin: float, interval_seconds: float) -> int:
        """
        Return about how many were missed and are not made up for by what was seen since.

        `requests` were counted from `begin` on, in unix seconds; what was missed before it does
        not matter any more.
        """
        gaps: dict[str, list[ScrapeGap]] = {}
        for each in self._all(interval_seconds):
            if each.end > begin:
                gaps.setdefault(each.process, []).append(each)
        unseen = {
            process: _length((max(each.begin, begin), each.end) for each in found)
            / self._alive(min(each.begin for each in found), interval_seconds)
            for process, found in gaps.items()
        }
        seen = max(self._newest - begin - sum(unseen.values()), interval_seconds)
        if not unseen or not seen:
            return 0
        # One more than were counted: that none was in a short time does not mean that there are none.
        rate = (requests + 1) / seen
        missed = sum(
            min(sum(each.most for each in found), rate * unseen[process])
            for process, found in gaps.items()
        )
        return max(0, round(missed - self._seen))

    def _alive(self, at: float, interval_seconds: float) -> int:
        """Return about how many processes shared the canary's requests then: at least one."""
        return sum(last >= at - 2 * interval_seconds for last in self._last.values()) or 1

    def _all(self, interval_seconds: float) -> Iterable[ScrapeGap]:
        """
        Return all gaps: of counters that began anew, and of processes that ended unseen.

        One that does not answer yet, and is still there, may tell later what it did.
        """
        yield from self._gaps
        long = GAP_INTERVALS * interval_seconds
        for process, last in self._last.items():
            for begin, end in self._scrape_gaps:
                if end > self._since and begin - 2 * interval_seconds <= last <= begin:
                    yield ScrapeGap(process, begin, end)
            down = self._down.get(process, 0.0)
            if last > self._since and down - last > long and self._newest - down > long:
                yield ScrapeGap(process, last, down)


def _counts_requests(meaning: SeriesMeaning) -> bool:
    """Return whether a series counts requests of the canary, each once."""
    return meaning.canary and meaning.counts_requests


def _seen(
    metric: Metric, found: Iterable[Series], known: Mapping[Labels, Counter]
) -> dict[str, list[float]]:
    """Return when each process was scraped, in order."""
    result: dict[str, set[float]] = {}
    for labels, counter in known.items():
        result.setdefault(metric.process(dict(labels)), set()).add(counter.at)
    for series in found:
        times = result.setdefault(metric.process(series.labels), set())
        times.update(at for at, _ in series.samples)
    return {process: sorted(times) for process, times in result.items()}


def _before(times: Sequence[float], at: float) -> float:
    """Return the last of `times` before `at`; 0 if there is none."""
    index = bisect_left(times, at)
    return times[index - 1] if index else 0.0


def _length(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long it is that any of the spans lasts."""
    total, last = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, last))
        last = max(last, end)
    return total
