"""Who asks much is no reason for others to wait."""

import asyncio

from rollouts.analysis.fair_semaphore import FairSemaphore
from tests.unit.analysis.harness import settle


class Asking:
    """Questions that are answered when the test says so."""

    def __init__(self, at_once: int) -> None:
        self._turns = FairSemaphore(at_once)
        self.began: list[str] = []
        self.open: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, share: str, many: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._ask(share)) for _ in range(many)]

    async def _ask(self, share: str) -> None:
        async with self._turns.turn(share):
            self.began.append(share)
            answered = asyncio.Event()
            self.open.append(answered)
            await answered.wait()

    async def answer_all(self) -> None:
        while self.open:
            self.open.pop(0).set()
            await settle()


async def test_shares_take_turns() -> None:
    asking = Asking(1)
    asking.ask("greedy", 30)
    await settle()
    asking.ask("one")
    asking.ask("two", 2)
    await settle()
    await asking.answer_all()
    assert asking.began[:6] == ["greedy", "greedy", "one", "two", "greedy", "two"]
    assert len(asking.began) == 33


async def test_no_more_than_so_many_at_once() -> None:
    asking = Asking(3)
    asking.ask("a", 10)
    await settle()
    assert len(asking.began) == 3
    asking.open.pop(0).set()
    await settle()
    assert len(asking.began) == 4
    await asking.answer_all()


async def test_who_gives_up_waiting_leaves_the_turn_to_others() -> None:
    asking = Asking(1)
    asking.ask("a", 3)
    await settle()
    asking.tasks[1].cancel()
    await settle()
    asking.open.pop(0).set()
    asking.tasks[2].cancel()  # its turn has just come, or is about to
    await settle()
    asking.ask("b")
    await settle()
    assert asking.began[-1] == "b"
    await asking.answer_all()
