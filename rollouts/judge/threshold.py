"""The threshold judge: each look compares a value with a limit; several failed looks are a failure."""

import math

from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Measurement
from rollouts.model.status import CriterionStatus, Verdict
from rollouts.model.units import format_duration, format_fraction


def judge_by_threshold(
    criterion: Criterion, measurement: Measurement, previous: CriterionStatus | None
) -> CriterionStatus:
    """Return the verdict on one value: more than `failureLimit` failed looks fail."""
    value, counts = measurement.value, measurement.canary
    value = value if value is None or math.isfinite(value) else None
    limit, breach = _breach(criterion, measurement)
    before = previous.failed_looks if previous is not None else 0
    enough = criterion.query is not None or counts.requests >= criterion.min_requests
    if value is None or not enough:
        verdict: Verdict = "inconclusive"
        failed = before
        more = None if enough else criterion.min_requests - counts.requests
        lacks = f"needs about {more} more requests" if more else ""
        message = "; ".join(filter(None, (measurement.silence, lacks))) or "no data"
    elif breach:
        fresh = (
            previous is None or previous.checked_at is None or measurement.at > previous.checked_at
        )
        failed = min(before + fresh, criterion.failure_limit + 1)
        verdict = "fail" if failed > criterion.failure_limit else "inconclusive"
        row = " in a row" if criterion.consecutive else ""
        message = f"{breach}; {failed} failed looks{row}, {criterion.failure_limit} are tolerated"
        more = None
    else:
        verdict, more = "pass", None
        failed = 0 if criterion.consecutive else before
        message = f"{_show(criterion, value)} is within the limit"
    return CriterionStatus(
        name=criterion.name,
        verdict=verdict,
        value=value,
        limit=limit,
        requests=counts.requests,
        failures=counts.failures,
        stable_requests=measurement.stable.requests,
        stable_failures=measurement.stable.failures,
        needed=more,
        message=f"{message}{'; ' if measurement.note else ''}{measurement.note}",
        failed_looks=failed,
        checked_at=measurement.at,
    )


def _breach(criterion: Criterion, measurement: Measurement) -> tuple[float | None, str]:
    """Return the limit that counts, and how the value breaks it, or an empty text."""
    value = measurement.value
    low, high = _limits(criterion, measurement)
    if value is not None and high is not None and value > high:
        return high, f"{_show(criterion, value)} is above {_show(criterion, high)}"
    if value is not None and low is not None and value < low:
        return low, f"{_show(criterion, value)} is below {_show(criterion, low)}"
    return (high if high is not None else low), ""


def _limits(criterion: Criterion, measurement: Measurement) -> tuple[float | None, float | None]:
    if criterion.query is not None:
        return criterion.query.min, criterion.query.max
    if criterion.latency is not None:
        return None, measurement.limit or criterion.latency.max
    assert criterion.error_rate is not None
    return None, criterion.error_rate.max


def _show(criterion: Criterion, value: float) -> str:
    if criterion.error_rate is not None:
        return format_fraction(value)
    return format_duration(value) if criterion.latency is not None else f"{value:.4g}"
