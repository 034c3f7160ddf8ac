"""
From what was counted to the numbers that are judged; pure.

What an error rate is, and what a latency, is here. A histogram that can't tell gives an error.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rollouts.analysis.counter_windows import CounterWindow, Span
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.no_data import why_no_data
from rollouts.analysis.served_share import why_not_served
from rollouts.errors import Permanent
from rollouts.judge.counters import boundary, quantile
from rollouts.model.counter_metric import BOUND
from rollouts.model.criteria import Criterion, Latency
from rollouts.model.durations import format_duration
from rollouts.model.evidence import Counts, Measurement, RecentCounts

Buckets = Mapping[float, float]
"""Cumulative counts by upper bound, in seconds."""


def bug_of(error: Exception) -> str:
    """Return what is said of an error that is a bug: of a measurement, or of its verdict."""
    return f"this is a bug of the controller, whose log has the traceback: {type(error).__name__}: {error}"


def span_of(criterion: Criterion) -> Span | None:
    """Return which of the last requests a criterion's value is of; None: of all, or it is a query's matter."""
    seconds = criterion.window_seconds
    return Span(seconds, criterion.min_requests) if seconds is not None else None


def measure(
    criterion: Criterion,
    counters: ExposureCounters,
    requests: ExposureCounters,
    exposed: ExposedCanary,
    at: datetime,
) -> Measurement:
    """
    Return what a criterion that counts requests measures at `at`.

    `requests` counts all requests of the same source, whatever the criterion is about.
    """
    if criterion.latency is not None:
        found = _latency(criterion.latency, counters, at, span_of(criterion))
    else:
        found = _errors(counters, at, span_of(criterion))
    note = "; ".join(filter(None, (found.note, why_not_served(requests, exposed))))
    return replace(found, no_data=why_no_data(counters, requests, exposed), note=note)


def _errors(counters: ExposureCounters, at: datetime, span: Span | None) -> Measurement:
    """Return how many requests failed, and their share; with a window, the share of its requests."""
    windows = counters.windows
    canary, at_weight = windows.total.arm(canary=True), windows.at_weight
    asked, unknown = counters.metric.series, windows.total.without_status()
    if unknown and unknown == canary.requests:
        why = "so that nobody can tell which requests failed"
        return Measurement(
            at=at, error=f"{asked.name} has no HTTP status in {asked.status_label}, {why}"
        )
    taken = (
        f"{unknown} requests, without an HTTP status in {asked.status_label}, are taken for good"
    )
    recent = None
    if span is not None:
        length, after = counters.extent(span)
        recent = RecentCounts(
            length,
            windows.recent[span].counts(after),
            at_weight.recent[span].counts(after) if at_weight else None,
        )
    compared = recent.canary if recent is not None else canary
    return Measurement(
        at=at,
        canary=canary,
        stable=windows.total.arm(canary=False),
        at_weight=at_weight.counted.arm(canary=True) if at_weight else None,
        recent=recent,
        value=compared.failures / compared.requests if compared.requests else None,
        note="; ".join(filter(None, (taken if unknown else "", counters.note()))),
        restarts=tuple(
            (number, later.arm(canary=True)) for number, later in windows.restarts.items()
        ),
        intervals=windows.intervals.failing(at_weight.since if at_weight else -math.inf),
    )


def _latency(
    criterion: Latency, counters: ExposureCounters, at: datetime, span: Span | None
) -> Measurement:
    """
    Return how many requests were slower than the limit, and the quantile itself.

    "Slower than" is a yes or no only at a bucket's bound, so that the next one at or above
    the limit is what is measured, and said. A histogram that can't tell is an error.
    """
    total = counters.windows.total
    canary, stable = (total.histograms(canary=arm) for arm in (True, False))
    if not canary and not stable:
        return Measurement(at=at, error=_without_bounds(counters) if total.counters else "")
    try:
        limit = _limit(canary or stable, criterion.max)
        return _slower_than(limit, criterion, counters, at, span)
    except Permanent as error:
        return Measurement(at=at, error=str(error))


def _without_bounds(counters: ExposureCounters) -> str:
    return (
        f"{counters.metric.series.name} has no bounds: its buckets lack the label {BOUND}, as those of"
        " VictoriaMetrics' own histograms do, which have vmrange; export a histogram with bounds"
    )


def _slower_than(
    limit: float, criterion: Latency, counters: ExposureCounters, at: datetime, span: Span | None
) -> Measurement:
    windows, notes = counters.windows, [counters.note()]
    stable, unclear = _of_stable(windows.total, limit)
    if limit != criterion.max:
        notes.insert(0, f"judged at {format_duration(limit)}, the histogram's next bound")
    notes.append(unclear)
    at_weight, recent = windows.at_weight, None
    compared: Buckets = _summed(windows.total.histograms(canary=True))
    if span is not None:
        length, after = counters.extent(span)
        none = dict.fromkeys(compared, 0.0)  # a window knows what was added, and nothing of others
        compared = none | windows.recent[span].buckets(after)
        present = none | at_weight.recent[span].buckets(after) if at_weight else None
        recent = RecentCounts(
            length,
            counts_over_limit([compared], limit),
            counts_over_limit([present], limit) if present is not None else None,
        )
    return Measurement(
        at=at,
        canary=_slower_in(windows.total, limit),
        stable=stable,
        at_weight=_slower_in(at_weight.counted, limit) if at_weight else None,
        recent=recent,
        value=quantile(criterion.quantile, compared),
        limit=limit,
        note="; ".join(filter(None, (*notes, _beyond(criterion.quantile, compared)))),
        restarts=tuple(
            (number, _slower_in(later, limit)) for number, later in windows.restarts.items()
        ),
    )


def _limit(histograms: Sequence[Buckets], wanted: float) -> float:
    """
    Return the bound at or above `wanted` that all of them have.

    Raises:
        Permanent: there is none, or a histogram does not say how many requests there were.
    """
    if any(math.inf not in each for each in histograms):
        raise Permanent(
            'the histogram has no bucket le="+Inf", which counts all requests; keep it in your'
            " relabelling rules"
        )
    limit = boundary(set.intersection(*(set(each) for each in histograms)), wanted)
    if limit is not None:
        return limit
    most = max((bound for each in histograms for bound in each if math.isfinite(bound)), default=0)
    if most >= wanted:
        raise Permanent(
            f"the histograms of the canary's processes have no bound at or above {format_duration(wanted)}"
            " in common: give all of them the same buckets"
        )
    raise Permanent(
        f"the histogram can't tell: {format_duration(wanted)} is above its largest bound,"
        f" {format_duration(most)}; lower the limit, or give it larger buckets"
    )


def _slower_in(counted: CounterWindow, limit: float) -> Counts:
    return counts_over_limit(counted.histograms(canary=True), limit)


def _of_stable(counted: CounterWindow, limit: float) -> tuple[Counts, str]:
    """Return it of stable, which nobody is judged by: that it can't be told is only said."""
    try:
        return counts_over_limit(counted.histograms(canary=False), limit), ""
    except Permanent:
        return Counts(), (
            f"stable's histogram can't tell what took over {format_duration(limit)}: give it the canary's buckets"
        )


def counts_over_limit(histograms: Sequence[Buckets], limit: float) -> Counts:
    """
    Return how many requests the histograms have counted, and how many of them took over `limit`.

    Raises:
        Permanent: a histogram contradicts itself, or has no such bound.
    """
    requests = slow = 0.0
    for each in filter(None, histograms):
        if limit not in each or math.inf not in each:
            raise Permanent(
                f"a histogram has no bound at {format_duration(limit)} any more: give all of them the"
                " same buckets"
            )
        everything, within = each[math.inf], each[limit]
        if round(within) > round(everything):
            raise Permanent(
                f"the histogram contradicts itself: it has counted {everything:,.0f} requests in all,"
                f" and {within:,.0f} that took {format_duration(limit)} at most; see that no relabelling"
                " renames or drops buckets while a canary is measured, then begin anew (abort, retry)"
            )
        requests += everything
        slow += everything - within
    return Counts(round(requests), round(slow))


def _beyond(q: float, buckets: Buckets) -> str:
    """Return, in words, that the quantile is larger than can be shown, or nothing."""
    bounds = sorted(buckets)
    if len(bounds) < 2 or buckets[bounds[-2]] >= q * buckets[bounds[-1]]:
        return ""
    return (
        f"the {q:g} quantile is above the largest bound, {format_duration(bounds[-2])}; give the histogram"
        " larger buckets"
    )


def _summed(histograms: Sequence[Buckets]) -> Buckets:
    sums: dict[float, float] = {}
    for each in histograms:
        for bound, count in each.items():
            sums[bound] = sums.get(bound, 0.0) + count
    return sums
