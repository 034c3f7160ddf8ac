"""What both arms count in each short interval, for their comparison."""

from collections.abc import AsyncIterator

import pytest

from rollouts.judge import judge
from rollouts.model.evidence import Counts, Interval
from tests.unit.analysis.bench import Bench, settle

BESIDE = {"name": "errors", "errorRate": {"maxRatioToStable": 1.5}}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(BESIDE)
    yield made
    await made.monitor.close()


async def serving(bench: Bench, seconds: int, canary: str, stable: str) -> None:
    for _ in range(seconds // 15):
        bench.serve("canary", 10, canary)
        bench.serve("stable", 90, stable)
        await bench.wait(15)


async def test_each_interval_has_both_sides_and_its_place_on_the_grid(bench: Bench) -> None:
    bench.serve("canary", 500, "500")
    await bench.wait(20)
    bench.expose()
    await serving(bench, 285, "200", "200")
    await serving(bench, 30, "500", "503")
    found = bench.measured().intervals
    assert sum(each.canary.failures for each in found) == 20
    assert sum(each.stable.failures for each in found) == 180
    assert {each.number for each in found} == {0, 1}
    assert Interval(1, Counts(10, 10), Counts(90, 90)) in found

    before = bench.measured()
    await bench.monitor.close()
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().intervals == before.intervals
    assert bench.measured().canary == before.canary
    await bench.monitor.close()


async def test_an_outage_of_both_sides_stops_nobody_and_one_of_the_canary_does(
    bench: Bench,
) -> None:
    await bench.wait(20)
    bench.expose()
    for arm, failed in (("canary", 2), ("stable", 18)):
        bench.serve(arm, failed, "500")
        bench.serve(arm, 4 * failed)
    await bench.wait(15)
    (criterion,) = bench.target.spec.success_criteria
    assert judge(criterion, bench.measured(), None).verdict == "inconclusive"
    await serving(bench, 30, "500", "200")
    assert judge(criterion, bench.measured(), None).verdict == "fail"
