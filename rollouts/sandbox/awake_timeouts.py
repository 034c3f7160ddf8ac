"""Time-outs that count only the time in which this process looked for an answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

_BEAT_SECONDS = 0.05


class AwakeTimeouts:
    """
    Time-outs of `seconds` each, which stand still while the event loop does.

    A beat is due every 0.05 s. One that comes late puts every time-out off by as much, before
    those that are due in the same turn of the loop are looked at: its own timer is older.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: set[asyncio.Timeout] = set()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Watch the running loop until the end of the block."""
        self._await_beat()
        try:
            yield
        finally:
            self._timer.cancel()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """
        Limit what is awaited in the block.

        Raises:
            TimeoutError: it took longer, while the loop ran.
        """
        async with asyncio.timeout(self._seconds) as timeout:
            self._open.add(timeout)
            try:
                yield
            finally:
                self._open.discard(timeout)

    def _await_beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _BEAT_SECONDS
        self._timer = loop.call_at(due, self._beat, due)

    def _beat(self, due: float) -> None:
        self._put_off(asyncio.get_running_loop().time() - due)
        self._await_beat()

    def _put_off(self, seconds: float) -> None:
        for timeout in self._open:
            when = timeout.when()
            if when is not None and not timeout.expired():
                timeout.reschedule(when + seconds)
