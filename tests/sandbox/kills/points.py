"""Where the controller is killed: before and after each write of a story that nobody disturbed."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from tests.sandbox.kills.proxied_controller import ProxiedController
from tests.sandbox.kills.proxy import Severed, Write

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """Before the n-th such write reaches the API server, or after it was made and before the controller hears."""

    words: str
    occurrence: int
    side: Side

    @property
    def waits_for_a_scrape(self) -> bool:
        """Return whether the write may not come: its status says that a measurement is missing, if it is."""
        return "measure" in self.words

    def __str__(self) -> str:
        return f"{self.side} {self.words} ({self.occurrence})"


def points_of(writes: Iterable[Write]) -> list[Point]:
    """Return both points of each write that succeeded, in their order."""
    seen = Counter[str]()
    points = list[Point]()
    for each in writes:
        if not each.succeeded:
            continue
        seen[each.words] += 1
        points += [Point(each.words, seen[each.words], side) for side in SIDES]
    return points


def in_both(one: Sequence[Point], other: Sequence[Point]) -> list[Point]:
    """Return the points of `one` that `other` has too: what is written each time, whatever the clock says."""
    return [each for each in one if each in set(other)]


def sample(points: Sequence[Point], share: float, seed: int) -> list[Point]:
    """Return so many of the points, at least one, which the seed chooses."""
    chosen = random.Random(seed).sample(range(len(points)), max(1, round(share * len(points))))
    return [points[number] for number in sorted(chosen)]


class Kills:
    """
    Kills the controller at each of the points once, and has the next one start.

    A write that never reached the API server, or was refused, is not counted: the one that is made
    in its place is.
    """

    def __init__(self, controller: ProxiedController, points: Iterable[Point]) -> None:
        self.left = set(points)
        self.killed: list[Point] = []
        self._controller = controller
        self._seen = Counter[str]()
        self._reviving: set[asyncio.Task[None]] = set()

    async def before(self, write: Write) -> web.Response | None:
        self._kill_at(Point(write.words, self._seen[write.words] + 1, "before"))
        return None

    async def after(self, write: Write) -> None:
        if not write.succeeded:
            return
        self._seen[write.words] += 1
        self._kill_at(Point(write.words, self._seen[write.words], "after"))

    def _kill_at(self, point: Point) -> None:
        """Raises `Severed` when this is one of the points: the controller is dead then."""
        if point not in self.left:
            return
        self.left.remove(point)
        self._controller.signals(signal.SIGKILL)
        self.killed.append(point)
        reviving = asyncio.create_task(self._controller.start())
        self._reviving.add(reviving)
        reviving.add_done_callback(self._reviving.discard)
        raise Severed
