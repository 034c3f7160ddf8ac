"""
About how many of a canary's requests nobody saw.

Counters lose nothing while nobody scrapes them, as long as they go on. What is lost:

- what a counter had when it was met, where nobody can say since when (see `births`);
- what came in a gap of the scrapes, where a counter began anew in it, or its process ended.

Of the first no more is lost than what was there, of both about as much as the canary gets in
such a time. It is an estimate, to wait for as much evidence as was missed; nothing is counted by it.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollouts.controller.counted import Labels, Meaning, Metric, labels_of, newest
from rollouts.judge.counters import Counter, falls
from rollouts.ports import Series

GAP_SPACINGS = 2.5
"""So many spacings without a scrape are a gap: two scrapes are missing."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which requests may have been lost, and how many at most."""

    begin: float
    end: float
    most: float = math.inf


class Blindness:
    """When nobody saw what a canary did."""

    def __init__(self, metric: Metric, since: float) -> None:
        self._metric = metric
        self._since = since
        self._spells: list[Spell] = []
        self._gaps: list[tuple[float, float]] = []
        self._last: dict[str, float] = {}
        """When each of the canary's processes was seen last."""
        self._newest = 0.0

    def note(
        self,
        found: Sequence[Series],
        known: Mapping[Labels, Counter],
        at_zero: Collection[Labels],
        spacing_seconds: float,
    ) -> None:
        """Take in what was read: `known` are the counters before it, `at_zero` those that are born."""
        seen = _seen(self._metric, found, known)
        for series in found:
            if not series.samples or not _tells(self._metric.meaning(series.labels)):
                continue
            process = self._metric.process(series.labels)
            self._last[process] = max(self._last.get(process, 0.0), newest([series]))
            labels = labels_of(series)
            first, value = min(series.samples)
            if value and first > self._since and labels not in {*known, *at_zero}:
                before = _before(seen[process], first)
                self._spells.append(Spell(before or self._since, first, value))
            for at in falls(known.get(labels), series.samples):
                before = _before(seen[process], at)
                if before and at > self._since and at - before > GAP_SPACINGS * spacing_seconds:
                    self._spells.append(Spell(before, at))

    def note_scrapes(self, telling: Iterable[Series], spacing_seconds: float) -> None:
        """Take in the samples of all that shows that the canary was scraped."""
        for at in sorted({at for each in telling for at, _ in each.samples}):
            if self._newest and at - self._newest > GAP_SPACINGS * spacing_seconds:
                self._gaps.append((self._newest, at))
            self._newest = max(self._newest, at)

    def missed(self, requests: int, begin: float, spacing_seconds: float) -> int:
        """
        Return about how many were missed, where `requests` were counted in the time that was seen.

        There were none before `begin`, in unix seconds.
        """
        spells = [*self._spells, *self._ends(spacing_seconds)]
        blind = _length((max(each.begin, begin), each.end) for each in spells)
        seen = max(self._newest - begin - blind, spacing_seconds)
        if not blind or not seen:
            return 0
        most = sum(each.most for each in spells if each.end > begin)
        # One more than were counted: that none was in a short time does not mean that there are none.
        return round(min(most, (requests + 1) / seen * blind))

    def _ends(self, spacing_seconds: float) -> list[Spell]:
        """Return the gaps in which a process of the canary ended."""
        return [
            Spell(begin, end)
            for begin, end in self._gaps
            if end > self._since
            and any(begin - 2 * spacing_seconds <= last <= begin for last in self._last.values())
        ]


def _tells(meaning: Meaning) -> bool:
    """Say whether a series counts requests of the canary, each once."""
    return meaning.canary and meaning.bound in (None, math.inf)


def _seen(
    metric: Metric, found: Iterable[Series], known: Mapping[Labels, Counter]
) -> dict[str, list[float]]:
    """Return when each process was scraped, in order."""
    result: dict[str, set[float]] = {}
    for labels, counter in known.items():
        result.setdefault(metric.process(dict(labels)), set()).add(counter.at)
    for series in found:
        times = result.setdefault(metric.process(series.labels), set())
        times.update(at for at, _ in series.samples)
    return {process: sorted(times) for process, times in result.items()}


def _before(times: Sequence[float], at: float) -> float:
    """Return the last of `times` before `at`; 0 if there is none."""
    index = bisect_left(times, at)
    return times[index - 1] if index else 0.0


def _length(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long it is that any of the spans lasts."""
    total, last = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, last))
        last = max(last, end)
    return total
