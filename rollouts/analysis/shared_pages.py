"""
Pages of counters, each read once for all who want something of it.

Who asks while a page is not due yet gets what its next reading shows. That comes a second after the last,
and later where a reading takes long: whoever serves requests is to be kept busy with ours for a tenth of
its time at most. What is too large for one reading is read in turns.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollouts.analysis.reading_rate_limiter import ReadingRateLimiter
from rollouts.errors import TooLarge, Unavailable
from rollouts.model.prefixes import Prefixes
from rollouts.ports import Clock, MetricsPage, PageSource, Series, WantedSeries

EVERY_SECONDS = 1.0
"""So often a page is read, where there are not too many, and none takes long."""
_LONGEST_SECONDS = 30.0
_SHARE_OF_TIME = 0.1
_GROWTH = 1.25


@dataclass(frozen=True, slots=True)
class PageRead:
    """What a page showed at a moment, of what one has asked for and perhaps more."""

    at: datetime
    series: tuple[Series, ...]


@dataclass(eq=False)
class _Question:
    wanted: WantedSeries
    answer: "asyncio.Future[PageRead]"


@dataclass
class _Page:
    """A page, and who waits for its next reading."""

    page: MetricsPage
    waiting: deque[_Question] = field(default_factory=deque)
    next_at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))
    most: int | None = None
    """So many at most are answered by one reading; None: all."""
    task: asyncio.Task[None] | None = None


class SharedPages:
    """Reads pages of `source` at a `pace`; has to be closed."""

    def __init__(self, source: PageSource, pace: ReadingRateLimiter, clock: Clock) -> None:
        self._source = source
        self._pace = pace
        self._clock = clock
        self._pages: dict[str, _Page] = {}

    async def read(self, page: MetricsPage, wanted: WantedSeries) -> PageRead:
        """
        Return what the next reading of a page shows.

        Raises:
            Unavailable: no answer, or not all of it, or nonsense.
        """
        state = self._pages.setdefault(page.url, _Page(page))
        state.page = page
        question = _Question(wanted, asyncio.get_running_loop().create_future())
        state.waiting.append(question)
        if state.task is None:
            self._forget_idle()
            state.task = asyncio.create_task(self._serve(state), name=f"reads {page.url}")
        return await question.answer

    async def close(self) -> None:
        """Read nothing any more."""
        tasks = [state.task for state in self._pages.values() if state.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget_idle(self) -> None:
        now = self._clock.now()
        self._pages = {
            url: state
            for url, state in self._pages.items()
            if state.waiting or state.task is not None or state.next_at > now
        }

    async def _serve(self, state: _Page) -> None:
        """Read a page for as long as anybody waits for it."""
        try:
            while state.waiting:
                wait = (state.next_at - self._clock.now()).total_seconds()
                if wait > 0:  # never longer than that, even if somebody sets the clock back
                    await self._clock.sleep(min(wait, _LONGEST_SECONDS))
                await self._pace.turn()
                most = state.most or len(state.waiting)
                taken = [state.waiting.popleft() for _ in range(min(most, len(state.waiting)))]
                taken = [each for each in taken if not each.answer.done()]
                if taken:
                    await self._read(state, taken)
        finally:
            state.task = None
            # A cancellation would end its reader for good.
            _fail(state.waiting, Unavailable("its reading was given up; it is read again"))
            state.waiting.clear()

    async def _read(self, state: _Page, questions: Sequence[_Question]) -> None:
        at = self._clock.now()
        try:
            found = await self._source.read(
                state.page, joined([each.wanted for each in questions]), at=at
            )
            _hand_out(questions, found, at)
        except TooLarge as error:
            if len(questions) == 1:
                _fail(questions, error)
            else:
                state.most = len(questions) // 2
                state.waiting.extendleft(reversed(questions))
        except BaseException as error:
            _fail(questions, error)
            if not isinstance(error, Exception):
                raise
        else:
            if state.most is not None and len(questions) >= state.most:
                state.most = int(state.most * _GROWTH) + 1
        finally:
            taken = (self._clock.now() - at).total_seconds()
            apart = min(_LONGEST_SECONDS, max(EVERY_SECONDS, taken / _SHARE_OF_TIME))
            state.next_at = at + timedelta(seconds=apart)


def joined(wanted: Sequence[WantedSeries]) -> WantedSeries:
    """Return what has in it all that each of them wants."""
    names = tuple(sorted({name for each in wanted for name in each.names}))
    labels = {each.label for each in wanted}
    if len(labels) > 1 or not all(each.begins for each in wanted):
        return WantedSeries(names)
    begins = tuple(sorted({text for each in wanted for text in each.begins}))
    return WantedSeries(names, labels.pop(), begins)


def _hand_out(questions: Sequence[_Question], found: Sequence[Series], at: datetime) -> None:
    """Give each what it wants, and what has not got the label by which that is told."""
    owners: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, each in enumerate(questions):
        for text in each.wanted.begins:
            owners[each.wanted.label, text].append(number)
    labels = {label for label, _ in owners}
    prefixes = {label: Prefixes(text for key, text in owners if key == label) for label in labels}
    unfiltered = {number for number, each in enumerate(questions) if not each.wanted.begins}
    parts: list[list[Series]] = [[] for _ in questions]
    for series in found:
        told = {label: series.labels[label] for label in labels if label in series.labels}
        to = {
            number
            for label, text in told.items()
            for begin in prefixes[label].of(text)
            for number in owners[label, begin]
        }
        for number in to | unfiltered if told else range(len(questions)):
            parts[number].append(series)
    for each, part in zip(questions, parts, strict=True):
        if not each.answer.done():
            each.answer.set_result(PageRead(at, tuple(part)))


def _fail(questions: Sequence[_Question], error: BaseException) -> None:
    for each in questions:
        if not each.answer.done():
            each.answer.set_exception(error)
