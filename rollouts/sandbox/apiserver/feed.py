"""The bounded log of what happened to one kind, which watches read from."""

import asyncio
import itertools
from collections import deque
from dataclasses import dataclass
from typing import Literal

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.errors import expired

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a stored kind: the object after it (before its removal), and what it was before."""

    kind: Kind
    revision: int
    type: ChangeType
    object: JSON
    previous: JSON | None


class Feed:
    """
    The last `capacity` changes of one kind.

    A reader that asks for something older than that is told so with 410; it is never
    given a log with a hole.
    """

    def __init__(self, capacity: int) -> None:
        self._entries: deque[Entry] = deque()
        self._capacity = capacity
        self._floor = 0
        self._dropped = 0
        self._arrived = asyncio.Event()

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        if len(self._entries) > self._capacity:
            self._drop()
        self.wake()

    def _drop(self) -> None:
        self._floor = self._entries.popleft().revision
        self._dropped += 1

    def wake(self) -> None:
        """Let everybody who waits look again."""
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    def compact(self, revision: int) -> None:
        """Forget what happened up to `revision`: a watch that begins before it is too old."""
        while self._entries and self._entries[0].revision <= revision:
            self._drop()
        self._floor = max(self._floor, revision)

    def position_after(self, revision: int) -> int:
        """
        Return where to read on from, for one who knows everything up to `revision`.

        Raises:
            ApiError: 410, some of what came after has been forgotten.
        """
        if revision < self._floor:
            raise expired(revision, self._floor + 1)
        newer = sum(1 for entry in self._entries if entry.revision > revision)
        return self._dropped + len(self._entries) - newer

    def read(self, position: int) -> tuple[list[Entry], int]:
        """
        Return what has come since `position`, oldest first, and the position after it.

        Raises:
            ApiError: 410, the reader was too slow and has missed some.
        """
        if position < self._dropped:
            raise expired(0, self._floor + 1)
        found = list(itertools.islice(self._entries, position - self._dropped, None))
        return found, position + len(found)

    async def arrival(self, timeout_seconds: float) -> bool:
        """Wait for the next change; return False when none came in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True
