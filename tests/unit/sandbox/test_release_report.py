"""How a release is accounted for, from three looks at the load generator's own count."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from rollouts.sandbox.load import LoadReport, VersionCount
from rollouts.sandbox.release_report import PLANS, Measured

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
GOOD, BAD = PLANS


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def count(
    responses: int, failed: int = 0, *, last: float = 10, bad_from: float = 4
) -> VersionCount:
    began = at(bad_from) if failed else None
    ended = at(last) if failed else None
    return VersionCount(responses, failed, at(0), at(last), began, ended, last_sent_at=at(last))


def account(
    versions: Mapping[str, VersionCount], *, lost: Mapping[str, int] | None = None
) -> LoadReport:
    failed = sum(version.failed for version in versions.values())
    answered = sum(version.responses for version in versions.values())
    missing = sum((lost or {}).values())
    return LoadReport(
        started_at=START,
        duration_seconds=10,
        sent=answered + missing,
        in_flight=0,
        succeeded=answered - failed,
        failed=failed,
        lost=missing,
        lost_reasons=lost or {},
        behind=0,
        lag_seconds=0,
        p50_seconds=0,
        p99_seconds=0,
        versions=versions,
        seconds=(),
    )


def test_only_what_happened_in_the_release_counts() -> None:
    before = account({"1.0": count(100, 3)}, lost={"timed out": 1})
    at_end = account({"1.0": count(180, 3), "2.0": count(20)}, lost={"timed out": 1})
    after = account({"1.0": count(180, 3), "2.0": count(90)}, lost={"timed out": 1})
    made = Measured(GOOD, before, at_end, after).release("promoted", "fine", 25.46, None)
    assert (made.requests, made.failed_requests, made.lost_requests) == (170, 0, 0)
    assert (made.canary_requests, made.stable_requests) == (20, 80)
    assert made.duration_seconds == 25.5
    assert made.as_planned
    assert made.rollback_seconds is None


@pytest.mark.parametrize(
    ("zero_at", "last", "seconds", "told_by"),
    [
        (9.0, 8.0, 5.0, "canary-weight 0"),
        (8.0, 9.0, 5.0, "last canary response"),
        (None, 9.0, 5.0, "last canary response"),
    ],
)
def test_a_rollback_lasts_until_the_weight_is_0_and_no_answer_comes(
    zero_at: float | None, last: float, seconds: float, told_by: str
) -> None:
    before = account({"2.0": count(100)})
    after = account({"2.0": count(200), "3.0": count(40, 6, last=last, bad_from=4)})
    zero = None if zero_at is None else at(zero_at)
    made = Measured(BAD, before, before, after).release("rolled-back", "errors", 9.0, zero)
    assert (made.rollback_seconds, made.rollback_measured_by) == (seconds, told_by)
    assert made.rollback_failed_requests == 6
    assert (made.canary_requests, made.canary_failed_requests) == (40, 6)
    assert made.as_planned


def test_what_was_lost_is_told_with_its_reasons() -> None:
    before = account({"1.0": count(10)}, lost={"timed out": 1})
    after = account({"1.0": count(20)}, lost={"timed out": 1, "connection reset": 2})
    made = Measured(GOOD, before, after, after).release("timed-out", "waits", 120, None)
    assert (made.lost_requests, made.lost_reasons) == (2, {"connection reset": 2})
    assert not made.as_planned
