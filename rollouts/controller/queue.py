"""
One work queue for all Rollouts.

A key is worked on by one worker at a time. Added while it waits, it still counts once;
added while it is worked on, it is worked on again after. A key that fails comes back after
a delay that doubles, with jitter; a change of its objects brings it back at once.

What is urgent waits for nobody: a write may take half a minute, and a worker waits for it. So
there are as many workers again that take only that, and the others take it first.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence

from rollouts.backoff import Backoff
from rollouts.model.rollout_key import Key

Handler = Callable[[Key], Awaitable[None]]


RETRY = Backoff(first_seconds=0.5, longest_seconds=60.0)


class WorkQueue:
    """See the module. Belongs to one event loop; `is_urgent` is asked about keys that have to wait."""

    def __init__(
        self, backoff: Backoff | None = None, is_urgent: Callable[[Key], bool] = lambda _: False
    ) -> None:
        self._backoff = backoff or RETRY
        self._is_urgent = is_urgent
        self._workers = 0
        self._random = random.Random()
        self._ready: dict[Key, None] = {}
        self._urgent: dict[Key, None] = {}
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._ready) + len(self._urgent) + len(self._again)

    def add(self, key: Key) -> None:
        """Have `key` worked on as soon as a worker is free."""
        if self._closed:
            return
        if key in self._busy:
            self._again.add(key)
            return
        if self._has_to_wait() and self._is_urgent(key):
            self._ready.pop(key, None)
            self._urgent[key] = None
        elif key not in self._urgent:
            self._ready[key] = None
        self._changed.set()

    def _has_to_wait(self) -> bool:
        """Return whether no worker is free for one more."""
        return len(self._busy) + len(self._ready) >= self._workers

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

        When all of them are busy, as many more are handed what is urgent.
        """
        self._workers = workers
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                either = (self._urgent, self._ready)
                group.create_task(self._worker(handle, either), name=f"worker {number}")
                alone = (self._urgent,)
                group.create_task(self._worker(handle, alone), name=f"urgent worker {number}")

    def close(self) -> None:
        """Hand out no more keys: what is in hand is finished, the rest is dropped."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._ready.clear()
        self._urgent.clear()
        self._again.clear()
        self._changed.set()

    async def _worker(self, handle: Handler, lanes: Sequence[dict[Key, None]]) -> None:
        while (key := await self._next(lanes)) is not None:
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

    async def _next(self, lanes: Sequence[dict[Key, None]]) -> Key | None:
        """Return the key that waits longest in the first of the lanes that has one; None at the end."""
        while not any(lanes):
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        lane = next(filter(None, lanes))
        key = next(iter(lane))
        del lane[key]
        return key

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)
