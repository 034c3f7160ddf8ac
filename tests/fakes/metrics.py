"""A `CounterSource` and a `QuerySource` in memory: counters that a test scrapes by hand."""

import math
import re
from collections.abc import Mapping
from datetime import datetime

from rollouts.ports import Histogram, MetricSources, Series, Value

_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<matchers>.*)\})?", re.DOTALL)
_QUOTED = re.compile(r'\{"(?P<name>[^"\\]+)"(?:,(?P<matchers>.*))?\}', re.DOTALL)
_MATCHER = re.compile(
    r'(?:"(?P<quoted>[^"]+)"|(?P<label>\w+))(?P<how>=~|!~|=|!=)"(?P<value>(?:[^"\\]|\\.)*)"'
)


class FakeMetrics:
    """`count` moves counters; `scrape` takes a sample of each. `failures` are raised first."""

    def __init__(self) -> None:
        self.values: dict[tuple[tuple[str, str], ...], float] = {}
        self.failures: list[Exception] = []
        self.answers: dict[str, float | Value | Exception | None] = {}
        self.asked: list[str] = []
        self.natives: dict[tuple[tuple[str, str], ...], Histogram] = {}
        """What the native histograms have observed by now."""
        self._histograms: dict[tuple[tuple[str, str], ...], list[tuple[float, Histogram]]] = {}
        self._samples: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}

    def count(self, name: str, by: float = 1.0, **labels: str) -> None:
        key = tuple(sorted({"__name__": name, **labels}.items()))
        self.values[key] = self.values.get(key, 0.0) + by

    def observe(
        self, name: str, buckets: Mapping[tuple[float, float], float], **labels: str
    ) -> None:
        """Let a native histogram have observed so many in each bucket, by its bounds, in all."""
        key = tuple(sorted({"__name__": name, **labels}.items()))
        told = tuple((lower, upper, count) for (lower, upper), count in buckets.items())
        self.natives[key] = Histogram(sum(buckets.values()), told)

    def reset(self) -> None:
        """Let every exporter start again: its series begin anew."""
        self.values = {key: 0.0 for key in self.values if dict(key)["__name__"] != "up"}

    def scrape(self, at: datetime) -> None:
        for key, value in self.values.items():
            self._samples.setdefault(key, []).append((at.timestamp(), value))
        for key, histogram in self.natives.items():
            self._histograms.setdefault(key, []).append((at.timestamp(), histogram))

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        self.asked.append(selector)
        if self.failures:
            raise self.failures.pop(0)
        found = []
        end = until.timestamp()
        for key, samples in self._samples.items():
            labels = dict(key)
            inside = tuple(each for each in samples if end - window_seconds < each[0] <= end)
            if inside and matches(selector, labels):
                found.append(Series(labels, inside))
        for key, histograms in self._histograms.items():
            natives = tuple(each for each in histograms if end - window_seconds < each[0] <= end)
            if natives and matches(selector, dict(key)):
                found.append(Series(dict(key), (), natives))
        return tuple(found)

    async def last_scrape(self, up: str, *, at: datetime) -> float:
        self.asked.append(up)
        until = at.timestamp()
        times = (
            time
            for key, found in self._samples.items()
            if matches(up, dict(key))
            for time, value in found
            if value == 1 and time <= until
        )
        return max(times, default=0.0)

    async def most_scrapes(self, *, until: datetime, window_seconds: float) -> int:
        end = until.timestamp()
        counts = (
            sum(end - window_seconds < at <= end for at, _ in found)
            for key, found in self._samples.items()
            if ("__name__", "up") in key
        )
        return max(counts, default=0)

    async def value(self, query: str, *, at: datetime) -> Value:
        self.asked.append(query)
        answer = self.answers.get(query, math.nan)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Value) else Value(answer)

    @property
    def sources(self) -> MetricSources:
        """Return this one as both sources."""
        return MetricSources(counters=self, queries=self)


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Return whether a PromQL selector selects a series, as Prometheus would."""
    parsed = _SELECTOR.fullmatch(selector) or _QUOTED.fullmatch(selector)
    assert parsed is not None, selector
    if parsed["name"] != labels["__name__"]:
        return False
    for matcher in _MATCHER.finditer(parsed["matchers"] or ""):
        value = re.sub(r"\\(.)", r"\1", matcher["value"])
        have = labels.get(matcher["quoted"] or matcher["label"], "")
        holds = {
            "=": have == value,
            "!=": have != value,
            "=~": matcher["how"] == "=~" and re.fullmatch(value, have) is not None,
            "!~": matcher["how"] == "!~" and re.fullmatch(value, have) is None,
        }[matcher["how"]]
        if not holds:
            return False
    return True
