"""
Native histograms, read as the classic ones that they stand in for; pure.

Prometheus 3 keeps a histogram as one series whose samples have all buckets in them, where it is told
to: the app exports it so, or what the app exports is converted. There is no `_bucket` and no `_count` then.
A bucket with nothing in it is not told, nor where it would end. So what is counted at the bounds that
criteria ask about is told whenever it is exact, and else up to the end of the bucket that such a
bound lies in: as of a classic histogram, the next bound decides, and it is said.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from rollouts.judge.counters import Sample
from rollouts.model.counter_metric import BOUND, COUNT
from rollouts.model.units import format_duration
from rollouts.ports import Histogram, Series

SHOWN_BOUNDS = tuple(2.0**power for power in range(-10, 8))
"""From 1 ms to 2 min: by these a quantile is shown. They decide nothing."""


def as_classic(
    found: Iterable[Series], name: str, bounds: Collection[float]
) -> tuple[list[Series], str]:
    """
    Return the series called `name`, a `_count` or `_bucket`, that native histograms stand in for.

    Of buckets there is one series for each of `bounds`, and some more to show a quantile by. Besides, it is
    said, in words, where a bucket ends that one of `bounds` lies in; no words, if none does.
    """
    result: list[Series] = []
    ends: dict[float, float] = {}
    for each in found:
        if each.histograms and name.endswith(COUNT):
            result.append(_counts(each, name))
        elif each.histograms:
            result += _buckets(each, name, bounds)
            for bound in bounds:
                ends[bound] = max([ends.get(bound, bound), *_ends_around(bound, each)])
    note = "; ".join(
        f"judged at {format_duration(end)}, where the native histogram's bucket around"
        f" {format_duration(bound)} ends"
        for bound, end in sorted(ends.items())
        if end > bound
    )
    return result, note


def _counts(series: Series, name: str) -> Series:
    labels = {**series.labels, "__name__": name}
    return Series(labels, tuple((at, each.count) for at, each in series.histograms))


def _buckets(series: Series, name: str, bounds: Collection[float]) -> Iterator[Series]:
    for bound in sorted({*bounds, *SHOWN_BOUNDS, math.inf}):
        samples = [
            (at, _within(each, bound, whole=bound not in bounds)) for at, each in series.histograms
        ]
        le = "+Inf" if bound == math.inf else repr(bound)
        told = samples if bound == math.inf else _changes(samples)
        yield Series({**series.labels, "__name__": name, BOUND: le}, tuple(told))


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


def _within(histogram: Histogram, bound: float, *, whole: bool) -> float:
    """Return how many are at most `bound`: of the bucket that it lies in all, or with `whole` none."""
    if bound == math.inf:
        return histogram.count
    return sum(
        count
        for lower, upper, count in histogram.buckets
        if upper <= bound or (lower < bound and not whole)
    )


def _ends_around(bound: float, series: Series) -> Iterator[float]:
    """Yield where buckets end that the bound lies in, and that have something in them."""
    for _, histogram in series.histograms:
        for lower, upper, _ in histogram.buckets:
            if lower < bound < upper:
                yield upper
