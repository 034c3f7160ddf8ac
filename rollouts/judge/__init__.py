"""
Pure verdicts on evidence: pass, fail or inconclusive, each with its numbers.

No data is inconclusive, never a pass and never a fail. A provider that does not answer
is an error, and no verdict at all.
"""

from rollouts.judge.ratio import judge_ratio
from rollouts.judge.sequential import judge_sequentially
from rollouts.judge.threshold import judge_by_threshold
from rollouts.model.criteria import Criterion
from rollouts.model.evidence import Measurement
from rollouts.model.status import CriterionStatus

__all__ = ["judge"]


def judge(
    criterion: Criterion, measurement: Measurement, previous: CriterionStatus | None
) -> CriterionStatus:
    """
    Return what `criterion` says after this measurement.

    `previous` is what status remembers of it; one that status knows already is not
    counted twice.
    """
    if measurement.error:
        return _unanswered(criterion, measurement, previous)
    if criterion.error_rate is not None and criterion.error_rate.max_ratio_to_stable is not None:
        return judge_ratio(criterion, measurement)
    if criterion.judged_by == "sequential":
        return judge_sequentially(criterion, measurement)
    return judge_by_threshold(criterion, measurement, previous)


def _unanswered(
    criterion: Criterion, measurement: Measurement, previous: CriterionStatus | None
) -> CriterionStatus:
    before = previous or CriterionStatus(name=criterion.name, verdict="error")
    new = before.checked_at is None or measurement.at > before.checked_at
    # Beyond the limit it is not counted: a long outage must not cost a write per measurement.
    errors = min(before.errors + new, criterion.error_limit + 1)
    return before.evolve(
        verdict="error",
        errors=errors,
        message=measurement.error,
        checked_at=measurement.at,
        needed=None,
    )
