"""
One look at one exposed canary: every criterion measured, nothing judged.

That a source does not answer, or refuses a query, is an error of that measurement, never a
number. Each question has a limited time, and only so many are asked at once.
"""

import asyncio
import math
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import structlog

from rollouts.analysis.counter_reader import Reading
from rollouts.analysis.criterion_metric import metric_of, requests_of
from rollouts.analysis.deduplication import REPLICA_LABELS
from rollouts.analysis.measurement import errors, latency
from rollouts.analysis.no_data import silence
from rollouts.analysis.recent_window import Span
from rollouts.analysis.target import Target
from rollouts.errors import RolloutsError, Unavailable
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Look, Measurement
from rollouts.model.sources import VARIABLE
from rollouts.model.units import format_duration
from rollouts.ports import MetricSource, Series

if TYPE_CHECKING:
    from rollouts.analysis.counter_metric import Metric

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 5.0
CATCH_UP_SECONDS = 5.0
"""How long one look goes on reading what is long past, after which the next one continues."""
AT_ONCE = 8
_NO_SOURCE = "no Prometheus is named; start the controller with --prometheus URL"

_T = TypeVar("_T")


class NoSource:
    """A `MetricSource` for a controller that was told of none: it says so when asked."""

    async def samples(
        self,
        selector: str,  # noqa: ARG002 - the port's names
        *,
        until: datetime,  # noqa: ARG002
        window_seconds: float,  # noqa: ARG002
    ) -> tuple[Series, ...]:
        raise Unavailable(_NO_SOURCE)

    async def value(
        self,
        promql: str,  # noqa: ARG002
        *,
        at: datetime,  # noqa: ARG002
    ) -> float | None:
        raise Unavailable(_NO_SOURCE)


class Asking:
    """A `MetricSource` that is asked by many: each for a limited time, so many at once."""

    def __init__(self, source: MetricSource, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.source = source
        self._patience_seconds = patience_seconds
        self._free = asyncio.Semaphore(AT_ONCE)

    async def answer(self, question: Awaitable[_T]) -> _T:
        """
        Return the answer.

        Raises:
            RolloutsError: there is none, or not in time.
        """
        async with self._free:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    return await question
            except TimeoutError:
                limit = format_duration(self._patience_seconds)
                raise Unavailable(f"no answer within {limit}") from None
            except RolloutsError:
                raise
            except Exception as error:
                log.exception("metric source failed")
                raise Unavailable(f"{type(error).__name__}: {error}") from error


class Measuring:
    """Measures one exposure, from its beginning to its end."""

    def __init__(
        self,
        target: Target,
        asking: Asking,
        interval_seconds: float,
        replica_labels: Sequence[str] = REPLICA_LABELS,
    ) -> None:
        self.target = target
        self._asking = asking
        self._interval_seconds = interval_seconds
        self._replica_labels = replica_labels
        self._readings: dict[Metric, Reading] = {}
        self._last: dict[str, Measurement] = {}
        self._measured: dict[str, Criterion] = {}
        """What each of the last measurements is of."""
        self._traffic_since = target.exposed_at
        """Since when the canary may have had traffic, as far as is known."""

    @property
    def newest(self) -> float:
        """When what was read last had been scraped, in unix seconds; 0: nobody knows."""
        known = (each.newest for each in self._readings.values() if each.newest)
        return min(known, default=0.0)

    @property
    def spacing_seconds(self) -> float:
        """How far apart scrapes were measured to be; 0 as long as nobody can know."""
        return max((each.spacing_seconds for each in self._readings.values()), default=0.0)

    async def measure_spacing(self, at: datetime) -> None:
        """Learn how far apart scrapes are before anything is counted; if nobody can tell, later."""
        reading = self._reading(requests_of(self.target))
        try:
            await self._asking.answer(reading.measure_spacing(self._asking.source, at))
        except RolloutsError as error:
            log.info("spacing not measured", rollout=str(self.target.key), error=str(error))

    def update(self, target: Target) -> None:
        """Go on with what has changed: the spec, or when the weight was applied."""
        if self.target.applied_at is None and target.applied_at is not None:
            self._traffic_since = max(target.exposed_at, target.applied_at)
        self.target = target
        for reading in self._readings.values():
            reading.applied(self._applied_at)

    @property
    def _applied_at(self) -> datetime | None:
        """When the present weight was applied; None while there is none, as of a preview."""
        return self.target.applied_at if self.target.weight_percent != 0 else None

    def _reading(self, metric: "Metric") -> Reading:
        """Return the reading of a metric; one that lacks a window begins at the exposure again."""
        criteria = self.target.spec.success_criteria
        asking = (each for each in criteria if metric_of(self.target, each) == metric)
        windows = {span for span in map(_span, asking) if span is not None}
        found = self._readings.get(metric)
        if found is None or not windows <= found.windows.keys():
            found = Reading(
                metric,
                self.target.exposed_at,
                self._interval_seconds,
                windows,
                self._replica_labels,
            )
            found.applied(self._applied_at)
            self._readings[metric] = found
        return found

    async def look(self, at: datetime, due: Iterable[Criterion]) -> Look:
        """Return what is known at `at`, with the criteria in `due` measured anew."""
        due, criteria = list(due), self.target.spec.success_criteria
        main = self._reading(requests_of(self.target))
        wanted = {main.metric, *(metric_of(self.target, each) for each in criteria)}
        # One of another name, after an edit of the spec, is read from the exposure on.
        self._readings = {each: found for each, found in self._readings.items() if each in wanted}
        asked = (metric_of(self.target, each) for each in due if each.query is None)
        readings = list(dict.fromkeys((main, *map(self._reading, asked))))
        troubles = await asyncio.gather(*(self._read(each, at) for each in readings))
        trouble = dict(zip(readings, troubles, strict=True))
        measured = await asyncio.gather(*(self._measure(each, at, trouble) for each in due))
        self._last |= {each.name: found for each, found in zip(due, measured, strict=True)}
        self._measured |= {each.name: each for each in due}
        known = {criterion.name for criterion in criteria}
        self._last = {name: found for name, found in self._last.items() if name in known}
        seen = [each.seen_at for each in self._readings.values() if each.seen_at is not None]
        return Look(
            at=at,
            exposed_at=self.target.exposed_at,
            measurements=dict(self._last),
            criteria=dict(self._measured),
            canary=main.total.arm(canary=True),
            stable=main.total.arm(canary=False),
            served_percent=None if trouble[main] else _served(main),
            spacing_seconds=self.spacing_seconds,
            interval_seconds=self._interval_seconds,
            seen_at=min(seen, default=None),
        )

    def failed(self, at: datetime, due: Iterable[Criterion], error: Exception) -> Look:
        """Return a look that measured nothing, and says why."""
        self._last |= {each.name: Measurement(at=at, error=_bug(error)) for each in due}
        self._measured |= {each.name: each for each in due}
        return Look(at, self.target.exposed_at, dict(self._last), dict(self._measured))

    async def _read(self, reading: Reading, at: datetime) -> str:
        """Bring the counters up to date; returns why that was not possible, or nothing."""
        present = asyncio.get_running_loop().time
        until = present() + CATCH_UP_SECONDS
        try:
            await self._asking.answer(reading.read(self._asking.source, at))
            while reading.behind(at) and present() < until:
                await self._asking.answer(reading.read(self._asking.source, at))
            return reading.trouble(at)
        except RolloutsError as error:
            return str(error)
        except Exception as error:
            log.exception("counters not read", rollout=str(self.target.key))
            return _bug(error)

    async def _measure(
        self, criterion: Criterion, at: datetime, trouble: dict[Reading, str]
    ) -> Measurement:
        """Return what one criterion measures; that it can't be is its own error, and no other's."""
        try:
            if criterion.query is not None:
                return await self._ask(criterion.query.promql, at)
            reading = self._reading(metric_of(self.target, criterion))
            if trouble[reading]:
                return Measurement(at=at, error=trouble[reading])
            return self._count(criterion, reading, at)
        except Exception as error:
            log.exception(
                "criterion not measured", rollout=str(self.target.key), criterion=criterion.name
            )
            return Measurement(at=at, error=_bug(error))

    def _count(self, criterion: Criterion, reading: Reading, at: datetime) -> Measurement:
        if criterion.latency is not None:
            found = latency(criterion.latency, reading, at, _span(criterion))
        else:
            found = errors(reading, at, _span(criterion))
        requests = self._readings.get(requests_of(self.target, criterion), reading)
        if criterion.window_seconds is not None and reading.seen_at is not None:
            at = _kept(
                reading.seen_at
            )  # the same once more, after a restart too: no look counts twice
        return replace(
            found,
            at=at,
            silence=silence(reading, requests, self.target),
            missed=reading.missed(self._traffic_since),
        )

    async def _ask(self, promql: str, at: datetime) -> Measurement:
        filled = fill(promql, self.target)
        try:
            value = await self._asking.answer(self._asking.source.value(filled, at=at))
        except RolloutsError as error:
            return Measurement(at=at, error=str(error))
        counted = self._reading(requests_of(self.target)).total
        return Measurement(
            at=at,
            canary=counted.arm(canary=True),
            stable=counted.arm(canary=False),
            value=value if value is not None and math.isfinite(value) else None,
        )


def fill(promql: str, target: Target) -> str:
    """Return the expression with its `{{ }}` variables filled in."""
    variables = target.variables()
    return VARIABLE.sub(lambda match: variables.get(match[1], match[0]), promql)


def _kept(moment: datetime) -> datetime:
    """Return a moment as exactly as status keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _bug(error: Exception) -> str:
    return f"a fault of the controller, see its log: {type(error).__name__}: {error}"


def _span(criterion: Criterion) -> Span | None:
    """Return what the value is of; None: of all requests, or it is a query's matter."""
    seconds = criterion.window_seconds
    return Span(seconds, criterion.min_requests) if seconds is not None else None


def _served(reading: Reading) -> float | None:
    """Return the canary's share of the requests, in percent; None when that can't be known."""
    tally = reading.at_weight.tally if reading.at_weight is not None else reading.total
    canary, stable = tally.arm(canary=True).requests, tally.arm(canary=False).requests
    everyone = canary + stable
    return round(100 * canary / everyone, 1) if everyone and reading.sees_both else None
