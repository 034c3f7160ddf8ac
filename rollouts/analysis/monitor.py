"""
When measurements are made: one task per exposed canary, which measures its success criteria from
the first canary request to the last step, and has the Rollout reconciled after each round. It
decides nothing, and remembers nothing that the providers do not.

A round comes when a new sample can be read (`round_schedule`), at about the same time for all canaries
for which that is so (`shared_timers`). As long as nobody can know when, it comes every interval; a query is
asked every interval anyway.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.limited_sources import LimitedSources
from rollouts.analysis.measurement_round import Measurer
from rollouts.analysis.page_reader import PageReader
from rollouts.analysis.reading_rate_limiter import ReadingRateLimiter
from rollouts.analysis.round_schedule import RoundSchedule
from rollouts.analysis.series import REPLICA_LABELS
from rollouts.analysis.shared_pages import EVERY_SECONDS, SharedPages
from rollouts.analysis.shared_timers import SharedTimers, shared_moment
from rollouts.judge import judge
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import DirectMeasurement, MeasurementRound
from rollouts.model.rollout_key import Key
from rollouts.model.status import Readings, Verdict
from rollouts.ports import Clock, MetricSources

log = structlog.get_logger(__name__)

_SHORTEST_SECONDS = 0.1
_LEAST_INTERVAL_SECONDS = 1.0
"""A criterion's own interval is no shorter, unless the controller's is."""
_NEXT_TO = 0.1
"""What is nearer than this part of an interval is the same moment: rounds come when all criteria want them."""


class RoundMetrics(Protocol):
    """Where rounds of measurements are counted, and how long they took."""

    def measured(self, seconds: float, errors: int) -> None:
        """Count one round, which took so many seconds and left so many criteria without an answer."""
        ...


Said = tuple[object, ...]


@dataclass
class _Watch:
    """One exposure under observation."""

    measurer: Measurer
    times: RoundSchedule
    interval_seconds: float
    """How far apart scrapes should be."""
    task: asyncio.Task[None] | None = None
    latest: MeasurementRound | None = None
    """What was scraped."""
    reader: PageReader | None = None
    """None: pages are not read."""
    reading: asyncio.Task[None] | None = None
    direct_measurements: Mapping[str, DirectMeasurement] = field(default_factory=dict)
    """What was read since, by criterion."""
    told: Said = ()
    """What the last reading said that somebody was told of."""
    measured_at: dict[str, datetime] = field(default_factory=dict)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What is under way for it."""
        return [task for task in (self.task, self.reading) if task is not None]

    def known(self, now: datetime) -> MeasurementRound | None:
        """
        Return what was measured by what was scraped, and what was read since.

        Before anything was scraped it is something only where a reading proves the release bad.
        """
        latest = self.latest
        if self.reader is None:
            return latest
        if latest is None:
            if not any(_verdict(each)[0] == "fail" for each in self.direct_measurements.values()):
                return None
            latest = MeasurementRound(
                now,
                self.measurer.exposed.exposed_at,
                scrape_interval_seconds=self.measurer.scrape_interval_seconds,
                interval_seconds=self.interval_seconds,
            )
        return replace(
            latest, direct_measurements=self.direct_measurements, readings=self.reader.readings()
        )

    def looked(self, at: datetime, *, has_read: bool) -> None:
        """Note that a round was made, and what it found scraped, if it had an answer."""
        interval = self.measurer.least_scrape_interval_seconds
        self.times.looked(at.timestamp(), self.measurer.scraped, interval, has_read=has_read)

    def update(self, exposed: ExposedCanary, now: datetime) -> None:
        """Go on with what has changed; another weight may have other pods."""
        if (
            exposed.applied_at != self.measurer.exposed.applied_at
            and self.measurer.is_counted_by_pods
        ):
            self.times.others_may_come(now.timestamp())
        self.measurer.update(exposed)
        if self.reader is not None:
            self.reader.exposed = exposed


def _beat(watch: _Watch, tick: timedelta) -> datetime:
    """Return the next moment in step with the exposure's beginning; one that is next to the last round is left out."""
    began = watch.measurer.exposed.exposed_at
    last = (watch.latest.at if watch.latest is not None else began) + _NEXT_TO * tick
    return last + tick - (last - began) % tick


class Monitor:
    """Measures the canaries that it follows. `on_measured` is called with the key after each round."""

    round_schedule: type[RoundSchedule] = RoundSchedule
    """What says when the next round of a canary comes."""

    def __init__(
        self,
        sources: MetricSources,
        clock: Clock,
        metrics: RoundMetrics,
        on_measured: Callable[[Key], None],
        *,
        interval_seconds: float,
        replica_labels: Sequence[str] = REPLICA_LABELS,
    ) -> None:
        self._sources = LimitedSources(sources)
        self._clock = clock
        self._metrics = metrics
        self._on_measured = on_measured
        self._interval_seconds = interval_seconds
        self._replica_labels = replica_labels
        self._pages = _shared_pages(sources, clock)
        self._watches: dict[Key, _Watch] = {}
        self._timers = SharedTimers(clock)

    def follow(self, exposed: ExposedCanary) -> None:
        """Measure this canary from now on; a new exposure starts from nothing."""
        watch = self._watches.get(exposed.key)
        if watch is not None and watch.measurer.exposed.exposed_at == exposed.exposed_at:
            watch.update(exposed, self._clock.now())
            return
        self.forget(exposed.key)
        measurer = Measurer(exposed, self._sources, self._interval_seconds, self._replica_labels)
        measurer.update(exposed)
        watch = _Watch(
            measurer, self.round_schedule(), self._interval_seconds, reader=self._reader(exposed)
        )
        measuring = self._insist(watch, lambda: self._run(watch))
        watch.task = asyncio.create_task(measuring, name=f"measures {exposed.key}")
        if (reader := watch.reader) is not None:
            reading = self._insist(watch, lambda: self._read_on(watch, reader))
            watch.reading = asyncio.create_task(reading, name=f"reads {exposed.key}")
        self._watches[exposed.key] = watch

    def _reader(self, exposed: ExposedCanary) -> PageReader | None:
        if self._pages is None:
            return None
        return PageReader(exposed, self._pages, self._clock, self._interval_seconds)

    def forget(self, key: Key) -> None:
        """Measure it no more."""
        watch = self._watches.pop(key, None)
        for task in watch.tasks if watch is not None else ():
            task.cancel()

    def latest(self, key: Key) -> MeasurementRound | None:
        """Return the last round of measurements of it, if there was one."""
        watch = self._watches.get(key)
        return watch.known(self._clock.now()) if watch is not None else None

    def scrape_interval_seconds(self, key: Key) -> float:
        """Return how far apart the scrapes of what is measured are; 0 as long as nobody can know."""
        watch = self._watches.get(key)
        return watch.measurer.scrape_interval_seconds if watch is not None else 0.0

    async def close(self) -> None:
        """End all tasks."""
        tasks = [task for watch in self._watches.values() for task in watch.tasks]
        for task in tasks:
            task.cancel()
        self._watches.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._timers.close()
        if self._pages is not None:
            await self._pages.close()
        await self._sources.close()

    async def _insist(self, watch: _Watch, work: Callable[[], Awaitable[None]]) -> None:
        """Do what never ends; where it fails, by a bug of ours, do it again after an interval."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("measuring begins anew", rollout=str(watch.measurer.exposed.key))
            await self._clock.sleep(max(_LEAST_INTERVAL_SECONDS, self._interval_seconds))

    async def _run(self, watch: _Watch) -> None:
        now = self._clock.now()
        await watch.measurer.measure_scrape_interval(now)
        watch.looked(now, has_read=True)
        while True:
            exposed = watch.measurer.exposed
            tick = timedelta(seconds=self._tick_seconds(exposed))
            now = self._clock.now()
            # Never longer than this, even if somebody sets the clock back.
            longest = max(tick, timedelta(seconds=2 * watch.measurer.scrape_interval_seconds))
            due = min(self._next_at(watch, _beat(watch, tick)), now + longest)
            if watch.latest is None and now - exposed.exposed_at > tick:
                due = now  # after a restart: nothing is known, so measure at once
            if due > now:
                await self._timers.wait(shared_moment(due, len(self._watches)))
            else:
                await self._clock.sleep(0)
            await self._measure(watch)

    def _next_at(self, watch: _Watch, beat: datetime) -> datetime:
        """Return when the next round is due: what is counted goes by samples, a query by its interval."""
        criteria = watch.measurer.exposed.spec.success_criteria
        counting = [each for each in criteria if each.query is None]
        due = [
            watch.measured_at.get(each.name, watch.measurer.exposed.exposed_at)
            + timedelta(seconds=self._every(each))
            for each in criteria
            if each.query is not None
        ]
        if counting or not criteria:
            expected = watch.times.next_at(beat.timestamp())
            if watch.latest is not None:
                apart = min((self._at_least(each) for each in counting), default=0.0)
                expected = max(expected, watch.latest.at.timestamp() + apart)
            due.append(datetime.fromtimestamp(expected, UTC))
        return min(due)

    def _at_least(self, criterion: Criterion) -> float:
        """Return how long after a round the next one for a criterion that counts is worth it."""
        return (1 - _NEXT_TO) * self._every(criterion) if criterion.interval is not None else 0.0

    async def _measure(self, watch: _Watch) -> None:
        exposed, began = watch.measurer.exposed, self._clock.now()
        at = began.replace(microsecond=began.microsecond // 1000 * 1000)  # as status keeps it
        due = [each for each in exposed.spec.success_criteria if self._is_due(watch, each, at)]
        try:
            latest = await watch.measurer.measure(at, due)
        except Exception as error:
            log.exception("measuring failed", rollout=str(exposed.key))
            latest = watch.measurer.failed(at, due, error)
        watch.measured_at |= dict.fromkeys((each.name for each in due), at)
        watch.latest = latest
        if watch.reader is not None:
            watch.direct_measurements = _direct_measurements(watch, watch.reader)
        errors = {name: found.error for name, found in latest.measurements.items() if found.error}
        if errors:
            log.warning("criteria not measured", rollout=str(exposed.key), errors=errors)
        watch.looked(at, has_read=len(errors) < len(latest.measurements))
        self._metrics.measured((self._clock.now() - began).total_seconds(), len(errors))
        self._on_measured(exposed.key)

    async def _read_on(self, watch: _Watch, reader: PageReader) -> None:
        """Read pages, and have the Rollout reconciled when they say something else than before."""
        while True:
            began = self._clock.now()
            await reader.read()
            watch.direct_measurements = _direct_measurements(watch, reader)
            said = _said(watch.direct_measurements, reader.readings())
            if said != watch.told:
                watch.told = said
                self._on_measured(reader.exposed.key)
            taken = (self._clock.now() - began).total_seconds()
            await self._clock.sleep(min(EVERY_SECONDS, max(0.0, EVERY_SECONDS - taken)))

    def _is_due(self, watch: _Watch, criterion: Criterion, at: datetime) -> bool:
        before = watch.measured_at.get(criterion.name)
        seen = watch.latest.criteria.get(criterion.name) if watch.latest is not None else None
        if before is None or (seen is not None and not seen.is_judged_as(criterion)):
            return True
        if criterion.interval is None and criterion.query is None:
            return True  # it costs nothing beside what is read anyway
        return (at - before).total_seconds() >= (1 - _NEXT_TO) * self._every(criterion)

    def _every(self, criterion: Criterion) -> float:
        """Return how often a criterion is measured at most, or has to be where nobody knows when to."""
        if criterion.interval is None:
            return max(_SHORTEST_SECONDS, self._interval_seconds)
        least = min(_LEAST_INTERVAL_SECONDS, self._interval_seconds)
        return max(_SHORTEST_SECONDS, least, criterion.interval)

    def _tick_seconds(self, exposed: ExposedCanary) -> float:
        """Return how often to measure: as often as the most impatient criterion wants."""
        wishes = [self._every(criterion) for criterion in exposed.spec.success_criteria]
        return min(wishes, default=max(_SHORTEST_SECONDS, self._interval_seconds))


def _shared_pages(sources: MetricSources, clock: Clock) -> SharedPages | None:
    if sources.pages is None or sources.readings_per_second <= 0:
        return None
    return SharedPages(sources.pages, ReadingRateLimiter(clock, sources.readings_per_second), clock)


def _direct_measurements(watch: _Watch, reader: PageReader) -> Mapping[str, DirectMeasurement]:
    """Return what was read since the last scrape and can be judged; nothing where that fails."""
    try:
        found = reader.direct_measurements(watch.measurer.counted)
        for each in found.values():
            _verdict(each)
    except Exception:
        log.exception("readings not measured", rollout=str(reader.exposed.key))
        return {}
    return found


def _verdict(found: DirectMeasurement) -> tuple[Verdict, bool]:
    """Return what is judged by a reading, and whether it leans against the release."""
    judged = judge(found.criterion, found.measurement, None)
    return judged.verdict, judged.leans


def _said(direct_measurements: Mapping[str, DirectMeasurement], readings: Readings) -> Said:
    """Return what a decision, or somebody who reads status, would take for something else."""
    against = {name: _verdict(found) for name, found in direct_measurements.items()}
    worse = sorted(name for name, (verdict, leans) in against.items() if verdict == "fail" or leans)
    failed = sorted(name for name, (verdict, _) in against.items() if verdict == "fail")
    return (*failed, "lean", *worse, readings)
