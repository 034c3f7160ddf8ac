"""A `Clock` that a test moves by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until `move`; sleepers wake in the order of their time."""

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
    def sleepers(self) -> int:
        """How many sleep, but for those that were cancelled."""
        self._sleepers = [each for each in self._sleepers if not each[2].done()]
        heapq.heapify(self._sleepers)
        return len(self._sleepers)

    @property
    def next_at(self) -> datetime | None:
        """When the first sleeper wakes; None while nobody sleeps."""
        return self._sleepers[0][0] if self.sleepers else None

    def move(self, seconds: float) -> None:
        """Wake who is due until then, all at once."""
        self._now = self.after(seconds)
        while (due := self.next_at) is not None and due <= self._now:
            heapq.heappop(self._sleepers)[2].set_result(None)
