"""The sources of metrics, as many releases ask them: each question has a limited time, so many at once."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from rollouts.errors import RolloutsError, Unavailable
from rollouts.model.durations import format_duration
from rollouts.ports import MetricSources

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 5.0
AT_ONCE = 8

_T = TypeVar("_T")


class LimitedSources:
    """`counters` and `queries` are asked through `answer`."""

    def __init__(
        self, sources: MetricSources, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.counters = sources.counters
        self.queries = sources.queries
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
