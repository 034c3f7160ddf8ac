from datetime import UTC, datetime, timedelta

import pytest

from rollouts.core.refresh import COUNTS_EVERY, due_at, worth_writing
from rollouts.model.status import CriterionStatus, Exposure, Revision, RolloutStatus

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ONE, TWO = Revision(number=1, hash="aaaa"), Revision(number=2, hash="bbbb")
SETTLED = RolloutStatus(
    phase="Healthy", stable_revision=ONE, current_revision=ONE, refreshed_at=NOW, replicas=3
)
UNDER_WAY = SETTLED.having(phase="Progressing", current_revision=TWO)


@pytest.mark.parametrize("before", [SETTLED, UNDER_WAY])
def test_counts_are_written_every_few_seconds_at_most(before: RolloutStatus) -> None:
    after = before.having(replicas=4)

    assert not worth_writing(before, after, NOW + timedelta(seconds=1))
    assert due_at(before, after, NOW + timedelta(seconds=1)) == NOW + COUNTS_EVERY
    assert worth_writing(before, after, NOW + COUNTS_EVERY)
    assert due_at(before, after, NOW + COUNTS_EVERY) is None


def test_a_message_alone_is_written_ever_more_rarely() -> None:
    status = UNDER_WAY.having(step_started_at=NOW)
    writes = 0
    for second in range(24 * 3600):
        now = NOW + timedelta(seconds=second)
        seen = status.having(message=f"{second} requests")
        if worth_writing(status, seen, now):
            status = seen.having(refreshed_at=now)
            writes += 1

    assert writes < 20


def test_nothing_new_is_not_worth_a_write() -> None:
    assert not worth_writing(SETTLED, SETTLED, NOW + timedelta(days=1))
    assert due_at(SETTLED, SETTLED, NOW) is None


def test_what_decides_is_written_at_once() -> None:
    assert worth_writing(UNDER_WAY, UNDER_WAY.having(phase="Degraded"), NOW)
    assert worth_writing(UNDER_WAY, UNDER_WAY.having(current_step_index=3), NOW)
    criteria = [CriterionStatus(name="errors", verdict="pass")]
    assert worth_writing(UNDER_WAY, UNDER_WAY.having(criteria=criteria), NOW)


def test_evidence_is_written_when_its_sample_has_tripled() -> None:
    some = UNDER_WAY.having(exposure=Exposure(canary_requests=100))

    assert not worth_writing(some, some.having(exposure=Exposure(canary_requests=299)), NOW)
    assert worth_writing(some, some.having(exposure=Exposure(canary_requests=300)), NOW)


def test_the_first_status_is_written() -> None:
    assert worth_writing(RolloutStatus(), SETTLED, NOW)
