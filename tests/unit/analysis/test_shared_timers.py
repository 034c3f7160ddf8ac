"""Who waits for about the same moment is woken at the same time."""

import asyncio
from datetime import timedelta

from rollouts.analysis.shared_timers import ALONE, SharedTimers, shared_moment
from tests.fakes.clock import ManualClock
from tests.unit.analysis.harness import settle


def test_few_wait_for_their_own_moment() -> None:
    moment = ManualClock().after(0.123456)
    assert shared_moment(moment, ALONE) == moment


def test_many_share_moments_that_are_never_earlier_and_less_than_a_second_later() -> None:
    now = ManualClock().now()
    for many in (ALONE + 1, 100, 300, 1000, 50_000):
        moments = [now + timedelta(milliseconds=17 * each) for each in range(600)]
        late = [(shared_moment(each, many) - each).total_seconds() for each in moments]
        assert min(late) >= 0
        assert max(late) < 1
    assert len({shared_moment(each, 1000) for each in moments}) <= 12
    assert len({shared_moment(each, 100) for each in moments}) > 50


async def test_all_that_wait_for_a_moment_sleep_once() -> None:
    clock = ManualClock()
    moments, woken = SharedTimers(clock), []

    async def waiting(number: int) -> None:
        await moments.wait(clock.after(2))
        woken.append(number)

    tasks = [asyncio.create_task(waiting(number)) for number in range(5)]
    await settle()
    assert clock.sleepers == 1
    tasks[0].cancel()
    clock.move(2)
    await settle()
    assert sorted(woken) == [1, 2, 3, 4]
    await moments.close()


async def test_a_moment_that_has_passed_is_now() -> None:
    clock = ManualClock()
    moments = SharedTimers(clock)
    await moments.wait(clock.after(-5))
    await moments.close()
