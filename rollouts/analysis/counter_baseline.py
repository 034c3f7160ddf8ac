"""
Whether a counter that was not there before counts from zero.

A series that appears after counting began can be new (the first 5xx of a canary: its first
sample counts in full), or old and merely met late (its first sample may be the sum of days).
Taking the first for the second misses failures; the reverse invents them. The rule, for each
process that is scraped, whose series always come together, in one scrape:

- Others of its series were seen before, and still are when the new one appears: it is new.
- Others were seen before, and all are gone when it appears: Prometheus calls them otherwise
  now, or the process began again. It is new only if the process says that it started since.
- None was seen before: it is new if the process was scraped just before counting began, and
  so had no such series then, or if it says that it started since. One that is made for the
  release (a pod of the canary) is also new if nobody tried to scrape it then, while others were. Of
  metrics that are pushed there is no `up`: then it is new if others of the metric came in.

In doubt the first sample is where counting begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from rollouts.analysis.series import Labels, labels_of
from rollouts.judge.counters import Counter
from rollouts.model.counter_metric import Metric, quoted, selector
from rollouts.ports import CounterSource, Series


class _Target(NamedTuple):
    """What is scraped, as `up` and the process' own metrics name it as well."""

    job: str
    name: str


class CounterBaseline:
    """Which counters are new, since one moment."""

    def __init__(self, metric: Metric, since: datetime, look_back_seconds: float) -> None:
        self._metric = metric
        self._since = since
        self._look_back_seconds = look_back_seconds
        self._before: dict[str, dict[_Target, bool]] = {}
        """Per job: who was a target just before counting began, and whether it answered."""
        self._scraping: bool | None = None
        self._coming_in = False
        """Whether any series of the metric had two samples then."""

    async def from_zero(
        self,
        source: CounterSource,
        found: Sequence[Series],
        counters: Mapping[Labels, Counter],
        until: datetime,
    ) -> frozenset[Labels]:
        """
        Return which of `found` count from zero; `counters` are those known before.

        Raises:
            RolloutsError: the source did not answer.
        """
        since = self._since.timestamp()
        self._coming_in = self._coming_in or _came_twice(found, since)
        new = {
            labels_of(each): each
            for each in found
            if labels_of(each) not in counters
            and each.samples
            and not any(at <= since for at, _ in each.samples)
        }
        spans = _spans(self._metric, found, counters) if new else {}
        sure: set[Labels] = set()
        started_after: dict[Labels, float] = {}
        unknown: list[Labels] = []
        for labels, series in new.items():
            first = min(at for at, _ in series.samples)
            last = max(
                (end for start, end in spans[self._metric.process(series.labels)] if start < first),
                default=None,
            )
            if last is None:
                unknown.append(labels)  # none of its process was seen before
            elif last >= first:
                sure.add(labels)  # others were, and still are
            else:
                started_after[labels] = last  # others were, and are gone
        sure |= await self._known_before(source, unknown)
        started_after |= {labels: since for labels in unknown if labels not in sure}
        return frozenset(sure | await self._started(source, started_after, until))

    async def _known_before(self, source: CounterSource, unknown: Iterable[Labels]) -> set[Labels]:
        """Return those that did not exist shortly before counting began, by who was scraped then."""
        result = set()
        for labels in unknown:
            facts = dict(labels)
            target = _target(facts)
            if target.job not in self._before:
                self._before[target.job] = await self._targets(source, target.job)
            answered = self._before[target.job].get(target)
            if answered or (
                answered is None
                and self._metric.meaning(facts).is_new_process
                and await self._was_scraping(source)
            ):
                result.add(labels)
        return result

    async def _targets(self, source: CounterSource, job: str) -> dict[_Target, bool]:
        """Return who was a target of the job just before counting began, and whether it answered."""
        ups = await source.samples(
            self._of_job("up", job), until=self._since, window_seconds=self._look_back_seconds
        )
        answered: dict[_Target, bool] = {}
        for up in ups:  # of several that scrape a target, it is enough that it answered one
            target = _target(up.labels)
            answered[target] = answered.get(target, False) or any(
                value == 1 for _, value in up.samples
            )
        return answered

    def _of_job(self, metric: str, job: str) -> str:
        of_job = f"job={quoted(job)}" if job else ""
        return selector(metric, self._metric.series.up_matchers, of_job)

    async def _was_scraping(self, source: CounterSource) -> bool:
        """Return whether anything was scraped twice then, or came in: if so, everything was at least once."""
        if self._coming_in:
            return True
        if self._scraping is None:
            scrapes = await source.most_scrapes(
                until=self._since, window_seconds=self._look_back_seconds
            )
            self._scraping = scrapes > 1  # without any target nobody was scraped
        return self._scraping

    async def _started(
        self, source: CounterSource, after: Mapping[Labels, float], until: datetime
    ) -> set[Labels]:
        """Return those whose process says that it started after the moment given for it."""
        started: dict[_Target, float] = {}
        for job in sorted({_target(dict(labels)).job for labels in after}):
            for each in await source.samples(
                self._of_job("process_start_time_seconds", job),
                until=until,
                window_seconds=self._look_back_seconds,
            ):
                # One that says nothing has not started since: in doubt it is met late.
                started[_target(each.labels)] = max(each.samples, default=(0.0, 0.0))[1]
        return {
            labels
            for labels, moment in after.items()
            if started.get(_target(dict(labels)), 0.0) > moment
        }


def _came_twice(found: Iterable[Series], since: float) -> bool:
    return any(sum(at <= since for at, _ in each.samples) > 1 for each in found)


def _spans(
    metric: Metric, found: Iterable[Series], counters: Mapping[Labels, Counter]
) -> dict[str, list[tuple[float, float]]]:
    """Return, per process, from when to when each of its series was seen."""
    spans = {labels: (each.at, each.at) for labels, each in counters.items()}
    for series in found:
        labels = labels_of(series)
        seen = [*(at for at, _ in series.samples), *spans.get(labels, ())]
        if seen:
            spans[labels] = (min(seen), max(seen))
    result: dict[str, list[tuple[float, float]]] = {}
    for labels, span in spans.items():
        result.setdefault(metric.process(dict(labels)), []).append(span)
    # Of those that began together, the one that is seen longest tells all.
    return {
        name: list({start: (start, end) for start, end in sorted(each)}.values())
        for name, each in result.items()
    }


def _target(labels: Mapping[str, str]) -> _Target:
    names = ("instance", "controller_pod", "pod")
    name = next((labels[each] for each in names if labels.get(each)), "")
    return _Target(labels.get("job", ""), name)
