"""
One work queue for all Rollouts.

A key is worked on by one worker at a time. Added while it waits, it still counts once;
added while it is worked on, it is worked on again after. A key that fails comes back after
a delay that doubles, with jitter; a change of its objects brings it back at once.

A write may take half a minute, and a worker waits for it. So what is urgent has workers of its
own, and neither waits for the other: not what has to go back for the writes of others, and not
all others for retreats that hang.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

from rollouts.backoff import Backoff
from rollouts.model.rollout_key import Key

Handler = Callable[[Key], Awaitable[None]]


RETRY = Backoff(first_seconds=0.5, longest_seconds=60.0)
URGENT_WORKERS = 4
"""So many times more workers take what is urgent: as a rule they are idle, but what hangs one of them hangs many."""


class _Lane:
    """Keys that wait for the same workers, each once."""

    def __init__(self) -> None:
        self.keys: dict[Key, None] = {}
        self.changed = asyncio.Event()

    def add(self, key: Key) -> None:
        self.keys[key] = None
        self.changed.set()


class WorkQueue:
    """See the module. Belongs to one event loop; `is_urgent` is asked about each key that is added."""

    def __init__(
        self, backoff: Backoff | None = None, is_urgent: Callable[[Key], bool] = lambda _: False
    ) -> None:
        self._backoff = backoff or RETRY
        self._is_urgent = is_urgent
        self._random = random.Random()
        self._ready, self._urgent = _Lane(), _Lane()
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._closed = False

    def __len__(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._ready.keys) + len(self._urgent.keys) + len(self._again)

    def add(self, key: Key) -> None:
        """Have `key` worked on as soon as a worker is free."""
        if self._closed:
            return
        if key in self._busy:
            self._again.add(key)
        elif key in self._urgent.keys:
            return
        elif self._is_urgent(key):
            self._ready.keys.pop(key, None)
            self._urgent.add(key)
        else:
            self._ready.add(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Add `key` after `seconds`; of several such wishes the earliest wins."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        due = loop.time() + max(0.0, seconds)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._ring, key)

    def retry(
        self,
        key: Key,
        at_least_seconds: float | None = None,
        at_most_seconds: float = math.inf,
    ) -> float:
        """Add `key` after a back-off, and return its seconds; the most wins over the least."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = self._backoff.delay(
            self._failures[key], self._random, at_least_seconds=at_least_seconds
        )
        delay = min(delay, at_most_seconds)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """Forget that `key` ever failed."""
        self._failures.pop(key, None)

    async def work(self, handle: Handler, workers: int) -> None:
        """
        Hand out keys to `workers` at once until `close`; then return when they have finished.

        What is urgent is handed to `URGENT_WORKERS` times as many others.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._worker(handle, self._ready), name=f"worker {number}")
            for number in range(URGENT_WORKERS * workers):
                group.create_task(
                    self._worker(handle, self._urgent), name=f"urgent worker {number}"
                )

    def close(self) -> None:
        """Hand out no more keys: what is in hand is finished, the rest is dropped."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()
        for lane in (self._ready, self._urgent):
            lane.keys.clear()
            lane.changed.set()

    async def _worker(self, handle: Handler, lane: _Lane) -> None:
        while (key := await self._next(lane)) is not None:
            self._busy.add(key)
            # What is decided now says anew when to look again.
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()
            try:
                await handle(key)
                # Thousands of keys with nothing to do must not keep the loop from all else.
                await asyncio.sleep(0)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _next(self, lane: _Lane) -> Key | None:
        """Return the key that waits longest; None at the end."""
        while not lane.keys:
            if self._closed:
                return None
            lane.changed.clear()
            await lane.changed.wait()
        key = next(iter(lane.keys))
        del lane.keys[key]
        return key

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
