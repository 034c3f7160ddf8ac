"""
What a release did to the traffic, from the account of who sent it.

How a rollback is timed: it begins with the first bad answer that the load generator got from
the new version, and it is over when the Rollout says that the routes have weight 0 *and* no
answer of the new version comes any more; the later of the two counts, and the report says
which it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from rollouts.sandbox.load import LoadReport, VersionCount

Result = Literal["promoted", "rolled-back", "timed-out"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One release: what changes in the template, and how it should end."""

    name: str
    version: str
    environment: Mapping[str, str]
    should_be: Result


PLANS = (
    Plan("good", "2.0", {}, "promoted"),
    Plan("bad", "3.0", {"ERROR_RATE": "20%"}, "rolled-back"),
)


@dataclass(frozen=True, slots=True)
class Release:
    """
    What one release did to the traffic, from the change of the template until its pods have settled.

    `canary_*` are answers of the new version until it was promoted (or to the last one after a
    rollback), `stable_*` those of the old.
    `lost_requests` were refused, reset, timed out or answered by the data plane itself: the rollout's
    own doing. The `rollback_*` fields are None unless it was rolled back.
    """

    name: str
    outcome: Result
    as_planned: bool
    message: str
    duration_seconds: float
    requests: int
    failed_requests: int
    lost_requests: int
    canary_requests: int
    canary_failed_requests: int
    stable_requests: int
    stable_failed_requests: int
    rollback_seconds: float | None = None
    rollback_failed_requests: int | None = None
    rollback_measured_by: str | None = None
    """canary-weight 0, or last canary response: the later of the two."""
    rollback_weight_zero_seconds: float | None = None
    rollback_last_response_seconds: float | None = None
    lost_reasons: Mapping[str, int] = field(default_factory=dict)


def went_well(releases: Sequence[Release]) -> bool:
    """Return whether each release ended as it should, without a request lost."""
    return all(release.as_planned and release.lost_requests == 0 for release in releases)


@dataclass(frozen=True, slots=True)
class Measured:
    """The account at the start of a release, at its outcome, and when all had settled."""

    plan: Plan
    before: LoadReport
    at_end: LoadReport
    after: LoadReport

    def release(
        self, outcome: Result, message: str, duration_seconds: float, zero_at: datetime | None
    ) -> Release:
        """Return what the release did to the traffic."""
        before, after, version = self.before, self.after, self.plan.version
        # After a rollback the last answers still come; after a promotion nobody is a canary.
        until = after if outcome == "rolled-back" else self.at_end
        canary, canary_failed = _answers(before, until, lambda name: name == version)
        stable, stable_failed = _answers(before, until, lambda name: name != version)
        lost = {
            reason: count - before.lost_reasons.get(reason, 0)
            for reason, count in after.lost_reasons.items()
            if count > before.lost_reasons.get(reason, 0)
        }
        made = Release(
            name=self.plan.name,
            outcome=outcome,
            as_planned=outcome == self.plan.should_be,
            message=message,
            duration_seconds=round(duration_seconds, 1),
            requests=after.sent - before.sent,
            failed_requests=after.failed - before.failed,
            lost_requests=after.lost - before.lost,
            canary_requests=canary,
            canary_failed_requests=canary_failed,
            stable_requests=stable,
            stable_failed_requests=stable_failed,
            lost_reasons=lost,
        )
        seen = after.versions.get(version)
        if outcome != "rolled-back" or seen is None:
            return made
        return replace(made, **_rollback(seen, zero_at))


def _rollback(seen: VersionCount, zero_at: datetime | None) -> dict[str, Any]:
    """Return the times of a rollback, counted from the first bad answer; see the module's docstring."""
    began_at = seen.first_failed_at
    if began_at is None:
        return {}
    to_last = (seen.last_at - began_at).total_seconds()
    to_zero = (zero_at - began_at).total_seconds() if zero_at is not None else None
    by_weight = to_zero is not None and to_zero >= to_last
    return {
        "rollback_seconds": round(to_zero if by_weight and to_zero is not None else to_last, 2),
        "rollback_failed_requests": seen.failed,
        "rollback_measured_by": "canary-weight 0" if by_weight else "last canary response",
        "rollback_weight_zero_seconds": None if to_zero is None else round(to_zero, 2),
        "rollback_last_response_seconds": round(to_last, 2),
    }


def _answers(
    before: LoadReport, after: LoadReport, chosen: Callable[[str], bool]
) -> tuple[int, int]:
    """Return the answers, and the failed ones among them, of the versions that are chosen."""
    answers = failed = 0
    for name, count in after.versions.items():
        if chosen(name):
            earlier = before.versions.get(name)
            answers += count.responses - (earlier.responses if earlier else 0)
            failed += count.failed - (earlier.failed if earlier else 0)
    return answers, failed
