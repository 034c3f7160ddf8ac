"""A weight that is not served is said to be such."""

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.model.status import RolloutStatus
from tests.unit.analysis.app_bench import AppBench


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
    bench = AppBench()
    bench.begin("canary")
    bench.serve("stable", 100)
    await bench.expose()
    bench.follow(applied_at=bench.clock.now(), weight_percent=weight)
    await bench.wait(5)
    bench.serve("stable", stable)
    bench.serve("canary", canary)
    await bench.wait(25)
    note = bench.measured().note
    assert note.startswith(said)
    assert bool(note) == bool(said)
    status = RolloutStatus(exposed_at=bench.latest.exposed_at)
    (errors,) = weigh(bench.target.spec, status, bench.latest).criteria
    assert note in errors.message
    await bench.monitor.close()
