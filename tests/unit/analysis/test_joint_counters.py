"""Many ask at one moment: few questions, and to each the answer that it would have had alone."""

import asyncio
import gc
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from rollouts.analysis.joint_counters import ALONE_FOR, JointCounters
from rollouts.errors import Permanent, TooLarge, TooSlow, Unavailable
from rollouts.ports import Series
from tests.fakes.clock import ManualClock
from tests.fakes.metrics import FakeMetrics

NOW = ManualClock().now()


class Limited(FakeMetrics):
    """Refuses what is too long, has too many series in its answer, or names somebody it does not like."""

    def __init__(self) -> None:
        super().__init__()
        self.longest, self.most_series, self.bad = 1_000_000, 1_000_000, ""
        self.is_away = False
        self.slow = ""
        self.most_in_time = 1_000_000

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        self.asked.append(selector)
        if self.is_away:
            raise Unavailable("Prometheus can't be reached")
        if len(selector) > self.longest:
            raise Permanent("too long query")
        if (self.slow and self.slow in selector) or len(selector) > self.most_in_time:
            raise TooSlow("no answer within 5s")
        if self.bad and self.bad in selector:
            raise Permanent(f"{self.bad} is refused")
        asked = len(self.asked)
        found = await super().samples(selector, until=until, window_seconds=window_seconds)
        del self.asked[asked:]
        if len(found) > self.most_series:
            raise TooLarge("too many samples")
        return found


class Shops:
    """So many shops, some to a namespace, which have all counted what their number is."""

    def __init__(self, many: int) -> None:
        self.metrics = Limited()
        self.joint = JointCounters(self.metrics)
        self.many = many
        for number in range(many):
            self.metrics.count("m", number, namespace=self.namespace(number), pod=f"s{number}-1")
        for back in (90, 60, 30, 0):
            self.metrics.scrape(NOW - timedelta(seconds=back))

    def namespace(self, number: int) -> str:
        return f"team-{number // 10}"

    def selector(self, number: int) -> str:
        return f'm{{namespace="{self.namespace(number)}",pod=~"s{number}-.+"}}'

    async def ask(
        self, number: int, until: datetime = NOW, window_seconds: float = 70
    ) -> tuple[Series, ...]:
        return await self.joint.samples(
            self.selector(number), until=until, window_seconds=window_seconds
        )

    async def ask_all(self, among: Sequence[int] = ()) -> dict[int, float | str]:
        """Return what each was told: its number, or why not."""
        numbers = among or range(self.many)
        found = await asyncio.gather(*map(self.ask, numbers), return_exceptions=True)
        return {number: _told(each) for number, each in zip(numbers, found, strict=True)}

    def are_right(self, found: dict[int, float | str], but: Sequence[int] = ()) -> bool:
        return all(told == number for number, told in found.items() if number not in but)


def _told(found: tuple[Series, ...] | BaseException) -> float | str:
    if isinstance(found, BaseException):
        return str(found)
    ((_, _, (_, value)),) = (each.samples for each in found)
    return value


async def test_all_that_ask_at_one_moment_are_asked_for_at_once() -> None:
    shops = Shops(300)
    assert shops.are_right(await shops.ask_all())
    assert len(shops.metrics.asked) == 1


async def test_each_gets_the_samples_of_its_own_time() -> None:
    shops = Shops(3)
    early = NOW - timedelta(seconds=1)
    found = await asyncio.gather(
        shops.ask(0), shops.ask(1, early), shops.ask(2, window_seconds=100)
    )
    assert [len(series.samples) for (series,) in found] == [3, 2, 4]
    assert len(shops.metrics.asked) == 1


async def test_what_is_asked_of_another_time_or_for_much_longer_is_asked_by_itself() -> None:
    shops = Shops(4)
    await asyncio.gather(
        shops.ask(0),
        shops.ask(1, NOW - timedelta(seconds=30)),
        shops.ask(2, window_seconds=900),
        shops.joint.samples("m", until=NOW, window_seconds=70),
    )
    assert len(shops.metrics.asked) == 4


async def test_the_same_question_is_asked_once() -> None:
    shops = Shops(2)
    found = await asyncio.gather(*(shops.ask(1) for _ in range(50)))
    assert {_told(each) for each in found} == {1}
    assert len(shops.metrics.asked) == 1


@pytest.mark.parametrize("limits", [{"longest": 900}, {"most_series": 30}])
async def test_what_a_server_refuses_as_too_much_is_asked_in_smaller_portions(
    limits: dict[str, int],
) -> None:
    shops = Shops(200)
    vars(shops.metrics).update(limits)
    assert shops.are_right(await shops.ask_all())
    first = len(shops.metrics.asked)
    shops.metrics.asked.clear()
    assert shops.are_right(await shops.ask_all())
    assert len(shops.metrics.asked) < first, "it is known now"


async def test_one_that_is_refused_harms_nobody_and_is_asked_alone_from_then_on() -> None:
    shops = Shops(200)
    shops.metrics.bad = "s77-"
    found = await shops.ask_all()
    assert found[77] == "s77- is refused"
    assert shops.are_right(found, but=[77])
    assert len(shops.metrics.asked) <= 20
    shops.metrics.asked.clear()
    shops.metrics.bad = ""
    for _ in range(ALONE_FOR):
        assert shops.are_right(await shops.ask_all())
    shops.metrics.asked.clear()
    assert shops.are_right(await shops.ask_all())
    assert all("|" in each for each in shops.metrics.asked), "and then with others again"


async def test_of_very_many_that_are_refused_only_so_many_are_asked_for_again() -> None:
    shops = Shops(500)
    shops.metrics.bad = "pod"
    found = await shops.ask_all()
    assert set(found.values()) == {"pod is refused"}
    assert len(shops.metrics.asked) <= 70


async def test_a_server_that_is_away_is_asked_once() -> None:
    shops = Shops(300)
    shops.metrics.is_away = True
    assert set((await shops.ask_all()).values()) == {"Prometheus can't be reached"}
    assert len(shops.metrics.asked) == 1
    shops.metrics.is_away = False
    assert shops.are_right(await shops.ask_all())


async def test_who_does_not_wait_any_more_is_nobody_else_s_matter() -> None:
    shops = Shops(20)
    asking = [asyncio.create_task(shops.ask(number)) for number in range(20)]
    await asyncio.sleep(0)
    asking[3].cancel()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[3], asyncio.CancelledError)
    assert [_told(each) for at, each in enumerate(found) if at != 3] == [
        number for number in range(20) if number != 3
    ]


async def test_a_bug_of_the_source_is_everybody_s_error() -> None:
    shops = Shops(5)
    shops.metrics.failures = [KeyError("data")]
    assert set((await shops.ask_all()).values()) == {"'data'"}


async def test_when_there_was_a_scrape_is_asked_once_for_all() -> None:
    shops = Shops(1)
    shops.metrics.count("up", 1, job="a")
    shops.metrics.scrape(NOW)
    shops.metrics.asked.clear()
    asked = [shops.joint.last_scrape('up{job="a"}', at=NOW) for _ in range(20)]
    assert set(await asyncio.gather(*asked)) == {NOW.timestamp()}
    counts = [shops.joint.most_scrapes(until=NOW, window_seconds=60) for _ in range(20)]
    assert set(await asyncio.gather(*counts)) == {1}
    assert len(shops.metrics.asked) == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_complaint() -> None:
    shops, complaints = Shops(1), list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    began, answered = asyncio.Event(), asyncio.Event()

    async def last_scrape(up: str, *, at: datetime) -> float:
        began.set()
        await answered.wait()
        raise Unavailable("Prometheus can't be reached")

    shops.metrics.last_scrape = last_scrape  # type: ignore[method-assign]
    asking = asyncio.create_task(shops.joint.last_scrape("up", at=NOW))
    await began.wait()
    asking.cancel()
    answered.set()
    await asyncio.gather(asking, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_who_is_slow_alone_is_soon_slow_for_nobody_else() -> None:
    shops = Shops(300)
    shops.metrics.slow = "s123-"
    for _ in range(6):
        await shops.ask_all()
    for _ in range(3 * ALONE_FOR):
        found = await shops.ask_all()
        assert found[123] == "no answer within 5s"
        assert shops.are_right(found, but=[123])


async def test_a_server_that_gives_up_what_is_large_is_asked_for_less() -> None:
    shops = Shops(300)
    shops.metrics.most_in_time = len(shops.selector(0)) * 40
    for _ in range(5):
        await shops.ask_all()
    assert shops.are_right(await shops.ask_all())


async def test_who_was_not_asked_again_is_not_told_that_its_own_answer_is_too_large() -> None:
    """A smaller question of its own would help nobody; the next look finds out more."""
    shops = Shops(300)
    shops.metrics.most_series = 3
    found = await asyncio.gather(*map(shops.ask, range(shops.many)), return_exceptions=True)
    wrong = [each for each in found if isinstance(each, BaseException)]
    assert 0 < len(wrong) < 300
    assert {type(each) for each in wrong} == {Unavailable}
    assert str(wrong[0]).startswith(
        "Prometheus was asked for too much at once; the next round asks for less: "
    )
    assert shops.are_right(await shops.ask_all())
