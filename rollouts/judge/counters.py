"""
From raw samples of counters to what was counted since a moment.

Per series: differences of neighbouring samples are added up; a drop is a reset, after
which the counter began at zero, so that the new value is what was added. Sums over series
are made after that, never before. Nothing is extrapolated, and a gap adds only what the
samples on both sides of it show. The buckets of a histogram begin anew together, although
not each of them is seen to fall.

Why not `increase()`: it extrapolates to the edges of its window, which gives fractions,
and it takes a series' first sample for its baseline, so that the first failures of a new
canary are missed (prometheus/prometheus issues 1673 and 3886).
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Sample = tuple[float, float]
"""Unix seconds, value."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One series: where it was last seen, and what was added since the moment that counts."""

    at: float
    value: float
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class CounterStart:
    """Where a series' counting begins, and begins anew."""

    since: float
    """Unix seconds: its last sample at or before is where counting begins."""
    from_zero: bool = False
    """If it has none: it did not exist then, so that its first sample counts in full."""
    resets: frozenset[float] = frozenset()
    """The times of samples before which it began anew, as others that go with it show."""


def advance(
    counter: Counter | None, samples: Iterable[Sample], start: CounterStart
) -> Counter | None:
    """
    Return the counter after more samples, in whatever order; None as long as there is none.

    Of a series that does not count from zero nothing is known before its first sample.
    Samples that were seen already, and values that are no number, change nothing: a NaN says
    nothing, and what is infinite or negative whoever reads has to refuse.
    """
    last = counter
    for after in _after_each(counter, samples, start):
        last = after
    return last


def additions(
    counter: Counter | None, samples: Iterable[Sample], start: CounterStart
) -> list[Sample]:
    """Return what `advance` adds, and when: by the sample that shows it."""
    total, result = counter.total if counter is not None else 0.0, []
    for after in _after_each(counter, samples, start):
        if after.total > total:
            result.append((after.at, after.total - total))
        total = after.total
    return result


def reset_times(counter: Counter | None, samples: Iterable[Sample]) -> frozenset[float]:
    """Return the times of the samples at which a series is less than it was: it began anew."""
    last, found = counter, set()
    for at, value in sorted(samples):
        if last is not None and (at <= last.at or not math.isfinite(value)):
            continue
        if last is not None and value < last.value:
            found.add(at)
        last = Counter(at, value)
    return frozenset(found)


def _after_each(
    counter: Counter | None, samples: Iterable[Sample], start: CounterStart
) -> Iterator[Counter]:
    since = start.since
    for at, value in sorted(samples):
        if not math.isfinite(value) or (counter is not None and at <= counter.at):
            continue
        if counter is None:
            counter = Counter(at, value, value if at > since and start.from_zero else 0.0)
        elif at <= since:
            counter = Counter(at, value)
        else:
            anew = value < counter.value or any(counter.at < each <= at for each in start.resets)
            counter = Counter(at, value, counter.total + (value if anew else value - counter.value))
        yield counter


def quantile(q: float, buckets: Mapping[float, float]) -> float | None:
    """
    Return the q-quantile of a histogram, by linear interpolation in its bucket; None without data.

    `buckets` maps upper bounds to cumulative counts, +Inf included. As Prometheus'
    `histogram_quantile` does: beyond the last finite bound the answer is that bound.
    """
    bounds = sorted(buckets)
    if not bounds or not math.isinf(bounds[-1]) or len(bounds) < 2:
        return None
    counts = _never_falling([buckets[bound] for bound in bounds])
    if counts[-1] <= 0:
        return None
    rank = q * counts[-1]
    index = bisect_left(counts, rank)
    if math.isinf(bounds[index]):
        return bounds[-2]
    below = counts[index - 1] if index else 0.0
    low = bounds[index - 1] if index else 0.0
    inside = counts[index] - below
    return low + (bounds[index] - low) * ((rank - below) / inside if inside > 0 else 1.0)


def boundary(bounds: Iterable[float], limit: float) -> float | None:
    """Return the least finite bound at or above `limit`: where "slower than" is a yes or no."""
    return min((bound for bound in bounds if math.isfinite(bound) and bound >= limit), default=None)


def _never_falling(counts: Sequence[float]) -> list[float]:
    """
    Return cumulative counts without the dips that scrapes of several pods can leave.

    For what is shown only: verdicts rest on the counts at one bound, where a dip is an error.
    """
    highest, result = 0.0, []
    for count in counts:
        highest = max(highest, count)
        result.append(highest)
    return result
