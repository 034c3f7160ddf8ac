"""How many pages are read in a second, by all releases together: each reading waits for its turn."""

import asyncio
from datetime import UTC, datetime, timedelta

from rollouts.ports import Clock


class ReadingRateLimiter:
    """
    Turns, `per_second` of them, in the order in which they were asked for.

    A release asks again when its last turns are over, so that with more pages than turns each page
    is read equally often.
    """

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._apart = timedelta(seconds=1 / per_second)
        self._next_at = datetime.min.replace(tzinfo=UTC)
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Return when it is one's turn."""
        async with self._lock:
            now = self._clock.now()
            # Never longer than that, even if somebody sets the clock back.
            wait = min(self._apart, self._next_at - now)
            if wait > timedelta(0):
                await self._clock.sleep(wait.total_seconds())
            self._next_at = now + max(wait, timedelta(0)) + self._apart
