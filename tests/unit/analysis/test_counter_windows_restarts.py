"""Counting begins anew on a fixed grid, beside what is counted since the exposure."""

from rollouts.model.evidence import Counts
from tests.unit.analysis.harness import P90, Harness, serving, settle


async def test_counting_begins_anew_on_a_grid(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 300)
    await serving(harness, 60)
    assert harness.measured().restarts == ((1, Counts(120, 0)),)
    await serving(harness, 240)
    await serving(harness, 30, "500")
    assert harness.measured().restarts == ((1, Counts(660, 60)), (2, Counts(60, 60)))
    await serving(harness, 300)
    assert harness.measured().restarts == ((2, Counts(660, 60)), (3, Counts(60, 0)))
    before = harness.measured()
    await harness.monitor.close()

    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().restarts == before.restarts
    assert harness.measured().canary == before.canary
    await harness.monitor.close()


async def test_slow_requests_are_counted_anew_too() -> None:
    harness = Harness(P90)
    harness.slow("canary", 1, 0.01)
    await harness.wait(20)
    harness.expose()
    harness.slow("canary", 80, 0.05)
    await harness.wait(300)
    harness.slow("canary", 9, 0.7)
    await harness.wait(15)

    assert harness.measured("p90").canary == Counts(89, 9)
    assert harness.measured("p90").restarts == ((1, Counts(9, 9)),)
    await harness.monitor.close()
