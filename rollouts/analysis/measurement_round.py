"""
One round of measurements of one exposed canary: every criterion that is due is measured, none judged.

That a source does not answer, or refuses a query, is an error of that measurement, never a number.
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from rollouts.analysis.criterion_metric import metric_of, requests_of
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.limited_sources import LimitedSources
from rollouts.analysis.measurement import bug_of, measure, span_of
from rollouts.errors import RolloutsError
from rollouts.model.counter_metric import Metric
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Measurement, MeasurementRound

log = structlog.get_logger(__name__)

CATCH_UP_SECONDS = 5.0
"""How long one round goes on reading what is long past, after which the next one continues."""


class Measurer:
    """Measures one exposure, round by round, from its beginning to its end."""

    def __init__(
        self,
        exposed: ExposedCanary,
        sources: LimitedSources,
        interval_seconds: float,
        replica_labels: Sequence[str],
    ) -> None:
        self.exposed = exposed
        self._sources = sources
        self._interval_seconds = interval_seconds
        self._replica_labels = replica_labels
        self._counters: dict[Metric, ExposureCounters] = {}
        self._last: dict[str, Measurement] = {}
        self._measured: dict[str, Criterion] = {}
        """What each of the last measurements is of."""
        self._traffic_since = exposed.exposed_at
        """Since when the canary may have had traffic, as far as is known."""

    def counted(self, metric: Metric) -> ExposureCounters | None:
        """Return what was scraped of a metric so far; None: it was not asked for."""
        return self._counters.get(metric)

    @property
    def scraped(self) -> dict[str, float]:
        """When each process that shows the canary was scraped last, in unix seconds, as far as all have read it."""
        result: dict[str, float] = {}
        for counters in self._counters.values():
            for name, newest in counters.scrapes.processes.items():
                result[name] = min(newest, result.get(name, newest))
        return result

    @property
    def is_counted_by_pods(self) -> bool:
        """Whether it is the canary's own pods that count, so that who counts comes and goes with them."""
        return any(each.metric.series.up_matchers for each in self._counters.values())

    @property
    def scrape_interval_seconds(self) -> float:
        """How far apart scrapes were measured to be; 0 as long as nobody can know."""
        known = (each.scrapes.interval_seconds for each in self._counters.values())
        return max(known, default=0.0)

    @property
    def least_scrape_interval_seconds(self) -> float:
        """How far apart the scrapes of what is scraped most often are; 0 as long as nobody can know."""
        known = [each.scrapes.interval_seconds for each in self._counters.values()]
        return min(filter(None, known), default=0.0)

    async def measure_scrape_interval(self, at: datetime) -> None:
        """Learn how far apart scrapes are before anything is counted; if nobody can tell, later."""
        counters = self._counters_of(requests_of(self.exposed))
        rollout = str(self.exposed.key)
        try:
            await counters.measure_scrape_interval(self._sources.counters, at)
        except RolloutsError as error:
            log.info("scrape interval not measured", rollout=rollout, error=str(error))
        except Exception:
            log.exception("scrape interval not measured", rollout=rollout)

    def update(self, exposed: ExposedCanary) -> None:
        """Go on with what has changed: the spec, or when the weight was applied."""
        if self.exposed.applied_at is None and exposed.applied_at is not None:
            self._traffic_since = max(exposed.exposed_at, exposed.applied_at)
        self.exposed = exposed
        for counters in self._counters.values():
            counters.applied(self._applied_at)

    @property
    def _applied_at(self) -> datetime | None:
        """When the present weight was applied; None while there is none, as of a preview."""
        return self.exposed.applied_at if self.exposed.weight_percent != 0 else None

    def _counters_of(self, metric: Metric) -> ExposureCounters:
        """Return the counters of a metric; those that lack a window begin at the exposure again."""
        criteria = self.exposed.spec.success_criteria
        asking = (each for each in criteria if metric_of(self.exposed, each) == metric)
        spans = {span for span in map(span_of, asking) if span is not None}
        found = self._counters.get(metric)
        if found is None or not spans <= found.windows.recent.keys():
            exposed_at, every = self.exposed.exposed_at, self._interval_seconds
            found = ExposureCounters(metric, exposed_at, every, spans, self._replica_labels)
            found.applied(self._applied_at)
            self._counters[metric] = found
        return found

    async def measure(self, at: datetime, due: Iterable[Criterion]) -> MeasurementRound:
        """Return what is known at `at`, with the criteria in `due` measured anew."""
        due, criteria = list(due), self.exposed.spec.success_criteria
        main = self._counters_of(requests_of(self.exposed))
        wanted = {main.metric, *(metric_of(self.exposed, each) for each in criteria)}
        # One of another name, after an edit of the spec, is read from the exposure on.
        self._counters = {each: found for each, found in self._counters.items() if each in wanted}
        asked = (metric_of(self.exposed, each) for each in due if each.query is None)
        counters = list(dict.fromkeys((main, *map(self._counters_of, asked))))
        problems = await asyncio.gather(*(self._read(each, at) for each in counters))
        problem = dict(zip(counters, problems, strict=True))
        measured = await asyncio.gather(*(self._measure(each, at, problem) for each in due))
        self._last |= {each.name: found for each, found in zip(due, measured, strict=True)}
        self._measured |= {each.name: each for each in due}
        known = {criterion.name for criterion in criteria}
        self._last = {name: found for name, found in self._last.items() if name in known}
        seen = [each.seen_at for each in self._counters.values() if each.seen_at is not None]
        return MeasurementRound(
            at=at,
            exposed_at=self.exposed.exposed_at,
            measurements=dict(self._last),
            criteria=dict(self._measured),
            canary=main.windows.total.arm(canary=True),
            stable=main.windows.total.arm(canary=False),
            served_percent=None if problem[main] else main.served_percent,
            scrape_interval_seconds=self.scrape_interval_seconds,
            interval_seconds=self._interval_seconds,
            seen_at=min(seen, default=None),
        )

    def failed(self, at: datetime, due: Iterable[Criterion], error: Exception) -> MeasurementRound:
        """Return a round that measured nothing, and says why."""
        self._last |= {each.name: Measurement(at=at, error=bug_of(error)) for each in due}
        self._measured |= {each.name: each for each in due}
        return MeasurementRound(at, self.exposed.exposed_at, dict(self._last), dict(self._measured))

    async def _read(self, counters: ExposureCounters, at: datetime) -> str:
        """Bring the counters up to date; returns why that was not possible, or nothing."""
        sources, present = self._sources, asyncio.get_running_loop().time
        until = present() + CATCH_UP_SECONDS
        try:
            await counters.read(sources.counters, at)
            while counters.behind(at) and present() < until:
                await counters.read(sources.counters, at)
            return counters.problem(at)
        except RolloutsError as error:
            return str(error)
        except Exception as error:
            log.exception("counters not read", rollout=str(self.exposed.key))
            return bug_of(error)

    async def _measure(
        self, criterion: Criterion, at: datetime, problem: dict[ExposureCounters, str]
    ) -> Measurement:
        """Return what one criterion measures; that it can't be is its own error, and no other's."""
        try:
            if criterion.query is not None:
                return await self._ask(criterion.query.promql, at)
            counters = self._counters_of(metric_of(self.exposed, criterion))
            if problem[counters]:
                return Measurement(at=at, error=problem[counters])
            return self._count(criterion, counters, at)
        except Exception as error:
            log.exception(
                "criterion not measured", rollout=str(self.exposed.key), criterion=criterion.name
            )
            return Measurement(at=at, error=bug_of(error))

    def _count(self, criterion: Criterion, counters: ExposureCounters, at: datetime) -> Measurement:
        requests = self._counters.get(requests_of(self.exposed, criterion), counters)
        found = measure(criterion, counters, requests, self.exposed, at)
        if criterion.window_seconds is not None and counters.seen_at is not None:
            # The same once more, after a restart too: no round counts twice.
            at = _kept(counters.seen_at)
        return replace(found, at=at, unseen=counters.unseen(self._traffic_since))

    async def _ask(self, query: str, at: datetime) -> Measurement:
        share = self.exposed.key.namespace
        try:
            found = await self._sources.value(self.exposed.fill(query), at=at, share=share)
        except RolloutsError as error:
            return Measurement(at=at, error=str(error))
        number = found.number
        counted = self._counters_of(requests_of(self.exposed)).windows.total
        return Measurement(
            at=at,
            canary=counted.arm(canary=True),
            stable=counted.arm(canary=False),
            value=number if number is not None and math.isfinite(number) else None,
            note="; ".join(found.warnings),
        )


def _kept(moment: datetime) -> datetime:
    """Return a moment as exactly as status keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
