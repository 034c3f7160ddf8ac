"""A `Clock` that leaps from one moment at which something happens to the next."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

BEGINS = 5
SPINS = 500
"""So many rounds of the event loop a task may take from waking to sleeping again."""


class VirtualClock:
    """Stands still until `advance`. Who sleeps on it wakes exactly when due."""

    def __init__(self, at: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = at
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.after(seconds), self._count, woken))
        await woken

    def after(self, seconds: float) -> datetime:
        return self._now + timedelta(seconds=seconds)

    @property
    def next_at(self) -> datetime | None:
        """When the first sleeper wakes; None while nobody sleeps."""
        self._sleepers = [each for each in self._sleepers if not each[2].done()]
        heapq.heapify(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def settle(self) -> None:
        """Let tasks that were just made come to where they sleep."""
        for _ in range(BEGINS):
            await asyncio.sleep(0)

    async def advance(self, to: datetime) -> None:
        """
        Wake who is due up to `to`, one after the other, and let each work until it sleeps again.

        The time that work takes is nobody's: the clock stands still.
        """
        while (due := self.next_at) is not None and due <= to:
            self._now = due
            heapq.heappop(self._sleepers)[2].set_result(None)
            asleep = len(self._sleepers)
            for _ in range(SPINS):
                await asyncio.sleep(0)
                if len(self._sleepers) > asleep:
                    break
        self._now = to
