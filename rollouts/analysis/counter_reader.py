"""
One metric of a canary and its stable twin, read little by little and added up.

Raw samples, as they were scraped: differences are added up per series, and nothing is
estimated. Who counts, and which arm a series belongs to, is the metric's to say (`counted`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rollouts.analysis.counter_baseline import TWICE, Births, by_one_job, scraped
from rollouts.analysis.counter_metric import (
    Labels,
    Meaning,
    Metric,
    any_of,
    labels_of,
    newest,
    quoted,
    selector,
)
from rollouts.analysis.counter_window import Tally
from rollouts.analysis.deduplication import REPLICA_LABELS, one_of_each
from rollouts.analysis.intervals import PER_RESTART, Intervals
from rollouts.analysis.recent_window import Span, Window
from rollouts.analysis.sample_checks import fit, histogram_of, resets
from rollouts.analysis.scrape_interval import Spacing
from rollouts.analysis.since_weight import AtWeight
from rollouts.analysis.unseen_requests import Blindness
from rollouts.judge.counters import Beginning
from rollouts.model.units import format_duration
from rollouts.ports import MetricSource, Series

LEAST_LOOK_BACK_SECONDS = 60.0
SPACING_LOOK_BACK_SECONDS = 10 * 60.0
"""So far back two scrapes are looked for, whoever scrapes."""
MOST_SECONDS_AT_ONCE = 15 * 60.0


class Reading:
    """
    One metric of one exposure, read little by little.

    Each read reaches back to the last one and a little further; the first, also after a
    restart, to before the exposure: Prometheus remembers, so that nothing has to be kept.
    A long exposure is caught up with in several reads.
    """

    def __init__(
        self,
        metric: Metric,
        exposed_at: datetime,
        interval_seconds: float,
        windows: Iterable[Span] = (),
        replica_labels: Sequence[str] = REPLICA_LABELS,
    ) -> None:
        self.metric = metric
        self.total = Tally(exposed_at.timestamp())
        self.windows = {span: Window(span) for span in windows}
        """What was counted in the last while, by how long that is."""
        self.at_weight: AtWeight | None = None
        """What was counted at the present weight; None: there has been none."""
        self.restarts: dict[int, Tally] = {}
        """The last two tallies that begin anew, by their number: at j times a fixed length."""
        self.seen_at: datetime | None = None
        """When what was read last had been scraped, or when there was last a scrape to find more."""
        self.newest = 0.0
        """The time of the newest sample that shows that the canary is watched; 0 without any."""
        self._interval_seconds = interval_seconds
        self._look_back_seconds = max(LEAST_LOOK_BACK_SECONDS, 8 * interval_seconds)
        self._restart_seconds = max(60.0, 20 * interval_seconds)
        self._exposed_at = self._read_until = exposed_at
        self.intervals = Intervals(self.total.since, self._restart_seconds / PER_RESTART)
        self._scraped: dict[bool, float] = {}
        self._spacing = Spacing()
        self._spacing_before = 0.0
        """How far apart scrapes were before the exposure."""
        self._blindness = Blindness(metric, self.total.since)
        self._selector = ""
        self._unfit = ""
        self._replica_labels = replica_labels
        self._copies = ""
        """What is said of copies of which one is counted, from when there were any on."""
        self._jobs: dict[str, str] = {}
        self._births = Births(metric, exposed_at, self._look_back_seconds)

    def applied(self, at: datetime | None) -> None:
        """Count anew what is counted at the present weight: it was applied at this moment."""
        if at is None:
            self.at_weight = None
        elif self.at_weight is None or self.at_weight.applied_at != at:
            self.at_weight = AtWeight(self.metric, self.total, at, self.windows)

    def behind(self, at: datetime) -> bool:
        """Return whether more has to be read to know what had been scraped at `at`."""
        return self._read_until < at

    def trouble(self, at: datetime) -> str:
        """Return why what was read does not tell how the canary does at `at`, or nothing."""
        if self._unfit:
            return self._unfit
        if self.behind(at):
            read, of = (_length(self._exposed_at, until) for until in (self._read_until, at))
            return f"catching up: {read} of {of} read"
        silent = at.timestamp() - self.newest
        if self.newest and silent > self._patience_seconds():
            since = format_duration(round(silent))
            asked = self.metric.question
            return f"no new samples of {asked.name} for {since}: {asked.doubt}"
        return ""

    def note(self) -> str:
        """Return what whoever runs the controller and Prometheus should know, or nothing."""
        notes = [self._copies] if self._copies else []
        if self.spacing_seconds > 1.5 * self._interval_seconds:
            spacing, interval = format_duration(self.spacing_seconds), self._interval_seconds
            notes.append(
                f"scraped every {spacing}, looked at every {format_duration(interval)};"
                " set --interval to the scrape interval"
            )
        return "; ".join(notes)

    @property
    def spacing_seconds(self) -> float:
        """How far apart scrapes are, or were before the exposure; 0 as long as nobody can know."""
        return self._spacing.seconds or self._spacing_before

    def missed(self, begin: datetime) -> int:
        """
        Return about how many canary requests nobody saw, and have not been made up for since.

        There were none before `begin`. What was missed at an earlier weight was made up for
        before the present one, or somebody went on without it.
        """
        tally, since = self.total, begin.timestamp()
        if self.at_weight is not None:
            tally, since = self.at_weight.tally, max(since, self.at_weight.tally.since)
        counted = tally.arm(canary=True).requests
        return self._blindness.missed(counted, since, self._usual_seconds())

    def window_of(self, span: Span) -> tuple[float, float]:
        """Return how many seconds the window really has, and after which sample it begins."""
        length = max(span.seconds, self.spacing_seconds)  # what one scrape shows is not divided
        after = self.newest - length
        begin = self.windows[span].begin(after)
        if begin == after:
            return length, after
        begin = max(begin, self.total.since)  # before the exposure there was nothing
        return max(length, self.newest - begin), begin

    def was_scraped(self, *, canary: bool) -> bool:
        """Return whether any process of this arm is known to have been scraped since the exposure."""
        return self._scraped.get(canary, 0.0) > self.total.since

    @property
    def sees_both(self) -> bool:
        """Whether the requests of both arms are seen, so that their shares mean something."""
        if not self.metric.question.places:
            return True
        return all(self._scraped.get(arm, 0.0) > self._applied_at for arm in (True, False))

    async def read(self, source: MetricSource, until: datetime) -> None:
        """
        Take in what has been scraped up to `until`, or as much of it as one answer should hold.

        Raises:
            RolloutsError: the source did not answer; nothing is changed then.
        """
        until = min(until, self._read_until + timedelta(seconds=MOST_SECONDS_AT_ONCE))
        begin = self._read_until - timedelta(seconds=self._look_back_seconds)
        # Positive also where the clock was set back: an empty window is no question.
        window = max(0.001, (until - begin).total_seconds())
        jobs, known = dict(self._jobs), self.total.counters
        answered, unfit = fit(await self._series(source, until, window))
        answered, copies = one_of_each(answered, self._replica_labels)
        ups = await self._ups(source, until, window)
        scrapes = [_answered(each) for each in ups]
        found = by_one_job(self.metric, answered, jobs, known)
        at_zero = await self._births.at_zero(source, found, known, until)
        telling = [each for each in (*found, *scrapes) if self._means(each).tells]
        seen_at = await self._scraped_at(source, telling, until)
        self._note_scrapes(found, scrapes, telling)
        self._blindness.note_silent(ups)
        self._blindness.note(found, known, at_zero, self._usual_seconds())
        self._begin_anew(until)
        self._add(found, at_zero)
        self.seen_at, self._jobs, self._unfit = seen_at, jobs, unfit
        self._copies = copies or self._copies
        self._read_until = max(until, self._read_until)
        for span, each in self._all_windows():
            each.forget(self.newest - 2 * max(span.seconds, self.spacing_seconds))
        if not found or until.timestamp() - self.newest > self._patience_seconds():
            self._selector = ""  # perhaps Prometheus renames labels differently by now

    def _add(self, found: Sequence[Series], at_zero: Collection[Labels]) -> None:
        began_anew = resets(found, self.total.counters)
        for series in found:
            labels, meaning = labels_of(series), self._means(series)
            self.total.meanings[labels] = meaning
            beginning = Beginning(
                self.total.since,
                born_at_zero=labels in at_zero,
                resets=began_anew.get(histogram_of(labels), frozenset()),
            )
            added = self.total.add(labels, series, beginning)
            self._blindness.add(meaning, added)
            self.intervals.add(meaning, added)
            for window in self.windows.values():
                window.add(meaning, added)
            for tally in self.restarts.values():
                tally.add(labels, series, replace(beginning, since=tally.since))
            if self.at_weight is not None:
                self.at_weight.add(labels, series, beginning)

    def _all_windows(self) -> Iterable[tuple[Span, Window]]:
        at_weight = self.at_weight.windows if self.at_weight is not None else {}
        return (*self.windows.items(), *at_weight.items())

    def _note_scrapes(
        self, found: Iterable[Series], scrapes: Iterable[Series], telling: Sequence[Series]
    ) -> None:
        seen = (*found, *scrapes)
        self.newest = max(self.newest, newest(telling))
        self._spacing.note(telling)
        self._blindness.note_scrapes(telling, self._usual_seconds())
        if self.at_weight is not None:
            self.at_weight.note_scrapes(seen)
        for each in seen:
            arm = self._means(each).canary
            self._scraped[arm] = max(self._scraped.get(arm, 0.0), newest([each]))

    @property
    def _applied_at(self) -> float:
        """When the present weight was applied, in unix seconds; before the first one, the exposure."""
        return self.at_weight.tally.since if self.at_weight is not None else self.total.since

    def _usual_seconds(self) -> float:
        """Return how far apart scrapes are, or should be as long as nobody knows."""
        return self.spacing_seconds or self._interval_seconds

    def _means(self, series: Series) -> Meaning:
        known = self.total.meanings.get(labels_of(series))
        return known or self.metric.meaning(series.labels)

    def _patience_seconds(self) -> float:
        """Return after how long without a sample the canary is not watched any more."""
        return max(10.0, 5 * self._interval_seconds, 3 * self.spacing_seconds)

    def _begin_anew(self, until: datetime) -> None:
        """
        Have a tally from the last two moments of the fixed grid that are not after `until`.

        Called before samples up to `until` are added: the new one begins with what was last seen.
        """
        length = self._restart_seconds
        latest = int((until - self._exposed_at).total_seconds() // length)
        self.restarts = {
            number: self.restarts.get(number)
            or self.total.later(self._exposed_at.timestamp() + number * length)
            for number in (latest - 1, latest)
            if number >= 1
        }

    async def measure_spacing(self, source: MetricSource, until: datetime) -> None:
        """
        Learn how far apart scrapes are from what was scraped up to `until`, of either arm.

        It reads no further back than it has to: where scrapes are near each other there is much.
        What nobody has scraped twice yet is taken to be scraped as other targets are, or less often.

        Raises:
            RolloutsError: the source did not answer.
        """
        places, spacing = self.metric.question.places, Spacing()
        for seconds in (self._look_back_seconds, SPACING_LOOK_BACK_SECONDS):
            if places:
                up = selector("up", places)
                found = await source.samples(up, until=until, window_seconds=seconds)
            else:
                found = await self._series(source, until, seconds)
            spacing.note(found)
            if spacing.seconds:
                self._spacing_before = spacing.seconds
                return
        count = await source.value(scraped(self._look_back_seconds), at=until) or 0
        if count >= TWICE:
            self._spacing_before = self._look_back_seconds / (count - 1)

    async def _series(
        self, source: MetricSource, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return the series, under whichever names Prometheus gives the labels now."""
        tries = (self._selector,) if self._selector else self.metric.question.selectors
        best: tuple[Series, ...] = ()
        for each in tries:
            found = await source.samples(each, until=until, window_seconds=window)
            if found and (not best or newest(found) > newest(best)):
                best, self._selector = found, each
        return best

    async def _ups(
        self, source: MetricSource, until: datetime, window: float
    ) -> tuple[Series, ...]:
        """Return `up` of the processes, as far as it can be known which these are."""
        places = self.metric.question.places
        if not places:
            return ()
        return await source.samples(selector("up", places), until=until, window_seconds=window)

    async def _scraped_at(
        self, source: MetricSource, found: Iterable[Series], until: datetime
    ) -> datetime:
        """
        Return when there was last a scrape: the newest sample's time, or else that of `up`.

        A Prometheus that was away answers before it has scraped again. What it says then
        is true of the time before it went.
        """
        last = newest(found)
        if last < self._applied_at:
            jobs = any_of(sorted({each.labels.get("job", "") for each in found} - {""}))
            value = await source.value(last_scrape(jobs), at=until)
            last = max(last, value or 0.0)
        seen = datetime.fromtimestamp(last, UTC)
        return max(seen, self._exposed_at, self.seen_at or seen)


def _length(begin: datetime, end: datetime) -> str:
    return format_duration(round(max(0.0, (end - begin).total_seconds())))


def _answered(up: Series) -> Series:
    """Return when a process was scraped, and answered."""
    return Series(up.labels, tuple(sample for sample in up.samples if sample[1] == 1))


def last_scrape(jobs: str) -> str:
    """Return the PromQL for when a target of these jobs (a regular expression; "" is any) last answered."""
    up = selector("up", f"job=~{quoted(jobs)}" if jobs else "")
    return f"max(timestamp({up}) and {up} == 1)"
