"""The work queue, with waits too short to notice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rollouts.backoff import Backoff
from rollouts.controller.queue import RETRY, Handler, WorkQueue
from rollouts.model.rollout_key import Key

A, B = Key("shop", "a"), Key("shop", "b")
QUICK = Backoff(first_seconds=0.001, longest_seconds=0.01)


@asynccontextmanager
async def working(queue: WorkQueue, handle: Handler, workers: int = 2) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.work(handle, workers))
    try:
        yield
    finally:
        queue.close()
        async with asyncio.timeout(5):
            await task


class Recorder:
    """Remembers what was worked on; a key may be held up until it is let go."""

    def __init__(self) -> None:
        self.seen: list[Key] = []
        self.busy: list[Key] = []
        self.most_at_once = 0
        self.gates: dict[Key, asyncio.Event] = {}
        self._changed = asyncio.Event()

    async def __call__(self, key: Key) -> None:
        assert key not in self.busy, "one worker at a time"
        self.busy.append(key)
        self.most_at_once = max(self.most_at_once, len(self.busy))
        self._changed.set()
        if key in self.gates:
            await self.gates[key].wait()
        self.busy.remove(key)
        self.seen.append(key)
        self._changed.set()

    async def until(self, count: int = 0, busy: int = 0) -> None:
        async with asyncio.timeout(5):
            while len(self.seen) < count or len(self.busy) < busy:
                self._changed.clear()
                await self._changed.wait()


async def test_a_key_that_waits_counts_once() -> None:
    queue, recorder = WorkQueue(), Recorder()
    for _ in range(5):
        queue.add(A)
    queue.add(B)

    async with working(queue, recorder):
        await recorder.until(2)

    assert sorted(recorder.seen) == [A, B]


async def test_a_key_that_changes_while_it_is_worked_on_is_worked_on_again_after() -> None:
    queue, recorder = WorkQueue(), Recorder()
    recorder.gates[A] = asyncio.Event()
    async with working(queue, recorder):
        queue.add(A)
        await recorder.until(busy=1)
        queue.add(A)
        queue.add(A)
        recorder.gates[A].set()
        await recorder.until(2)

    assert recorder.seen == [A, A]


async def test_only_so_many_are_worked_on_at_once() -> None:
    queue, recorder = WorkQueue(), Recorder()
    keys = [Key("shop", str(number)) for number in range(6)]
    recorder.gates = {key: asyncio.Event() for key in keys}
    async with working(queue, recorder, workers=3):
        for key in keys:
            queue.add(key)
        await recorder.until(busy=3)
        for gate in recorder.gates.values():
            gate.set()
        await recorder.until(6)

    assert recorder.most_at_once == 3


async def test_a_held_up_key_does_not_hold_up_others() -> None:
    queue, recorder = WorkQueue(), Recorder()
    recorder.gates[A] = asyncio.Event()
    async with working(queue, recorder):
        queue.add(A)
        queue.add(B)
        await recorder.until(1)
        assert recorder.seen == [B]
        recorder.gates[A].set()


async def test_of_several_wishes_the_earliest_wins() -> None:
    queue, recorder = WorkQueue(), Recorder()
    async with working(queue, recorder):
        queue.add_after(A, 3600)
        queue.add_after(A, 0.001)
        queue.add_after(A, 3600)
        await recorder.until(1)


async def test_working_on_a_key_ends_its_earlier_wishes() -> None:
    queue, recorder = WorkQueue(), Recorder()
    async with working(queue, recorder):
        queue.add_after(A, 0.02)
        queue.add(A)
        queue.add_after(B, 0.05)
        await recorder.until(2)

    assert recorder.seen == [A, B]


async def test_what_failed_comes_back() -> None:
    queue, recorder = WorkQueue(QUICK), Recorder()

    async def failing(key: Key) -> None:
        await recorder(key)
        if len(recorder.seen) < 4:
            queue.retry(key)

    async with working(queue, failing):
        queue.add(A)
        await recorder.until(4)


def test_the_back_off_doubles_up_to_its_cap_with_jitter() -> None:
    backoff, source = RETRY, random.Random(1)

    for failures, most in [(1, 0.5), (2, 1.0), (3, 2.0), (8, 60.0), (10_000, 60.0)]:
        delays = [backoff.delay(failures, source) for _ in range(50)]
        assert most / 2 <= min(delays) < max(delays) <= most


async def test_success_starts_the_back_off_anew() -> None:
    queue = WorkQueue(Backoff(first_seconds=1, longest_seconds=1000))
    for _ in range(8):
        queue.retry(A)
    assert queue.retry(A) > 100

    queue.forget(A)

    assert queue.retry(A) <= 1
    queue.close()


async def test_what_is_urgent_is_never_put_off_for_long() -> None:
    queue = WorkQueue(Backoff(first_seconds=1, longest_seconds=1000))
    for _ in range(8):
        assert queue.retry(A, 30, at_most_seconds=2) <= 2
    queue.close()


async def test_close_finishes_what_is_in_hand_and_drops_the_rest() -> None:
    queue, recorder = WorkQueue(), Recorder()
    recorder.gates[A] = asyncio.Event()
    async with working(queue, recorder, workers=1):
        queue.add(A)
        await recorder.until(busy=1)
        queue.add(B)
        queue.add(A)
        queue.close()
        recorder.gates[A].set()

    assert recorder.seen == [A]
    assert len(queue) == 0


async def test_a_change_does_not_wait_for_the_end_of_a_back_off() -> None:
    """An autoscaler asks for pods while a write is refused again and again."""
    queue, recorder = WorkQueue(Backoff(first_seconds=1000, longest_seconds=1000)), Recorder()

    async def failing(key: Key) -> None:
        await recorder(key)
        assert queue.retry(key) >= 500

    async with working(queue, failing):
        queue.add(A)
        await recorder.until(1)
        queue.add(A)
        await recorder.until(2)


async def test_what_is_urgent_waits_for_no_worker_that_waits() -> None:
    queue, recorder = WorkQueue(is_urgent=lambda key: key == B), Recorder()
    held = [Key("shop", f"held-{number}") for number in range(2)]
    recorder.gates = {key: asyncio.Event() for key in held}
    async with working(queue, recorder):
        for key in held:
            queue.add(key)
        await recorder.until(busy=2)
        queue.add(A)
        queue.add(B)
        assert len(queue) == 2
        await recorder.until(1)
        assert recorder.seen == [B]
        assert len(queue) == 1, "the other waits for its turn"
        for gate in recorder.gates.values():
            gate.set()
        await recorder.until(4)


async def test_what_turns_urgent_while_it_waits_is_worked_on_once() -> None:
    urgent = set[Key]()
    queue, recorder = WorkQueue(is_urgent=urgent.__contains__), Recorder()
    recorder.gates = {A: asyncio.Event()}
    async with working(queue, recorder, workers=1):
        queue.add(A)
        await recorder.until(busy=1)
        queue.add(B)
        urgent.add(B)
        queue.add(B)
        urgent.clear()
        queue.add(B)
        await recorder.until(1)
        recorder.gates[A].set()
        await recorder.until(2)
    assert recorder.seen == [B, A]


async def test_what_is_urgent_and_hangs_keeps_no_other_from_its_turn() -> None:
    """Such as retreats whose webhook is down, which are tried again and again: more of them than workers."""
    retreats = {Key("shop", f"retreat-{number}") for number in range(60)}
    queue, recorder = WorkQueue(is_urgent=retreats.__contains__), Recorder()
    recorder.gates = {key: asyncio.Event() for key in retreats}
    async with working(queue, recorder):
        for key in sorted(retreats):
            queue.add(key)
        await recorder.until(busy=2)
        queue.add(A)
        await recorder.until(1)
        assert recorder.seen == [A]
        for gate in recorder.gates.values():
            gate.set()
