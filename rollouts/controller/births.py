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
  so had no such series then, or if it says that it started since.

In doubt the first sample is where counting begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rollouts.judge.counters import Counter
from rollouts.ports import MetricSource, Series

Labels = tuple[tuple[str, str], ...]
_Place = tuple[str, str]


def labels_of(series: Series) -> Labels:
    """Return the labels of a series as a key."""
    return tuple(sorted(series.labels.items()))


def process(labels: Mapping[str, str]) -> str:
    """Return what tells one ingress controller's process from others, whoever scrapes it."""
    pod = labels.get("controller_pod")
    if pod:
        return f"pod {labels.get('controller_namespace', '')}/{pod}"
    instance = labels.get("instance")
    return f"instance {instance}" if instance else f"job {labels.get('job', '')}"


def by_one_job(
    found: Iterable[Series], chosen: dict[str, str], counters: Mapping[Labels, Counter]
) -> list[Series]:
    """
    Return each process' series of one job only: two that scrape it count everything twice.

    It is the job with the most series, of equals the first by name; `chosen` keeps it for
    as long as it is there. Of the one that replaces it, only what is later counts.
    """
    jobs: dict[str, dict[str, list[Series]]] = {}
    for series in found:
        of_process = jobs.setdefault(process(series.labels), {})
        of_process.setdefault(series.labels.get("job", ""), []).append(series)
    result: list[Series] = []
    for name, of_process in jobs.items():
        best = min(of_process, key=lambda job: (-len(of_process[job]), job))
        before = chosen.get(name, best)
        if before in of_process:
            best = before
        chosen[name] = best
        if best == before:
            result += of_process[best]
        else:
            result += _after(of_process[best], _last_seen(name, counters))
    return result


def _last_seen(name: str, counters: Mapping[Labels, Counter]) -> float:
    seen = (each.at for labels, each in counters.items() if process(dict(labels)) == name)
    return max(seen, default=0.0)


def _after(found: Iterable[Series], moment: float) -> list[Series]:
    later = [
        Series(each.labels, tuple(sample for sample in each.samples if sample[0] > moment))
        for each in found
    ]
    return [each for each in later if each.samples]


class Births:
    """Who is new, since one moment."""

    def __init__(self, since: datetime, look_back_seconds: float) -> None:
        self._since = since
        self._look_back_seconds = look_back_seconds
        self._was_up: dict[str, set[_Place]] = {}

    async def at_zero(
        self,
        source: MetricSource,
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
        new = {
            labels_of(each): each
            for each in found
            if labels_of(each) not in counters
            and each.samples
            and not any(at <= since for at, _ in each.samples)
        }
        spans = _spans(found, counters) if new else {}
        sure: set[Labels] = set()
        started_after: dict[Labels, float] = {}
        strangers: list[Labels] = []
        for labels, series in new.items():
            born = min(at for at, _ in series.samples)
            last = max(
                (end for start, end in spans[process(series.labels)] if start < born), default=None
            )
            if last is None:
                strangers.append(labels)
            elif last >= born:
                sure.add(labels)
            else:
                started_after[labels] = last
        sure |= await self._scraped_before(source, strangers)
        started_after |= {labels: since for labels in strangers if labels not in sure}
        return frozenset(sure | await self._started(source, started_after, until))

    async def _scraped_before(
        self, source: MetricSource, strangers: Iterable[Labels]
    ) -> set[Labels]:
        """Return those whose process answered a scrape shortly before counting began."""
        result = set()
        for labels in strangers:
            place = _place(dict(labels))
            if place[0] not in self._was_up:
                ups = await source.samples(
                    _of_job("up", place[0]),
                    until=self._since,
                    window_seconds=self._look_back_seconds,
                )
                self._was_up[place[0]] = {
                    _place(up.labels) for up in ups if any(value == 1 for _, value in up.samples)
                }
            if place in self._was_up[place[0]]:
                result.add(labels)
        return result

    async def _started(
        self, source: MetricSource, after: Mapping[Labels, float], until: datetime
    ) -> set[Labels]:
        """Return those whose process says that it started after the moment given for it."""
        started: dict[_Place, float] = {}
        for job in sorted({_place(dict(labels))[0] for labels in after}):
            for each in await source.samples(
                _of_job("process_start_time_seconds", job),
                until=until,
                window_seconds=self._look_back_seconds,
            ):
                started[_place(each.labels)] = max(each.samples, default=(0.0, 0.0))[1]
        return {
            labels
            for labels, moment in after.items()
            if started.get(_place(dict(labels)), 0.0) > moment
        }


def _spans(
    found: Iterable[Series], counters: Mapping[Labels, Counter]
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
        result.setdefault(process(dict(labels)), []).append(span)
    # Of those that began together, the one that is seen longest tells all.
    return {
        name: list({start: (start, end) for start, end in sorted(each)}.values())
        for name, each in result.items()
    }


def _place(labels: Mapping[str, str]) -> _Place:
    """Return the labels that `up` and the process' own metrics share with its counters."""
    names = ("instance", "controller_pod", "pod")
    return labels.get("job", ""), next((labels[name] for name in names if labels.get(name)), "")


def _of_job(metric: str, job: str) -> str:
    return f"{metric}{{job={quoted(job)}}}" if job else metric


def quoted(text: str) -> str:
    """Return `text` as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
