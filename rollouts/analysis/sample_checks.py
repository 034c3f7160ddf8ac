"""
What is scraped, made fit to be counted: bounds of buckets are numbers, and counters never negative.

Prometheus writes one bound in several ways (`le="1"`, `le="1.0"`, `le="1e+06"`), according to its
version and to what the app says of its type: series whose labels differ in that only are one.
What can't be a counter, or can't be one series, is taken out, and said; it never counts as 0.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from statistics import median_low

from rollouts.analysis.series import Labels, labels_of
from rollouts.judge.counters import Counter, Sample, reset_times
from rollouts.model.counter_metric import BOUND, bound_of
from rollouts.ports import Series


def countable_series(found: Iterable[Series]) -> tuple[list[Series], str]:
    """Return the series that can be counted, each bound written in one way, and what is wrong with others."""
    wrong: list[str] = []
    spelled: dict[Labels, list[Series]] = {}
    for series in found:
        try:
            labels = _canonical(series.labels)
        except ValueError:
            wrong.append(
                f"{_bucket(series.labels)}, which is no number: see whether a relabelling changes it"
            )
            continue
        samples = tuple(each for each in series.samples if 0 <= each[1] < math.inf)
        if any(value < 0 or math.isinf(value) for _, value in series.samples):
            name = labels.get("__name__", "a metric")
            wrong.append(f"{name} is negative, or infinite: it is no counter; name one that is")
        spelled.setdefault(labels_of(Series(labels)), []).append(Series(labels, samples))
    result = []
    for alike in spelled.values():
        at_once = _alive_at_once(alike)
        result.append(_joined(alike, at_once=at_once))
        if at_once:
            wrong.append(
                f"{_bucket(alike[0].labels)} twice, written in two ways: drop one of the two series,"
                " or wait until only one is scraped"
            )
    return result, wrong[0] if wrong else ""


def _bucket(labels: Mapping[str, str]) -> str:
    return f'{labels.get("__name__", "a histogram")} has the bound le="{labels[BOUND]}"'


def histogram_of(labels: Labels) -> Labels:
    """Return what the buckets of one histogram have in common."""
    return tuple(each for each in labels if each[0] != BOUND)


def histogram_resets(
    found: Iterable[Series], counters: Mapping[Labels, Counter]
) -> dict[Labels, frozenset[float]]:
    """Return, per histogram, the times at which any of its buckets fell: all of them began anew."""
    result: dict[Labels, frozenset[float]] = {}
    for series in found:
        labels = labels_of(series)
        histogram = histogram_of(labels)
        if histogram != labels:
            fell = reset_times(counters.get(labels), series.samples)
            result[histogram] = result.get(histogram, frozenset()) | fell
    return result


def _canonical(labels: Mapping[str, str]) -> Mapping[str, str]:
    bound = bound_of(labels)
    if bound is None:
        return labels
    return {**labels, BOUND: "+Inf" if bound == math.inf else repr(bound)}


def _alive_at_once(alike: list[Series]) -> bool:
    """
    Return whether several were scraped in turn: then they are not one that is only written otherwise now.

    One that is written so, then otherwise, then so again, has a gap where the other was.
    """
    if len(alike) < 2:
        return False
    for one in alike:
        times = [at for at, _ in one.samples]
        others = [at for other in alike if other is not one for at, _ in other.samples]
        usual = median_low([after - before for before, after in pairwise(times)] or [0.0])
        for before, after in [*pairwise(times), *((at, at) for at in times)]:
            if after - before <= 1.5 * usual and any(before <= at <= after for at in others):
                return True
    return False


def _joined(alike: list[Series], *, at_once: bool) -> Series:
    """Return one series of all; of those that are scraped in turn, what began first alone."""
    if len(alike) == 1:
        return alike[0]
    samples: list[Sample] = []
    for series in sorted(alike, key=lambda each: min(each.samples, default=(0.0, 0.0))):
        last = samples[-1][0] if samples and at_once else -math.inf
        samples += [each for each in sorted(series.samples) if each[0] > last]
    return Series(alike[0].labels, tuple(sorted(samples)))
