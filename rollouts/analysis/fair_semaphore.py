"""Who may ask next, where only so many may at once: everybody's share in turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSemaphore:
    """So many turns `at_once`; of those that wait, each share has one before any has two."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, share: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        await self._take(share)
        try:
            yield
        finally:
            self._free += 1
            self._pass_on()

    async def _take(self, share: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(share, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came, and nobody is there to have it
                self._free += 1
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give what is free to those that wait; who has had a turn comes last."""
        while self._free and self._waiting:
            share, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[share] = waiting
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
