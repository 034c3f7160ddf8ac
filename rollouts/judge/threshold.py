"""The threshold judge: each measurement compares a value with a limit; several failed measurements are a failure."""

import math

from rollouts.judge.sequential import leans
from rollouts.model.criteria import Criterion
from rollouts.model.durations import format_duration
from rollouts.model.evidence import Counts, Measurement, RecentCounts
from rollouts.model.status import CriterionStatus, Verdict
from rollouts.model.units import format_fraction

_HARDLY_ANY = 1e-6
"""Of one request: what 1 - 0.9 is off by must not make a difference."""


def judge_by_threshold(
    criterion: Criterion, measurement: Measurement, previous: CriterionStatus | None
) -> CriterionStatus:
    """
    Return the verdict on one value: more than `failureLimit` failed measurements fail.

    The value of a rate or a latency is of the requests in the last `window`, or of the last
    `minRequests` if these took longer. Fewer can't fail, and it passes with as many at the
    present weight only. A measurement that breaks the limit leans; one at fewer requests if they are so
    bad that this is hardly chance, as the sequential judge sees it.
    """
    before = previous.failed_measurements if previous is not None else 0
    value = measurement.value
    value = value if value is None or math.isfinite(value) else None
    limit, breach = _breach(criterion, value, measurement)
    lacking = _lacking(criterion, measurement, broken=bool(breach))
    worse = "" if breach else _worse_now(criterion, measurement)
    more, failed = None, before
    verdict: Verdict = "inconclusive"
    if value is None or lacking:
        more = lacking or None
        message = _too_few(criterion, measurement, lacking)
    elif breach:
        fresh = (
            previous is None or previous.checked_at is None or measurement.at > previous.checked_at
        )
        failed = min(before + fresh, criterion.failure_limit + 1)
        verdict = "fail" if failed > criterion.failure_limit else "inconclusive"
        row = " in a row" if criterion.consecutive else ""
        counted = f"{failed} failed measurement{'s' if failed > 1 else ''}{row}"
        message = (
            f"{_compared(criterion, measurement, value, limit, breach)}; {counted},"
            f" and failureLimit is {criterion.failure_limit}"
        )
    elif worse:
        message = worse
    else:
        verdict, failed = "pass", 0 if criterion.consecutive else before
        message = _compared(criterion, measurement, value, limit, "within")
    counts = measurement.canary
    return CriterionStatus(
        name=criterion.name,
        verdict=verdict,
        value=value,
        limit=limit,
        leans=verdict == "inconclusive"
        and value is not None
        and not (lacking and _leaning_few(criterion, measurement) is None),
        requests=counts.requests,
        unseen=measurement.unseen,
        failures=counts.failures,
        stable_requests=measurement.stable.requests,
        stable_failures=measurement.stable.failures,
        needed=more,
        message="; ".join(filter(None, (message, measurement.note))),
        failed_measurements=failed,
        checked_at=measurement.at,
    )


def _recent(criterion: Criterion, measurement: Measurement) -> RecentCounts:
    """Return the requests that the value is of."""
    seconds = criterion.window_seconds or 0.0
    return measurement.recent or RecentCounts(seconds, measurement.canary, measurement.at_weight)


def _lacking(criterion: Criterion, measurement: Measurement, *, broken: bool) -> int:
    """Return how many requests are missing until the value may say that it is broken, or is met."""
    if criterion.query is not None:
        return 0
    recent = _recent(criterion, measurement)
    counts = recent.canary if broken or recent.at_weight is None else recent.at_weight
    return max(0, criterion.min_requests - counts.requests)  # 0: as many as needed, or more


def _no_value(criterion: Criterion, measurement: Measurement) -> str:
    """Return why a measurement has no value, and what to do about it."""
    if criterion.query is None:
        return "no data"
    if measurement.value is None:
        return (
            "no data: the query finds no series; add `or vector(0)` to what has none yet, if that"
            " means zero"
        )
    return f"no data: the query answers {measurement.value:g}, which is no number, as 0/0 is without requests"


def _too_few(criterion: Criterion, measurement: Measurement, lacking: int) -> str:
    if not lacking:
        return measurement.no_data or _no_value(criterion, measurement)
    needs = f"needs about {lacking} more requests"
    if measurement.no_data:
        return f"{measurement.no_data}; {needs}"
    leaning = _leaning_few(criterion, measurement)
    if leaning is not None:
        return f"{_share(criterion, measurement, *leaning)}; {needs}"
    counts, when = _few(criterion, measurement)[0]
    return f"{counts.requests} canary requests {when}; {needs}"


def _few(criterion: Criterion, measurement: Measurement) -> list[tuple[Counts, str]]:
    """Return the counts that have too few requests to judge by, and which these are, in words."""
    recent = _recent(criterion, measurement)
    if recent.canary.requests < criterion.min_requests:
        found = [(recent.canary, "so far")]
        if recent.at_weight is not None:
            found.append((recent.at_weight, "so far at this weight"))
        return found
    length = format_duration(recent.seconds)
    return [(recent.at_weight or recent.canary, f"in the last {length} at this weight")]


def _leaning_few(criterion: Criterion, measurement: Measurement) -> tuple[Counts, str] | None:
    """Return the few requests that lean against the release, and which these are; None if none do."""
    found = _few(criterion, measurement)
    return next((each for each in found if leans(each[0], _may(criterion))), None)


def _worse_now(criterion: Criterion, measurement: Measurement) -> str:
    """Return how the present weight alone breaks the limit that the whole window meets, or nothing."""
    recent = _recent(criterion, measurement)
    counts = recent.at_weight
    if criterion.query is not None or counts is None or not _too_many(criterion, counts):
        return ""
    length = format_duration(recent.seconds)
    return _share(criterion, measurement, counts, f"in the last {length} at this weight")


def _too_many(criterion: Criterion, counts: Counts) -> bool:
    """Return whether more of the requests failed, or were too slow, than may."""
    return counts.failures > _may(criterion) * counts.requests + _HARDLY_ANY


def _may(criterion: Criterion) -> float:
    """Return which part of the requests may fail, or be too slow."""
    if criterion.latency is not None:
        return 1 - criterion.latency.quantile
    assert criterion.error_rate is not None
    assert criterion.error_rate.max is not None  # a ratio has a judge of its own
    return criterion.error_rate.max


def _breach(
    criterion: Criterion, value: float | None, measurement: Measurement
) -> tuple[float | None, str]:
    """
    Return the limit that counts, and on which side of it the value is, if that is the wrong one.

    A quantile is above its bound when more requests than may were slower: what lies beyond the
    largest bound has no number of its own.
    """
    if criterion.latency is not None:
        above = _too_many(criterion, _recent(criterion, measurement).canary)
        return measurement.limit or criterion.latency.max, "above" if above else ""
    low, high = _limits(criterion)
    if value is not None and high is not None and value > high:
        return high, "above"
    if value is not None and low is not None and value < low:
        return low, "below"
    return (high if high is not None else low), ""


def _limits(criterion: Criterion) -> tuple[float | None, float | None]:
    if criterion.query is not None:
        return criterion.query.min, criterion.query.max
    return None, _may(criterion)


def _compared(
    criterion: Criterion, measurement: Measurement, value: float, limit: float | None, where: str
) -> str:
    """Return the value, what it is of, and where it is: above the limit, below it or within."""
    if criterion.query is not None:
        side = "within the limit" if where == "within" else f"{where} {limit:.4g}"
        return f"{value:.4g} is {side}"
    recent = _recent(criterion, measurement)
    length = format_duration(recent.seconds)
    return _share(criterion, measurement, recent.canary, f"in the last {length}")


def _share(criterion: Criterion, measurement: Measurement, counts: Counts, when: str) -> str:
    """Return which part of the requests failed or was too slow, and which may."""
    done = "failed"
    if criterion.latency is not None:
        done = f"took over {format_duration(measurement.limit or criterion.latency.max)}"
    share = format_fraction(counts.failures / counts.requests)
    may = format_fraction(_may(criterion))
    return f"{share} of {counts.requests} canary requests {when} {done}, {may} may"
