"""A weight that is not served is said to be such."""

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.model.status import RolloutStatus
from tests.unit.analysis.app_harness import AppHarness


@pytest.mark.parametrize(
    ("weight", "canary", "stable", "said"),
    [
        (5, 0, 800, "0 of 800 requests at this weight reached the canary, where 5% are about 40"),
        (5, 10, 790, "10 of 800 requests at this weight reached the canary, where 5% are about 40"),
        (5, 25, 775, ""),
        (5, 0, 500, ""),  # 25 should have come: too few to tell
        (0, 0, 800, ""),
        (100, 0, 800, ""),
        (None, 0, 800, ""),
    ],
)
async def test_far_fewer_requests_than_the_weight_says_are_said(
    weight: int | None, canary: int, stable: int, said: str
) -> None:
    harness = AppHarness()
    harness.begin("canary")
    harness.serve("stable", 100)
    await harness.expose()
    harness.follow(applied_at=harness.clock.now(), weight_percent=weight)
    await harness.wait(5)
    harness.serve("stable", stable)
    harness.serve("canary", canary)
    await harness.wait(25)
    note = harness.measured().note
    assert note.startswith(said)
    assert bool(note) == bool(said)
    status = RolloutStatus(exposed_at=harness.latest.exposed_at)
    (errors,) = weigh(harness.target.spec, status, harness.latest).criteria
    assert note in errors.message
    await harness.monitor.close()
