"""
Native histograms, read as the classic ones that they stand in for; pure.

Prometheus 3 keeps a histogram as one series whose samples have all buckets in them, where it is told
to: the app exports it so, or what the app exports is converted. There is no `_bucket` and no `_count` then.
A bucket with nothing in it is not told, nor where it would end. So what is counted at the bounds that
criteria ask about is told whenever it is exact, and else up to the end of the bucket that such a
bound lies in: as of a classic histogram, the next bound decides, and it is said.

Buckets become wider while an app runs: client libraries, and Prometheus, keep to a number of them. What
was observed before is in the wider ones then, too. So one end counts for all samples, that of the widest.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from rollouts.judge.counters import Sample
from rollouts.model.counter_metric import BOUND, COUNT
from rollouts.model.durations import format_duration
from rollouts.ports import Histogram, Series

SHOWN_BOUNDS = tuple(2.0**power for power in range(-10, 8))
"""From 1 ms to 2 min: by these a quantile is shown, where they are exact. They decide nothing."""

Ends = Mapping[float, float]
"""
Up to where is counted what a bound asks for: to itself, or to the end of the widest bucket around it.

Infinity: it lies beyond the last bound of a histogram, which can't tell.
"""


def widest_ends(found: Iterable[Series], bounds: Iterable[float], before: Ends) -> Ends:
    """Return where the buckets of these histograms end that the bounds lie in; none before it did."""
    buckets = {
        (lower, upper)
        for series in found
        for _, histogram in series.histograms
        for lower, upper, _ in histogram.buckets
    }
    asked = {*bounds, *SHOWN_BOUNDS, *(lower for lower, upper in buckets if upper == math.inf)}
    return {bound: _end(before.get(bound, bound), buckets) for bound in sorted({*asked, *before})}


def _end(bound: float, buckets: Collection[tuple[float, float]]) -> float:
    around = [upper for lower, upper in buckets if lower < bound < upper]
    return _end(max(around), buckets) if around else bound


def is_counted_otherwise(found: Iterable[Series], before: Ends, ends: Ends, until: float) -> bool:
    """Return whether what was counted of a histogram up to `until`, in unix seconds, can't be added to by these ends."""
    changed = [(before.get(bound, bound), end) for bound, end in ends.items()]
    changed = [(old, new) for old, new in changed if old != new]
    if any(math.isinf(new) for _, new in changed):
        return True
    for series in found if changed else ():
        last = next((each for at, each in reversed(series.histograms) if at <= until), None)
        within = _Within(last) if last is not None else None
        if within is not None and any(within(old) != within(new) for old, new in changed):
            return True
    return False


def as_classic(
    found: Iterable[Series], name: str, bounds: Collection[float], ends: Ends
) -> list[Series]:
    """
    Return the series called `name`, a `_count` or `_bucket`, that native histograms stand in for.

    Of buckets there is one series for each of `bounds` that can be told, and some more to show a quantile by.
    """
    told = {
        bound: end
        for bound, end in ends.items()
        if end == bound or (bound in bounds and end < math.inf)
    }
    result: list[Series] = []
    for each in found:
        if each.histograms and name.endswith(COUNT):
            result.append(_counts(each, name))
        elif each.histograms:
            result += _buckets(each, name, told)
    return result


def where_buckets_end(bounds: Iterable[float], ends: Ends) -> str:
    """Return, in words, where a bucket ends that one of `bounds` lies in; no words, if none does."""
    return "; ".join(
        f"judged at {format_duration(ends[bound])}, where the native histogram's bucket around"
        f" {format_duration(bound)} ends"
        for bound in sorted(bounds)
        if bound < ends[bound] < math.inf
    )


def _counts(series: Series, name: str) -> Series:
    labels = {**series.labels, "__name__": name}
    return Series(labels, tuple((at, each.count) for at, each in series.histograms))


def _buckets(series: Series, name: str, told: Ends) -> Iterator[Series]:
    samples = [(at, _Within(each)) for at, each in series.histograms]
    for bound, end in told.items():
        counted = _changes([(at, within(end)) for at, within in samples])
        labels = {**series.labels, "__name__": name, BOUND: repr(bound)}
        yield Series(labels, tuple(counted))
    everything = tuple((at, each.count) for at, each in series.histograms)
    yield Series({**series.labels, "__name__": name, BOUND: "+Inf"}, everything)


def _changes(samples: Sequence[Sample]) -> Iterator[Sample]:
    """
    Yield the samples without those in the middle of a while in which nothing was counted.

    One sample of a native histogram becomes twenty: of a hundred pods with twenty routes each most are idle.
    That all were scraped, the last bound tells.
    """
    last = len(samples) - 1
    for index, (at, value) in enumerate(samples):
        if index in (0, last) or not samples[index - 1][1] == value == samples[index + 1][1]:
            yield at, value


class _Within:
    """How many of a histogram's observations are at most so large, asked of the ends of its buckets."""

    def __init__(self, histogram: Histogram) -> None:
        buckets = sorted((upper, count) for _, upper, count in histogram.buckets)
        self._uppers = [upper for upper, _ in buckets]
        self._sums = [0.0, *accumulate(count for _, count in buckets)]

    def __call__(self, end: float) -> float:
        return self._sums[bisect_right(self._uppers, end)]
