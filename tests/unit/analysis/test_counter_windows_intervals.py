"""What both arms count in each short interval, for their comparison."""

from collections.abc import AsyncIterator

import pytest

from rollouts.judge import judge
from rollouts.model.evidence import Counts, Interval
from tests.unit.analysis.harness import Harness, settle

BESIDE = {"name": "errors", "errorRate": {"maxRatioToStable": 1.5}}


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness(BESIDE)
    yield made
    await made.monitor.close()


async def serving(harness: Harness, seconds: int, canary: str, stable: str) -> None:
    for _ in range(seconds // 15):
        harness.serve("canary", 10, canary)
        harness.serve("stable", 90, stable)
        await harness.wait(15)


async def test_each_interval_has_both_sides_and_its_place_on_the_grid(harness: Harness) -> None:
    harness.serve("canary", 500, "500")
    await harness.wait(20)
    harness.expose()
    await serving(harness, 285, "200", "200")
    await serving(harness, 30, "500", "503")
    found = harness.measured().intervals
    assert sum(each.canary.failures for each in found) == 20
    assert sum(each.stable.failures for each in found) == 180
    assert {each.number for each in found} == {0, 1}
    assert Interval(1, Counts(10, 10), Counts(90, 90)) in found

    before = harness.measured()
    await harness.monitor.close()
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().intervals == before.intervals
    assert harness.measured().canary == before.canary
    await harness.monitor.close()


async def test_an_outage_of_both_sides_stops_nobody_and_one_of_the_canary_does(
    harness: Harness,
) -> None:
    await harness.wait(20)
    harness.expose()
    for arm, failed in (("canary", 2), ("stable", 18)):
        harness.serve(arm, failed, "500")
        harness.serve(arm, 4 * failed)
    await harness.wait(15)
    (criterion,) = harness.target.spec.success_criteria
    assert judge(criterion, harness.measured(), None).verdict == "inconclusive"
    await serving(harness, 30, "500", "200")
    assert judge(criterion, harness.measured(), None).verdict == "fail"
