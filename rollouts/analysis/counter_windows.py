"""
What both arms have counted, since when: since the exposure, since the weight, in the last while.

One read's samples are added once, to each window that a judge may ask about. `CounterWindows` is
the face of this module:

- `total`: since the exposure.
- `at_weight`: since the weight that is applied now took effect.
- `recent`: the last seconds, or the last requests if these took longer.
- `restarts`: since the last two moments of a fixed grid, so that a late failure is not diluted.
- `intervals`: one short time after the other, in which both arms' shares of the traffic are one.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rollouts.analysis.sample_checks import histogram_of, histogram_resets
from rollouts.analysis.series import Labels, labels_of
from rollouts.judge.counters import Counter, CounterStart, Sample, additions, advance
from rollouts.model.counter_metric import Metric, SeriesMeaning
from rollouts.model.evidence import Counts, Interval
from rollouts.ports import Series

CELLS = 60
"""Into so many parts a recent window is divided, so that a long one needs no more memory than a short one."""
PER_RESTART = 20
"""So many intervals lie between two moments at which counting begins anew."""

_Addition = tuple[tuple[bool, float | None], float]
"""Of failed ones or others, in which bucket; and how many."""


@dataclass(frozen=True, slots=True)
class Span:
    """The last `seconds`, or the last `requests` of the canary if these took longer."""

    seconds: float
    requests: int = 0


@dataclass
class CounterWindow:
    """What a set of counters, by their labels, has counted since one moment."""

    since: float
    counters: dict[Labels, Counter] = field(default_factory=dict)
    meanings: dict[Labels, SeriesMeaning] = field(default_factory=dict)
    """What the counters say; all windows of one metric share it."""

    def add(self, labels: Labels, series: Series, start: CounterStart) -> list[Sample]:
        """Take in more samples of one series; returns what that adds, and when."""
        known = self.counters.get(labels)
        counter = advance(known, series.samples, start)
        if counter is not None:
            self.counters[labels] = counter
        return additions(known, series.samples, start)

    def later(self, since: float) -> "CounterWindow":
        """Return a window that begins at a later moment, with what is known of every series."""
        begun = {labels: Counter(each.at, each.value) for labels, each in self.counters.items()}
        return CounterWindow(since, begun, self.meanings)

    def knows(self, *, canary: bool) -> bool:
        """Return whether any series of this arm was seen."""
        return any(self.meanings[labels].canary == canary for labels in self.counters)

    def counts(self, *, canary: bool) -> bool:
        """Return whether anything of this arm was counted."""
        return any(
            counter.total and self.meanings[labels].canary == canary
            for labels, counter in self.counters.items()
        )

    def without_status(self) -> int:
        """Return how many of the canary's requests have no status that could tell failures."""
        unknown = (labels for labels, meaning in self.meanings.items() if not meaning.has_status)
        return self._sum(unknown, canary=True)

    def arm(self, *, canary: bool) -> Counts:
        """Return the requests of one arm, and those of them that the server answered with 5xx."""
        failed = (labels for labels, meaning in self.meanings.items() if meaning.failed)
        return Counts(self._sum(self.counters, canary=canary), self._sum(failed, canary=canary))

    def _sum(self, which: Iterable[Labels], *, canary: bool) -> int:
        """Return how many requests of one arm these have counted; a bucket is a part of all."""
        return round(  # counters of requests are whole; what is rounded are sums of floats
            sum(
                self.counters[labels].total
                for labels in which
                if labels in self.counters
                and self.meanings[labels].canary == canary
                and self.meanings[labels].counts_requests
            )
        )

    def histograms(self, *, canary: bool) -> list[dict[float, float]]:
        """
        Return one arm's histograms: cumulative counts by upper bound, in seconds.

        Those that counted nothing are left out, unless there are no others.
        """
        found: dict[Labels, dict[float, float]] = {}
        for labels, counter in self.counters.items():
            meaning = self.meanings[labels]
            if meaning.canary == canary and meaning.bound is not None:
                found.setdefault(histogram_of(labels), {})[meaning.bound] = counter.total
        counting = [each for each in found.values() if any(each.values())]
        return counting or list(found.values())


class RecentWindow:
    """
    What was counted of the canary in the last while, by the times of the samples that show it.

    Where too few requests came in that time to say anything, it goes back for as many as are
    needed: little traffic is judged late, and not never. It is exact to one part in sixty of its
    seconds.
    """

    def __init__(self, span: Span) -> None:
        self._requests = span.requests
        self._width = span.seconds / CELLS
        self._cells: dict[int, dict[tuple[bool, float | None], float]] = {}

    def add(self, meaning: SeriesMeaning, added: Iterable[Sample]) -> None:
        """Take in what one series added, and when."""
        if not meaning.canary:
            return
        kind = (meaning.failed, meaning.bound)
        for at, count in added:
            cell = self._cells.setdefault(self._cell(at), {})
            cell[kind] = cell.get(kind, 0.0) + count

    def begin(self, after: float) -> float:
        """
        Return `after`, in unix seconds, or the earlier moment after which enough requests were seen.

        Minus infinity if there were not so many at all.
        """
        missing = self._requests - self.counts(after).requests
        if missing <= 0:
            return after
        for number in sorted(self._cells, reverse=True):
            if number > self._cell(after):
                continue
            missing -= round(sum(count for _, count in _requests(self._cells[number].items())))
            if missing <= 0:
                return (number - 0.5) * self._width
        return -math.inf

    def forget(self, until: float) -> None:
        """Forget what was seen up to then, in unix seconds, and is not needed to have enough requests."""
        begin = self.begin(until)
        if math.isinf(begin):
            return
        last = self._cell(begin)
        self._cells = {number: cell for number, cell in self._cells.items() if number > last}

    def counts(self, after: float) -> Counts:
        """Return the canary's requests that were seen after that, and those that failed."""
        kinds = _requests(self._after(after))
        requests = sum(count for _, count in kinds)
        return Counts(round(requests), round(sum(count for failed, count in kinds if failed)))

    def buckets(self, after: float) -> dict[float, float]:
        """Return the canary's cumulative counts by upper bound, in seconds."""
        sums: dict[float, float] = {}
        for (_, bound), count in self._after(after):
            if bound is not None:
                sums[bound] = sums.get(bound, 0.0) + count
        return sums

    def _after(self, after: float) -> Iterable[_Addition]:
        last = self._cell(after)
        return (
            found for number, cell in self._cells.items() if number > last for found in cell.items()
        )

    def _cell(self, at: float) -> int:
        return math.floor(at / self._width)


class WeightWindow:
    """
    What was counted since the weight that is applied now took effect.

    A scrape shows what came before it. So counting begins, for each process that was there
    before, with its first scrape after the weight was applied. A pod of the canary that had not
    been scraped by then was made for this weight: what it has counted belongs to it, from its
    first answer on. The samples alone tell it, so that a controller that starts anew counts the
    same.
    """

    def __init__(
        self, metric: Metric, total: CounterWindow, applied_at: datetime, spans: Iterable[Span]
    ) -> None:
        self.applied_at = applied_at
        self.counted = total.later(applied_at.timestamp())
        self.recent = {span: RecentWindow(span) for span in spans}
        self._metric = metric
        self._first: dict[str, float] = {}
        """When each process was scraped first since then."""
        self._before: set[str] = set()
        """Those that were scraped before, too."""
        for labels, counter in total.counters.items():
            self._note_process(metric.process(dict(labels)), [counter.at])

    @property
    def since(self) -> float:
        """
        The first scrape that shows it of every process there was; infinity as long as there is none.

        A process that is new has counted nothing from before.
        """
        known = [at for process, at in self._first.items() if process in self._before]
        return max(known, default=min(self._first.values(), default=math.inf))

    def note_scrapes(self, scraped: Iterable[Series]) -> None:
        """Know when processes were scraped; before what was read with it is added."""
        for series in scraped:
            self._note_process(
                self._metric.process(series.labels), (at for at, _ in series.samples)
            )

    def add(self, labels: Labels, series: Series, start: CounterStart) -> None:
        """Take in more samples of one series."""
        since = self._counts_from(self._metric.process(series.labels), labels)
        added = self.counted.add(labels, series, replace(start, since=since))
        for window in self.recent.values():
            window.add(self.counted.meanings[labels], added)

    def _counts_from(self, process: str, labels: Labels) -> float:
        """Return after which moment the samples of a process show nothing but this weight."""
        if self.counted.meanings[labels].is_new_process and process not in self._before:
            return self.counted.since
        return self._first.get(process, math.inf)

    def _note_process(self, process: str, times: Iterable[float]) -> None:
        for at in times:
            if at > self.counted.since:
                self._first[process] = min(at, self._first.get(process, math.inf))
            else:
                self._before.add(process)


class Intervals:
    """What both arms counted in each interval since the exposure; `seconds` is the length of one."""

    def __init__(self, begin: float, seconds: float) -> None:
        self._begin = begin
        self._seconds = seconds
        self._sums: dict[int, dict[bool, list[float]]] = {}

    def add(self, meaning: SeriesMeaning, added: Iterable[Sample]) -> None:
        """Take in what one series added, and when."""
        if meaning.bound is not None:
            return
        for at, count in added:
            number = int((at - self._begin) // self._seconds)
            sums = self._sums.setdefault(number, {True: [0.0, 0.0], False: [0.0, 0.0]})
            sums[meaning.canary][0] += count
            sums[meaning.canary][1] += count if meaning.failed else 0.0

    def failing(self, since: float = -math.inf) -> tuple[Interval, ...]:
        """
        Return those in which anything failed, in their order.

        They are from after the present weight took effect if they begin after `since`, the first
        scrape that shows it, in unix seconds.
        """
        return tuple(
            Interval(
                number // PER_RESTART,
                _counts(sums[True]),
                _counts(sums[False]),
                at_weight=self._begin + number * self._seconds > since,
            )
            for number, sums in sorted(self._sums.items())
            if sums[True][1] or sums[False][1]
        )


class CounterWindows:
    """Every window of one metric; `restart_seconds` is the length of the fixed grid."""

    def __init__(
        self, metric: Metric, exposed_at: datetime, spans: Iterable[Span], restart_seconds: float
    ) -> None:
        self.total = CounterWindow(exposed_at.timestamp())
        self.recent = {span: RecentWindow(span) for span in spans}
        self.at_weight: WeightWindow | None = None
        """None: no weight has been applied."""
        self.restarts: dict[int, CounterWindow] = {}
        """The last two windows that begin anew, by their number: at j times a fixed length."""
        self.intervals = Intervals(self.total.since, restart_seconds / PER_RESTART)
        self._metric = metric
        self._exposed_at = exposed_at
        self._restart_seconds = restart_seconds

    @property
    def now(self) -> CounterWindow:
        """The counters since the present weight was applied; before the first one, since the exposure."""
        return self.at_weight.counted if self.at_weight is not None else self.total

    def applied(self, at: datetime | None) -> None:
        """Count anew what is counted at the present weight: it was applied at this moment."""
        if at is None:
            self.at_weight = None
        elif self.at_weight is None or self.at_weight.applied_at != at:
            self.at_weight = WeightWindow(self._metric, self.total, at, self.recent)

    def note_scrapes(self, scraped: Iterable[Series]) -> None:
        """Know when processes were scraped; before what was read with it is added."""
        if self.at_weight is not None:
            self.at_weight.note_scrapes(scraped)

    def begin_anew(self, until: datetime) -> None:
        """
        Have a window from the last two moments of the fixed grid that are not after `until`.

        Called before samples up to `until` are added: the new one begins with what was last seen.
        """
        length, since = self._restart_seconds, self.total.since
        latest = int((until - self._exposed_at).total_seconds() // length)
        self.restarts = {
            number: self.restarts.get(number) or self.total.later(since + number * length)
            for number in (latest - 1, latest)
            if number >= 1
        }

    def add(
        self, found: Sequence[Series], from_zero: Collection[Labels]
    ) -> list[tuple[SeriesMeaning, list[Sample]]]:
        """Take in one read's samples; return what each series says, and what it added when."""
        began_anew, result = histogram_resets(found, self.total.counters), []
        for series in found:
            labels = labels_of(series)
            meaning = self.total.meanings.get(labels) or self._metric.meaning(series.labels)
            self.total.meanings[labels] = meaning
            start = CounterStart(
                self.total.since,
                from_zero=labels in from_zero,
                resets=began_anew.get(histogram_of(labels), frozenset()),
            )
            added = self.total.add(labels, series, start)
            self.intervals.add(meaning, added)
            for recent in self.recent.values():
                recent.add(meaning, added)
            for later in self.restarts.values():
                later.add(labels, series, replace(start, since=later.since))
            if self.at_weight is not None:
                self.at_weight.add(labels, series, start)
            result.append((meaning, added))
        return result

    def forget(self, newest: float, scrape_interval_seconds: float) -> None:
        """Forget what no recent window needs any more, after a sample of that time."""
        at_weight = self.at_weight.recent if self.at_weight is not None else {}
        for span, window in (*self.recent.items(), *at_weight.items()):
            window.forget(newest - 2 * max(span.seconds, scrape_interval_seconds))


def _requests(found: Iterable[_Addition]) -> list[tuple[bool, float]]:
    """Return how many requests there were, each once, and whether they failed."""
    return [(failed, count) for (failed, bound), count in found if bound in (None, math.inf)]


def _counts(sums: list[float]) -> Counts:
    return Counts(round(sums[0]), round(sums[1]))
