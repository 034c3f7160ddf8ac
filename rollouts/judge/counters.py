"""
From raw samples of counters to what was counted since a moment.

Per series: differences of neighbouring samples are added up; a drop is a reset, after
which the counter began at zero, so that the new value is what was added. Sums over series
are made after that, never before. Nothing is extrapolated, and a gap adds only what the
samples on both sides of it show.

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


def advance(
    counter: Counter | None, samples: Iterable[Sample], *, since: float, born_at_zero: bool
) -> Counter | None:
    """
    Return the counter after more samples, in whatever order; None as long as there is none.

    The last sample at or before `since` (unix seconds) is where counting begins. For a
    series that has none, `born_at_zero` says that it did not exist at `since`, so that its
    first sample counts in full; otherwise nothing is known of it before that sample.
    Samples that were seen already, and values that are no number, change nothing.
    """
    last = counter
    for after in _after_each(counter, samples, since=since, born_at_zero=born_at_zero):
        last = after
    return last


def additions(
    counter: Counter | None, samples: Iterable[Sample], *, since: float, born_at_zero: bool
) -> list[Sample]:
    """Return what `advance` adds, and when: by the sample that shows it."""
    total, result = counter.total if counter is not None else 0.0, []
    for after in _after_each(counter, samples, since=since, born_at_zero=born_at_zero):
        if after.total > total:
            result.append((after.at, after.total - total))
        total = after.total
    return result


def _after_each(
    counter: Counter | None, samples: Iterable[Sample], *, since: float, born_at_zero: bool
) -> Iterator[Counter]:
    for at, value in sorted(samples):
        if not math.isfinite(value) or (counter is not None and at <= counter.at):
            continue
        if counter is None:
            counter = Counter(at, value, value if at > since and born_at_zero else 0.0)
        elif at <= since:
            counter = Counter(at, value)
        else:
            added = value - counter.value if value >= counter.value else value
            counter = Counter(at, value, counter.total + added)
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
    """Return cumulative counts without the dips that scrapes of several pods can leave."""
    highest, result = 0.0, []
    for count in counts:
        highest = max(highest, count)
        result.append(highest)
    return result
