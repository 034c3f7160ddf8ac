"""Wakes who waits for about the same moment at the same time, so that what they ask can be asked together."""

import asyncio
import math
from datetime import UTC, datetime

from rollouts.ports import Clock

ALONE = 16
"""So few that wait are woken each at its own moment."""
COARSEST_SECONDS = 1.0
_AT_COARSEST = 1000
_STEPS = 4


class SharedTimers:
    """The moments that are waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[datetime, asyncio.Task[None]] = {}

    async def wait(self, until: datetime) -> None:
        """Return at that moment, together with all that wait for it; at once if it has passed."""
        sleeping = self._waiting.get(until)
        if sleeping is None:
            sleeping = asyncio.create_task(self._sleep(until), name=f"waits until {until}")
            self._waiting[until] = sleeping
        await asyncio.shield(sleeping)

    async def _sleep(self, until: datetime) -> None:
        try:
            await self._clock.sleep(max(0.0, (until - self._clock.now()).total_seconds()))
        finally:
            self._waiting.pop(until, None)

    async def close(self) -> None:
        """Wait for nothing any more."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def shared_moment(moment: datetime, many: int) -> datetime:
    """
    Return the moment from which on `many` that wait should share one: the more, the further apart.

    It is never earlier, and less than a second later.
    """
    if many <= ALONE:
        return moment
    wanted = min(COARSEST_SECONDS, many / _AT_COARSEST * COARSEST_SECONDS)
    steps = min(_STEPS, max(0, math.ceil(math.log2(COARSEST_SECONDS / wanted))))
    grid = COARSEST_SECONDS / 2**steps  # a power of two: moments of one grid are equal
    return datetime.fromtimestamp(math.ceil(moment.timestamp() / grid) * grid, UTC)
