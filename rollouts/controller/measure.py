"""
One look at one exposed canary: every criterion measured, nothing judged.

That a source does not answer, or refuses a query, is an error of that measurement, never a
number. Each question has a limited time, and only so many are asked at once.
"""

import asyncio
import math
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import structlog

from rollouts.controller.metrics import metric_of, requests_of
from rollouts.controller.readings import Reading
from rollouts.controller.silence import silence
from rollouts.controller.target import Target
from rollouts.errors import RolloutsError, Unavailable
from rollouts.judge.counters import boundary, quantile
from rollouts.model.criteria import Criterion, Latency
from rollouts.model.evidence import Counts, Look, Measurement
from rollouts.model.sources import VARIABLE
from rollouts.model.units import format_duration
from rollouts.ports import MetricSource, Series

if TYPE_CHECKING:
    from rollouts.controller.counted import Metric

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

    def __init__(self, target: Target, asking: Asking, interval_seconds: float) -> None:
        self.target = target
        self._asking = asking
        self._interval_seconds = interval_seconds
        self._readings: dict[Metric, Reading] = {}
        self._last: dict[str, Measurement] = {}

    def update(self, target: Target) -> None:
        """Go on with what has changed: the spec, or when the weight was applied."""
        self.target = target
        for reading in self._readings.values():
            self._applied(reading)

    def _applied(self, reading: Reading) -> None:
        if self.target.applied_at is not None:
            reading.applied(self.target.applied_at)

    def _reading(self, metric: "Metric") -> Reading:
        if metric not in self._readings:
            reading = Reading(metric, self.target.exposed_at, self._interval_seconds)
            self._readings[metric] = reading
            self._applied(reading)
        return self._readings[metric]

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
        known = {criterion.name for criterion in criteria}
        self._last = {name: found for name, found in self._last.items() if name in known}
        seen = [each.seen_at for each in self._readings.values() if each.seen_at is not None]
        return Look(
            at=at,
            exposed_at=self.target.exposed_at,
            measurements=dict(self._last),
            canary=main.total.arm(canary=True),
            stable=main.total.arm(canary=False),
            served_percent=None if trouble[main] else _served(main),
            seen_at=min(seen, default=None),
        )

    async def _read(self, reading: Reading, at: datetime) -> str:
        """Bring the counters up to date; returns why that was not possible, or nothing."""
        present = asyncio.get_running_loop().time
        until = present() + CATCH_UP_SECONDS
        try:
            await self._asking.answer(reading.read(self._asking.source, at))
            while reading.behind(at) and present() < until:
                await self._asking.answer(reading.read(self._asking.source, at))
        except RolloutsError as error:
            return str(error)
        return reading.trouble(at)

    async def _measure(
        self, criterion: Criterion, at: datetime, trouble: dict[Reading, str]
    ) -> Measurement:
        if criterion.query is not None:
            return await self._ask(criterion.query.promql, at)
        reading = self._reading(metric_of(self.target, criterion))
        if trouble[reading]:
            return Measurement(at=at, error=trouble[reading])
        requests = self._readings.get(requests_of(self.target, criterion), reading)
        quiet = silence(reading, requests, self.target)
        if criterion.latency is not None:
            return replace(latency(criterion.latency, reading, at), silence=quiet)
        return replace(errors(reading, at), silence=quiet)

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


def errors(reading: Reading, at: datetime) -> Measurement:
    """Return how many requests failed, and their share."""
    canary = reading.total.arm(canary=True)
    return Measurement(
        at=at,
        canary=canary,
        stable=reading.total.arm(canary=False),
        value=canary.failures / canary.requests if canary.requests else None,
        note=reading.note(),
        restarts=tuple(
            (number, tally.arm(canary=True)) for number, tally in reading.restarts.items()
        ),
        intervals=reading.intervals.failing(),
    )


def latency(criterion: Latency, reading: Reading, at: datetime) -> Measurement:
    """
    Return how many requests were slower than the limit, and the quantile itself.

    "Slower than" is a yes or no only at a bucket's bound, so that the next one at or above
    the limit is what is measured, and said.
    """
    tally = reading.total
    buckets = tally.buckets(canary=True)
    bounds = {**buckets, **tally.buckets(canary=False)}
    if not bounds:
        return Measurement(at=at)
    limit = boundary(bounds, criterion.max)
    if limit is None:
        most = max((bound for bound in bounds if math.isfinite(bound)), default=0.0)
        wanted = format_duration(criterion.max)
        return Measurement(
            at=at,
            error=f"the histogram can't tell: {wanted} is above its largest bound, {format_duration(most)}",
        )
    notes = [reading.note()]
    if limit != criterion.max:
        notes.insert(0, f"judged at {format_duration(limit)}, the histogram's next bound")
    return Measurement(
        at=at,
        canary=_slower(buckets, limit),
        stable=_slower(tally.buckets(canary=False), limit),
        value=quantile(criterion.quantile, buckets),
        limit=limit,
        note="; ".join(filter(None, notes)),
        restarts=tuple(
            (number, _slower(later.buckets(canary=True), limit))
            for number, later in reading.restarts.items()
        ),
    )


def _slower(buckets: dict[float, float], limit: float) -> Counts:
    requests = round(buckets.get(math.inf, 0.0))
    return Counts(requests, max(0, requests - round(buckets.get(limit, 0.0))))


def _served(reading: Reading) -> float | None:
    """Return the canary's share of the requests, in percent; None when that can't be known."""
    tally = reading.recent
    canary, stable = tally.arm(canary=True).requests, tally.arm(canary=False).requests
    everyone = canary + stable
    return round(100 * canary / everyone, 1) if everyone and reading.sees_both else None
