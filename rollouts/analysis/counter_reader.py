"""
Reads one metric of both arms, little by little: what was scraped since the last read, ready to be counted.

Each read reaches back to the last one and a little further; the first, also after a restart, to
before the exposure: Prometheus remembers, so that nothing has to be kept. A long exposure is
caught up with in several reads. What comes out has each request's counter once (`deduplication`),
nothing in it that can't be a counter (`sample_checks`), and it is known which of the counters count
from zero (`counter_baseline`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollouts.analysis.counter_baseline import CounterBaseline
from rollouts.analysis.deduplication import by_one_job, one_of_each
from rollouts.analysis.native_histograms import (
    Ends,
    as_classic,
    is_counted_otherwise,
    where_buckets_end,
    widest_ends,
)
from rollouts.analysis.sample_checks import countable_series
from rollouts.analysis.scrapes import ScrapeInterval, newest_of_each
from rollouts.analysis.series import Labels, newest
from rollouts.errors import TooLarge
from rollouts.judge.counters import Counter
from rollouts.model.counter_metric import Metric, any_of, quoted, selector
from rollouts.ports import CounterSource, Series

LEAST_LOOK_BACK_SECONDS = 60.0
INTERVAL_LOOK_BACK_SECONDS = 10 * 60.0
"""So far back two scrapes are sought, whoever scrapes."""
WINDOWS = 5
"""So many windows, each half as long as the one before, tell how far apart others' scrapes are."""
MOST_SECONDS_AT_ONCE = 15 * 60.0
"""So much of a long exposure is read at once, or half of it, and half again, where an answer would be too large."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What one read found."""

    until: datetime
    series: Sequence[Series]
    """The counters of both arms, each once."""
    from_zero: frozenset[Labels]
    """Which of them did not exist before: their first sample counts in full."""
    ups: Sequence[Series]
    """`up` of the processes: 1 when one answered, 0 when it did not."""
    answered: Sequence[Series]
    """Of `ups`, when they answered."""
    of_canary: Sequence[Series]
    """What shows that the canary is watched."""
    seen_at: datetime
    """When it had been scraped, or when there was last a scrape to find more."""
    problem: str
    """Why it can't be counted, in words, or nothing."""
    note: str
    """What is said of copies of which one is counted, and of where buckets end."""


@dataclass(frozen=True, slots=True)
class ScrapesBefore:
    """What is known of the scrapes before anything is counted."""

    interval_seconds: float
    """How far apart they are; 0: nobody knows."""
    processes: Mapping[str, float] = field(default_factory=dict)
    """When each process was scraped last that will show that the canary is watched."""


class CounterReader:
    """Reads one metric of one exposure."""

    def __init__(
        self,
        metric: Metric,
        exposed_at: datetime,
        interval_seconds: float,
        replica_labels: Sequence[str],
    ) -> None:
        self.read_until = exposed_at
        self._metric = metric
        self._exposed_at = exposed_at
        self._look_back_seconds = max(LEAST_LOOK_BACK_SECONDS, 8 * interval_seconds)
        self._replica_labels = replica_labels
        self._baseline = CounterBaseline(metric, exposed_at, self._look_back_seconds)
        self._jobs: dict[str, str] = {}
        """Which job is counted of each process."""
        self._selector = ""
        self._ends: Mapping[bool, Ends] = {True: {}, False: {}}
        """Up to where native histograms were counted by the last read: the canary's, and stable's."""
        self._seen_at: datetime | None = None
        self._at_once = timedelta(seconds=MOST_SECONDS_AT_ONCE)

    async def read(
        self,
        source: CounterSource,
        until: datetime,
        known: Mapping[Labels, Counter],
        weight_since: float,
    ) -> Samples | None:
        """
        Return what has been scraped up to `until`, or as much of it as one answer should hold.

        None: what was read before can't be added to, since buckets have become wider. The next read begins
        at the exposure, for who knows nothing. `known` are the counters by the last read; `weight_since` is when the present weight was
        applied, in unix seconds.

        Raises:
            RolloutsError: the source did not answer; the next read begins where this one did.
        """
        try:
            return await self._read(
                source, min(until, self.read_until + self._at_once), known, weight_since
            )
        except TooLarge:
            least = timedelta(seconds=LEAST_LOOK_BACK_SECONDS)  # so much is read again each time
            self._at_once = max(self._at_once / 2, least)
            raise

    async def _read(
        self,
        source: CounterSource,
        until: datetime,
        known: Mapping[Labels, Counter],
        weight_since: float,
    ) -> Samples | None:
        begin = self.read_until - timedelta(seconds=self._look_back_seconds)
        # Positive also where the clock was set back: an empty window is no question.
        window = max(0.001, (until - begin).total_seconds())
        found, ups = await asyncio.gather(
            self._series(source, until, window), self._ups(source, until, window)
        )
        classic, problem = countable_series(found)
        native = await self._natives(source, until, window, classic)
        asked, read_until = self._metric.series, self.read_until.timestamp()
        ends, before = dict(self._ends), self._ends
        converted: list[Series] = []
        for arm, of_arm in self._by_arm(native).items():
            ends[arm] = widest_ends(of_arm, asked.bounds, before[arm])
            if known and is_counted_otherwise(of_arm, before[arm], ends[arm], read_until):
                self._ends, self.read_until = ends, self._exposed_at
                return None
            converted += as_classic(of_arm, asked.name, asked.bounds, ends[arm])
        from_native, wrong = countable_series(converted)
        problem = problem or wrong
        single, copies = one_of_each((*classic, *from_native), self._replica_labels)
        note = "; ".join(filter(None, (copies, where_buckets_end(asked.bounds, ends[True]))))
        answered = [_answered(each) for each in ups]
        jobs = dict(self._jobs)
        series = by_one_job(self._metric, single, jobs, known)
        from_zero = await self._baseline.from_zero(source, series, known, until)
        answered_once, _ = one_of_each(answered, self._replica_labels)
        of_canary = [
            each
            for each in (*series, *answered_once)
            if self._metric.meaning(each.labels).shows_canary
        ]
        seen_at = await self._scraped_at(source, of_canary, until, weight_since)
        self._jobs, self._seen_at, self._ends = jobs, seen_at, ends
        self.read_until = max(until, self.read_until)
        return Samples(until, series, from_zero, ups, answered, of_canary, seen_at, problem, note)

    def forget_names(self) -> None:
        """Ask for every spelling of the labels again: perhaps Prometheus renames them differently by now."""
        self._selector = ""

    async def scrapes_before(self, source: CounterSource, until: datetime) -> ScrapesBefore:
        """
        Return how far apart scrapes are, by what was scraped up to `until`, and when the last ones were.

        It reads no further back than it has to: where scrapes are near each other there is much.
        What nobody has scraped twice yet is taken to be scraped as other targets are, or less often.

        Raises:
            RolloutsError: the source did not answer.
        """
        interval, processes = ScrapeInterval(), {}
        for seconds in (self._look_back_seconds, INTERVAL_LOOK_BACK_SECONDS):
            if self._metric.series.up_matchers:
                found = await self._ups(source, until, seconds)
            else:
                found = await self._series(source, until, seconds)
            interval.note(found)
            single, _ = one_of_each(found, self._replica_labels)
            of_canary = (each for each in single if self._metric.meaning(each.labels).shows_canary)
            processes = newest_of_each(self._metric, of_canary)
            if interval.seconds:
                return ScrapesBefore(interval.seconds, processes)
        return ScrapesBefore(await self._interval_of_others(source, until), processes)

    async def _interval_of_others(self, source: CounterSource, until: datetime) -> float:
        """
        Return how far apart the scrapes of whoever is scraped most are, or a little more; 0: nobody knows.

        What a window tells is an upper limit, and of one that begins before Prometheus itself did a
        much too high one. So narrower windows are asked as well, as long as all scrapes are in them,
        or three: two of many may be near each other by accident.
        """
        limits: list[float] = []
        enough = 2
        for halvings in range(WINDOWS):
            window = self._look_back_seconds / 2**halvings
            count = await source.most_scrapes(until=until, window_seconds=window)
            if count < enough:
                break
            limits.append(window / (count - 1))
            enough = min(3, count)
        return min(limits, default=0.0)

    async def _series(
        self, source: CounterSource, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return the series, under whichever names Prometheus gives the labels now."""
        tries = (self._selector,) if self._selector else self._metric.series.selectors
        best: tuple[Series, ...] = ()
        for each in tries:
            found = await source.samples(each, until=until, window_seconds=window)
            if found and (not best or newest(found) > newest(best)):
                best, self._selector = found, each
        return best

    async def _natives(
        self, source: CounterSource, until: datetime, window: float, classic: Sequence[Series]
    ) -> list[Series]:
        """
        Return the native histograms that stand in for others.

        They are asked for only while an arm has no others. Of a process that has others, none
        is taken: it would be counted twice.
        """
        question, process = self._metric.series, self._metric.process
        if len({self._metric.meaning(each.labels).canary for each in classic}) > 1:
            return []
        others = {process(each.labels) for each in classic}
        for each in question.natives:
            found = await source.samples(each, until=until, window_seconds=window)
            alone = [each for each in found if process(each.labels) not in others]
            if any(each.histograms for each in alone):
                return alone
        return []

    def _by_arm(self, found: Iterable[Series]) -> dict[bool, list[Series]]:
        """Return the series of the canary, and those of stable: neither's buckets say anything of the other's."""
        result: dict[bool, list[Series]] = {True: [], False: []}
        for each in found:
            result[self._metric.meaning(each.labels).canary].append(each)
        return result

    async def _ups(
        self, source: CounterSource, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return `up` of the processes, as far as it can be known which these are."""
        up_matchers = self._metric.series.up_matchers
        if not up_matchers:
            return ()
        return await source.samples(selector("up", up_matchers), until=until, window_seconds=window)

    async def _scraped_at(
        self,
        source: CounterSource,
        found: Iterable[Series],
        until: datetime,
        weight_since: float,
    ) -> datetime:
        """
        Return when there was last a scrape: the newest sample's time, or else that of `up`.

        A Prometheus that was away answers before it has scraped again. What it says then
        is true of the time before it went.
        """
        last = newest(found)
        if last < weight_since:
            jobs = any_of(sorted({each.labels.get("job", "") for each in found} - {""}))
            up = selector("up", f"job=~{quoted(jobs)}" if jobs else "")
            last = max(last, await source.last_scrape(up, at=until))
        seen = datetime.fromtimestamp(last, UTC)
        return max(seen, self._exposed_at, self._seen_at or seen)


def _answered(up: Series) -> Series:
    """Return when a process was scraped, and answered."""
    return Series(up.labels, tuple(sample for sample in up.samples if sample[1] == 1))
