"""One reading of a page for all who want something of it, within bounds."""

import asyncio
from datetime import datetime

import pytest

from rollouts.analysis.reading_rate_limiter import ReadingRateLimiter
from rollouts.analysis.shared_pages import PageRead, SharedPages, joined
from rollouts.errors import TooLarge, Unavailable
from rollouts.ports import MetricsPage, Series, WantedSeries
from tests.fakes.clock import ManualClock
from tests.unit.analysis.harness import settle

PAGE = MetricsPage("http://10.0.0.1:10254/metrics", {"instance": "10.0.0.1:10254"})
NAME = "requests"


def wants(*begins: str, name: str = NAME) -> WantedSeries:
    return WantedSeries((name,), "canary", begins)


class OnePage:
    """A page with a series for each canary; it takes some time to answer."""

    def __init__(self, clock: ManualClock, *canaries: str) -> None:
        self.clock = clock
        self.canaries = canaries
        self.takes_seconds = 0.0
        self.most = 1000
        self.error: Exception | None = None
        self.odd: Series | None = None
        self.read_at: list[datetime] = []
        self.wanted: list[WantedSeries] = []

    async def read(
        self, page: MetricsPage, wanted: WantedSeries, *, at: datetime
    ) -> tuple[Series, ...]:
        assert page == PAGE
        self.read_at.append(at)
        self.wanted.append(wanted)
        await self.clock.sleep(self.takes_seconds)
        if self.error is not None:
            raise self.error
        if len(wanted.begins) > self.most:
            raise TooLarge("it has too many series")
        found = [each for each in self.canaries if each.startswith(wanted.begins or "")]
        sample = ((at.timestamp(), 1.0),)
        started = Series({"__name__": "started"}, sample)
        odd = [] if self.odd is None else [self.odd]
        shown = (Series({"__name__": NAME, "canary": each}, sample) for each in found)
        return (started, *odd, *shown)


class Readers:
    """Some that read a page again and again, each once a second at moments of their own."""

    def __init__(self, *canaries: str) -> None:
        self.clock = ManualClock()
        self.source = OnePage(self.clock, *canaries)
        self.shared = SharedPages(self.source, ReadingRateLimiter(self.clock, 200), self.clock)

    def ask(self, *begins: str) -> "asyncio.Task[PageRead]":
        return asyncio.create_task(self.shared.read(PAGE, wants(*begins)))

    async def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.move(0.1)
            await settle()


def canaries_of(read: PageRead) -> list[str]:
    return [each.labels["canary"] for each in read.series if "canary" in each.labels]


async def test_who_asks_at_the_same_time_shares_a_reading_and_gets_its_own() -> None:
    readers = Readers("shop-web-80", "shop-web-b-80", "cart-web-http")
    asked = [readers.ask("shop-web-"), readers.ask("cart-web-"), readers.ask("none-")]
    await readers.pass_by(0.1)
    assert len(readers.source.read_at) == 1
    assert [canaries_of(each.result()) for each in asked] == [
        ["shop-web-80", "shop-web-b-80"],
        ["cart-web-http"],
        [],
    ]
    assert all(each.result().series[0].labels["__name__"] == "started" for each in asked)
    await readers.shared.close()


async def test_what_a_page_says_that_nobody_can_use_keeps_nobody_waiting() -> None:
    readers = Readers()
    readers.source.odd = Series({"__name__": NAME, "canary": None}, ())  # type: ignore[dict-item]
    asked = [readers.ask("shop-web-"), readers.ask("cart-web-")]
    await readers.pass_by(0.1)
    for each in asked:
        with pytest.raises((TypeError, AttributeError)):
            each.result()
    readers.source.odd = None
    again = readers.ask("shop-web-")
    await readers.pass_by(2)
    assert canaries_of(again.result()) == []
    await readers.shared.close()


async def test_a_page_is_read_once_a_second_however_many_ask() -> None:
    readers = Readers("shop-web-80")

    async def again_and_again(after: float) -> None:
        await readers.clock.sleep(after)
        while True:
            began = readers.clock.now()
            await readers.shared.read(PAGE, wants("shop-web-"))
            taken = (readers.clock.now() - began).total_seconds()
            await readers.clock.sleep(1 - taken)

    tasks = [asyncio.create_task(again_and_again(number / 10)) for number in range(30)]
    await settle()
    await readers.pass_by(20)
    assert 19 <= len(readers.source.read_at) <= 22
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await readers.shared.close()


async def test_a_page_that_takes_long_is_read_more_seldom() -> None:
    readers = Readers("shop-web-80")
    readers.source.takes_seconds = 0.5
    for _ in range(3):
        asked = readers.ask("shop-web-")
        await readers.pass_by(5)
        assert asked.done()
    apart = [
        (b - a).total_seconds()
        for a, b in zip(readers.source.read_at, readers.source.read_at[1:], strict=False)
    ]
    assert min(apart) == pytest.approx(5.0, abs=0.2)
    await readers.shared.close()


async def test_what_is_too_much_for_one_reading_is_read_in_turns() -> None:
    readers = Readers(*(f"shop-web-{number}-80" for number in range(40)))
    readers.source.most = 12
    asked = [readers.ask(f"shop-web-{number}-") for number in range(40)]
    await readers.pass_by(8)
    assert [canaries_of(each.result()) for each in asked] == [
        [f"shop-web-{number}-80"] for number in range(40)
    ]
    await readers.shared.close()


async def test_one_that_alone_is_too_much_is_told_so() -> None:
    readers = Readers("shop-web-80")
    readers.source.most = 0
    asked = readers.ask("shop-web-")
    await readers.pass_by(0.1)
    assert isinstance(asked.exception(), TooLarge)
    await readers.shared.close()


async def test_that_nobody_answers_is_everybodys_error_and_passes() -> None:
    readers = Readers("shop-web-80")
    readers.source.error = Unavailable("gone")
    asked = [readers.ask("shop-web-"), readers.ask("cart-web-")]
    await readers.pass_by(0.1)
    assert [str(each.exception()) for each in asked] == ["gone", "gone"]
    readers.source.error = None
    later = readers.ask("shop-web-")
    await readers.pass_by(1.1)
    assert canaries_of(later.result()) == ["shop-web-80"]
    await readers.shared.close()


async def test_nobody_is_read_for_who_has_gone() -> None:
    readers = Readers("shop-web-80")
    readers.ask("shop-web-")
    await readers.pass_by(0.1)
    asked = readers.ask("shop-web-")
    await settle()
    asked.cancel()
    await readers.pass_by(3)
    assert len(readers.source.read_at) == 1
    await readers.shared.close()


def test_what_is_wanted_together_has_all_in_it_that_each_wants() -> None:
    assert joined([wants("b-"), wants("a-", name="other")]) == WantedSeries(
        ("other", NAME), "canary", ("a-", "b-")
    )
    assert joined([wants("b-"), WantedSeries((NAME,))]) == WantedSeries((NAME,))
    assert joined([wants("b-"), WantedSeries((NAME,), "arm", ("c",))]) == WantedSeries((NAME,))
