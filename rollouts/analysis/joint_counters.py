"""
A counter source that asks together what many ask at the same moment.

Questions are gathered until nobody asks any more. Those of one form (`joint_selectors`) and of about
the same time become one, in portions. What comes back is cut apart, so that each has what it
would have had alone. A portion that is refused, or has too much in its answer, is asked again in
halves, and the next ones are as small as what went through. Who was refused alone is asked alone
for some time. That nobody answers is everybody's error, and nobody is asked again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rollouts.analysis.joint_selectors import Selector, SeriesOwners, joined_selector
from rollouts.errors import Permanent, TooLarge, TooSlow, Unavailable
from rollouts.ports import CounterSource, Series

MOST_AT_ONCE = 1000
LONGEST_CHARACTERS = 64_000
MOST_ADDITIONAL = 64
"""So many questions more halves may cost, of what is asked at one moment."""
ALONE_FOR = 20
"""So often who was refused alone is not asked together with others."""
_TOGETHER = "Prometheus was asked for too much at once; the next round asks for less"
_SAME_TIME = timedelta(seconds=2)
_QUIET_ROUNDS = 3
_LONGEST_GATHERING_SECONDS = 0.25
_PIECE = 1000
"""So many series are cut apart before others have the event loop."""
_HANDED_OUT = 8
"""So many get their answer before others have it: each then adds up what it got."""
_GROWTH = 1.25
_GROWS_AFTER = 20
"""So often portions went through before larger ones are tried."""
_LEAST_WHEN_SLOW = 50
"""A server that is slow is so for small portions too."""


@dataclass(eq=False)
class _Question:
    """What one has asked for."""

    selector: str
    parts: Selector | None
    until: datetime
    begin: datetime
    answer: "asyncio.Future[tuple[Series, ...]]"

    @property
    def kind(self) -> Hashable:
        """What it has in common with others that it may be asked with: its form, and about how long its time is."""
        seconds = (self.until - self.begin).total_seconds()
        return (self.parts.form, int(seconds).bit_length()) if self.parts is not None else self


@dataclass
class _Trial:
    """How one portion fared: what was asked besides, and what was learnt by it."""

    left: int = MOST_ADDITIONAL
    """So many questions more may be asked."""
    largest: int = 0
    """So many were answered at once."""
    refused_alone: list[str] = field(default_factory=list)
    halved: bool = False


@dataclass
class _Portions:
    """How much of one kind a server takes at once, as far as is known."""

    most: int = MOST_AT_ONCE
    alone: dict[str, int] = field(default_factory=dict)
    """Who is asked alone, and how often still."""
    _went_through: int = 0

    def of(self, questions: Sequence[_Question]) -> Iterable[list[_Question]]:
        """Yield them in portions, those of one namespace side by side."""
        portion: list[_Question] = []
        length = 0
        for each in sorted(questions, key=lambda each: each.selector):
            if each.selector in self.alone:
                self._again(each.selector)
                yield [each]
                continue
            longer = length + len(each.selector)
            if portion and (len(portion) >= self.most or longer > LONGEST_CHARACTERS):
                yield portion
                portion, longer = [], len(each.selector)
            portion.append(each)
            length = longer
        if portion:
            yield portion

    def _again(self, selector: str) -> None:
        self.alone[selector] -= 1
        if not self.alone[selector]:
            del self.alone[selector]

    def note(self, trial: _Trial, many: int) -> None:
        """Note how a portion of so many fared: whether it was too large, or had somebody in it who is refused."""
        for each in trial.refused_alone:
            if len(self.alone) < MOST_ADDITIONAL:
                self.alone[each] = ALONE_FOR
        if trial.halved and trial.largest and not trial.refused_alone:
            self.most, self._went_through = trial.largest, 0
        elif many >= self.most:
            self._went_through += 1
            if self._went_through >= _GROWS_AFTER:
                self.most = min(MOST_AT_ONCE, int(self.most * _GROWTH) + 1)
                self._went_through = 0

    def too_slow(self, portion: Sequence[_Question]) -> None:
        """
        Note that these were not answered in time: half as many may be.

        Of few, one may be slow by itself, and who that is shows when each is asked alone.
        """
        selectors = {each.selector for each in portion}
        self.most = min(self.most, max(_LEAST_WHEN_SLOW, len(portion) // 2))
        if len(selectors) <= MOST_ADDITIONAL:
            for each in sorted(selectors):
                if each in self.alone or len(self.alone) < 2 * MOST_ADDITIONAL:
                    self.alone[each] = ALONE_FOR


class JointCounters:
    """A `CounterSource` over another; errors are those of the other."""

    def __init__(self, source: CounterSource) -> None:
        self._source = source
        self._gathered: list[_Question] = []
        self._portions: dict[Hashable, _Portions] = defaultdict(_Portions)
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared: dict[Hashable, asyncio.Task[float]] = {}

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        begin = until - timedelta(seconds=window_seconds)
        answer: asyncio.Future[tuple[Series, ...]] = asyncio.get_running_loop().create_future()
        question = _Question(selector, Selector.parse(selector), until, begin, answer)
        self._gathered.append(question)
        if len(self._gathered) == 1:
            self._begin(self._dispatch())
        return await answer

    async def last_scrape(self, up: str, *, at: datetime) -> float:
        def ask() -> Awaitable[float]:
            return self._source.last_scrape(up, at=at)

        found = await self._once((up, int(at.timestamp())), ask)
        return min(found, at.timestamp())

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:
        async def ask() -> float:
            return await self._source.most_scrapes(until=until, window_seconds=window_seconds)

        return round(await self._once((int(until.timestamp()), round(window_seconds)), ask))

    async def close(self) -> None:
        """Ask nothing any more."""
        tasks = [*self._tasks, *self._shared.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self, key: Hashable, ask: Callable[[], Awaitable[float]]) -> float:
        """Return the answer that whoever asks the same in the same second gets as well."""
        asking = self._shared.get(key)
        if asking is None:

            async def asked() -> float:
                try:
                    return await ask()
                finally:
                    del self._shared[key]

            asking = self._shared[key] = asyncio.create_task(asked())
            asking.add_done_callback(_heard)
        return await asyncio.shield(asking)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dispatch(self) -> None:
        """Ask what is gathered, once nobody adds to it any more."""
        present = asyncio.get_running_loop().time
        until, quiet, before = present() + _LONGEST_GATHERING_SECONDS, 0, 0
        while quiet < _QUIET_ROUNDS and present() < until:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._gathered) == before else 0
            before = len(self._gathered)
        gathered, self._gathered = self._gathered, []
        for kind, questions in _by_kind(gathered):
            portions = self._portions[kind] if len(questions) > 1 else _Portions()
            for portion in portions.of(questions):
                self._begin(self._answer_portion(portion, portions))

    async def _answer_portion(self, portion: list[_Question], portions: _Portions) -> None:
        """Answer a portion, and remember how it fared."""
        trial = _Trial()
        try:
            await self._answer(portion, trial)
        except TooSlow as error:
            portions.too_slow(portion)
            _fail(portion, error)
        except BaseException as error:
            _fail(portion, error)
            if not isinstance(error, Exception):
                raise
        else:
            portions.note(trial, len(portion))

    async def _answer(self, portion: list[_Question], trial: _Trial) -> None:
        """
        Answer a portion; where it is refused, its halves.

        Raises:
            Exception: there is no answer, and would be none for less.
        """
        waiting = [each for each in portion if not each.answer.done()]
        if not waiting:
            return
        try:
            found = await self._ask(waiting)
        except (Permanent, TooLarge) as error:
            selectors = {each.selector for each in waiting}
            if len(selectors) > 1 and trial.left > 0:
                trial.left -= 2
                trial.halved = True
                half = len(waiting) // 2
                await self._answer(waiting[:half], trial)
                await self._answer(waiting[half:], trial)
                return
            if len(selectors) == 1:
                trial.refused_alone += selectors
            elif isinstance(error, TooLarge):  # together; nobody's own question may be
                _fail(waiting, Unavailable(f"{_TOGETHER}: {error}"))
                return
            _fail(waiting, error)
        else:
            trial.largest = max(trial.largest, len(waiting))
            await _hand_out(waiting, found)

    async def _ask(self, portion: Sequence[_Question]) -> list[list[Series]]:
        """Return what each of a portion has asked for."""
        until = max(each.until for each in portion)
        window_seconds = (until - min(each.begin for each in portion)).total_seconds()
        selectors = list({each.selector: each.parts for each in portion}.values())
        known = [each for each in selectors if each is not None]
        text = joined_selector(known) if len(known) > 1 else portion[0].selector
        found = await self._source.samples(text, until=until, window_seconds=window_seconds)
        if len(portion) == 1:
            return [list(found)]
        owners, cut = SeriesOwners(known), {each.text: list[Series]() for each in known}
        for number, series in enumerate(found):
            if number % _PIECE == _PIECE - 1:
                await asyncio.sleep(0)
            for owner in owners.of(series.labels):
                cut[known[owner].text].append(series)
        return [cut[each.selector] for each in portion]


def _by_kind(
    gathered: Iterable[_Question],
) -> Iterable[tuple[Hashable, list[_Question]]]:
    """Yield those that can be asked together: of one kind, and of about the same time."""
    kinds: dict[Hashable, list[_Question]] = defaultdict(list)
    for each in gathered:
        kinds[each.kind].append(each)
    for kind, questions in kinds.items():
        together: list[_Question] = []
        for each in sorted(questions, key=lambda each: each.until):
            if together and each.until - together[0].until > _SAME_TIME:
                yield kind, together
                together = []
            together.append(each)
        yield kind, together


async def _hand_out(portion: Sequence[_Question], found: Sequence[list[Series]]) -> None:
    """Give each its own series, as far as they lie in its own time."""
    for number, (each, series) in enumerate(zip(portion, found, strict=True)):
        if number % _HANDED_OUT == _HANDED_OUT - 1:
            await asyncio.sleep(0)
        if not each.answer.done():
            begin, until = each.begin.timestamp(), each.until.timestamp()
            own = (_within(one, begin, until) for one in series)
            each.answer.set_result(tuple(one for one in own if one.samples or one.histograms))


def _within(series: Series, begin: float, until: float) -> Series:
    """Return a series' samples in (begin, until]."""
    samples, histograms = series.samples, series.histograms
    times = [found[end][0] for found in (samples, histograms) if found for end in (0, -1)]
    if all(begin < at <= until for at in times):
        return series
    return Series(
        series.labels,
        tuple(each for each in samples if begin < each[0] <= until),
        tuple(each for each in histograms if begin < each[0] <= until),
    )


def _fail(portion: Iterable[_Question], error: BaseException) -> None:
    for each in portion:
        if not each.answer.done():
            each.answer.set_exception(error)


def _heard(task: "asyncio.Task[float]") -> None:
    """Take note of how a task ended: perhaps nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
