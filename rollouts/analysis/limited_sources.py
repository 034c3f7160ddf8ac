"""The sources of metrics, as many releases ask them: each question has a limited time, so many at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import structlog

from rollouts.analysis.fair_semaphore import FairSemaphore
from rollouts.analysis.joint_counters import JointCounters
from rollouts.errors import RolloutsError, TooSlow, Unavailable
from rollouts.model.durations import format_duration
from rollouts.ports import CounterSource, MetricSources, QuerySource, Series, Value

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 5.0
AT_ONCE = 4
"""So many questions for counters, and so many queries: who waits for the answer of one kind holds up none of the other."""
EVERYBODY = ""
"""Whose question it is that is asked for all together."""

_T = TypeVar("_T")


class LimitedSources:
    """
    `counters` asks together what many ask at once; a query is asked for the share that it belongs to.

    Shares take turns, so that many questions of one are no reason for others to wait.
    """

    def __init__(
        self, sources: MetricSources, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        limited = _LimitedCounters(sources.counters, _Limits(patience_seconds))
        self._joint = JointCounters(limited)
        self.counters: CounterSource = self._joint
        self._queries: QuerySource = sources.queries
        self._limits = _Limits(patience_seconds)

    async def value(self, query: str, *, at: datetime, share: str) -> Value:
        """
        Return what a query evaluates to, asked when it is the turn of its share.

        Raises:
            RolloutsError: there is no answer, or not in time.
        """
        return await self._limits.answer(lambda: self._queries.value(query, at=at), share)

    async def close(self) -> None:
        """Ask nothing any more; the sources themselves are whose they are."""
        await self._joint.close()


class _Limits:
    """How many questions are asked at once, and how long each may take."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._turns = FairSemaphore(AT_ONCE)

    async def answer(self, ask: Callable[[], Awaitable[_T]], share: str) -> _T:
        """
        Return the answer.

        Raises:
            RolloutsError: there is none, or not in time.
        """
        async with self._turns.turn(share):
            try:
                async with asyncio.timeout(self._patience_seconds):
                    return await ask()
            except TimeoutError:
                limit = format_duration(self._patience_seconds)
                raise TooSlow(
                    f"no answer within {limit}; see whether the source runs, is overloaded, or a NetworkPolicy"
                    " keeps us out"
                ) from None
            except RolloutsError:
                raise
            except Exception as error:
                log.exception("metric source failed")
                raise Unavailable(f"{type(error).__name__}: {error}") from error


class _LimitedCounters:
    """A `CounterSource` within the limits."""

    def __init__(self, source: CounterSource, limits: _Limits) -> None:
        self._source = source
        self._limits = limits

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        def ask() -> Awaitable[tuple[Series, ...]]:
            return self._source.samples(selector, until=until, window_seconds=window_seconds)

        return await self._limits.answer(ask, EVERYBODY)

    async def last_scrape(self, up: str, *, at: datetime) -> float:
        return await self._limits.answer(lambda: self._source.last_scrape(up, at=at), EVERYBODY)

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:
        def ask() -> Awaitable[int]:
            return self._source.most_scrapes(until=until, window_seconds=window_seconds)

        return await self._limits.answer(ask, EVERYBODY)
