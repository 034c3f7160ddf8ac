"""A `Clock` that leaps from one moment at which something happens to the next."""

import asyncio
import heapq
from datetime import datetime

from tests.fakes.clock import ManualClock

BEGINS = 40
SPINS = 500
"""So many rounds of the event loop a task may take from waking to sleeping again."""


class VirtualClock(ManualClock):
    """Stands still until `advance`. Who sleeps on it wakes exactly when due."""

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
