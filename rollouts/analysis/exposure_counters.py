"""
One metric of a canary and its stable twin since the exposure: read little by little, and added up.

Raw samples, as they were scraped: differences are added up per series, and nothing is estimated.
What a reader of Prometheus has to know is in `counter_reader`, since when something is counted in
`counter_windows`. Which arm a series belongs to is the metric's to say (`counter_metric`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rollouts.analysis.counter_reader import CounterReader
from rollouts.analysis.counter_windows import CounterWindows, Span
from rollouts.analysis.scrapes import Scrapes
from rollouts.analysis.unseen_requests import UnseenRequests
from rollouts.model.counter_metric import Metric
from rollouts.model.durations import format_duration
from rollouts.ports import CounterSource


class ExposureCounters:
    """One metric of one exposure; `spans` are the last whiles that criteria ask about."""

    def __init__(
        self,
        metric: Metric,
        exposed_at: datetime,
        interval_seconds: float,
        spans: Iterable[Span],
        replica_labels: Sequence[str],
    ) -> None:
        self.metric = metric
        self.seen_at: datetime | None = None
        """When what was read last had been scraped, or when there was last a scrape to find more."""
        self._exposed_at = exposed_at
        self._interval_seconds = interval_seconds
        self._spans = tuple(spans)
        self._applied_at: datetime | None = None
        self._reader = CounterReader(metric, exposed_at, interval_seconds, replica_labels)
        self._problem = ""
        self._note = ""
        self._begin(0.0)

    def _begin(self, interval_before: float) -> None:
        """Know nothing yet but how far apart scrapes were before the exposure."""
        since, interval_seconds = self._exposed_at.timestamp(), self._interval_seconds
        restart_seconds = max(60.0, 20 * interval_seconds)
        self.windows = CounterWindows(self.metric, self._exposed_at, self._spans, restart_seconds)
        self.windows.applied(self._applied_at)
        self.scrapes = Scrapes(self.metric, since, interval_seconds)
        self.scrapes.interval_before = interval_before
        self._unseen = UnseenRequests(self.metric, since)

    def applied(self, at: datetime | None) -> None:
        """Count anew what is counted at the present weight: it was applied at this moment."""
        self._applied_at = at
        self.windows.applied(at)

    async def measure_scrape_interval(self, source: CounterSource, until: datetime) -> None:
        """
        Learn how far apart scrapes were before the exposure, and when, if anybody can tell.

        Raises:
            RolloutsError: the source did not answer.
        """
        found = await self._reader.scrapes_before(source, until)
        self.scrapes.interval_before = found.interval_seconds or self.scrapes.interval_before
        self.scrapes.processes = found.processes

    async def read(self, source: CounterSource, until: datetime) -> None:
        """
        Take in what has been scraped up to `until`, or as much of it as one answer should hold.

        Where native histograms have become coarser, all since the exposure is to be read again.

        Raises:
            RolloutsError: the source did not answer; nothing is changed then.
        """
        windows, scrapes, unseen = self.windows, self.scrapes, self._unseen
        known = windows.total.counters
        found = await self._reader.read(source, until, known, windows.now.since)
        if found is None:
            self._begin(scrapes.interval_before)
            return
        scraped = (*found.series, *found.answered)
        scrapes.note(scraped, found.of_canary)
        windows.note_scrapes(scraped)
        unseen.note_scrapes(found.of_canary, scrapes.usual_seconds)
        unseen.note_failed(found.ups)
        unseen.note(found.series, known, found.from_zero, scrapes.usual_seconds)
        windows.begin_anew(found.until)
        for meaning, added in windows.add(found.series, found.from_zero):
            unseen.add(meaning, added)
        windows.forget(scrapes.newest, scrapes.interval_seconds)
        self.seen_at, self._problem = found.seen_at, found.problem
        self._note = found.note or self._note
        if not found.series or scrapes.missing_seconds(found.until.timestamp()):
            self._reader.forget_names()

    def behind(self, at: datetime) -> bool:
        """Return whether more has to be read to know what had been scraped at `at`."""
        return self._reader.read_until < at

    def problem(self, at: datetime) -> str:
        """Return why what was read does not tell how the canary does at `at`, or nothing."""
        if self._problem:
            return self._problem
        if self.behind(at):
            moments = (self._reader.read_until, at)
            read, of = (_length(self._exposed_at, until) for until in moments)
            return f"the controller is catching up: it has read {read} of {of}"
        silent = self.scrapes.missing_seconds(at.timestamp())
        if self.scrapes.newest and silent:
            since = format_duration(round(silent))
            asked = self.metric.series
            return f"no new samples of {asked.name} for {since}: {asked.hint}"
        return ""

    def note(self) -> str:
        """Return what whoever runs Prometheus should know, or nothing."""
        return self._note

    def unseen(self, begin: datetime) -> int:
        """
        Return about how many canary requests nobody saw, and have not been made up for since.

        There were none before `begin`. What was missed at an earlier weight was made up for
        before the present one, or somebody went on without it.
        """
        counted = self.windows.now
        requests = counted.arm(canary=True).requests
        since = max(counted.since, begin.timestamp())
        return self._unseen.count(requests, since, self.scrapes.usual_seconds)

    def extent(self, span: Span) -> tuple[float, float]:
        """Return how many seconds a recent window really has, and after which sample it begins."""
        newest = self.scrapes.newest
        # What one scrape shows is not divided.
        length = max(span.seconds, self.scrapes.interval_seconds)
        after = newest - length
        begin = self.windows.recent[span].begin(after)
        if begin == after:
            return length, after
        begin = max(begin, self.windows.total.since)  # before the exposure there was nothing
        return max(length, newest - begin), begin

    @property
    def served_percent(self) -> float | None:
        """The canary's share of the requests at the present weight; None when that can't be known."""
        counted = self.windows.now
        canary, stable = (counted.arm(canary=arm).requests for arm in (True, False))
        everyone = canary + stable
        # One exporter counts both arms; of pods, those of both have to have been scraped.
        both = not self.metric.series.up_matchers or self.scrapes.shows_both(counted.since)
        return round(100 * canary / everyone, 1) if everyone and both else None


def _length(begin: datetime, end: datetime) -> str:
    return format_duration(round(max(0.0, (end - begin).total_seconds())))
