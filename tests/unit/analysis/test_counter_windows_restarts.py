"""Counting begins anew on a fixed grid, beside what is counted since the exposure."""

from rollouts.model.evidence import Counts
from tests.unit.analysis.bench import P90, Bench, serving, settle


async def test_counting_begins_anew_on_a_grid(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 300)
    await serving(bench, 60)
    assert bench.measured().restarts == ((1, Counts(120, 0)),)
    await serving(bench, 240)
    await serving(bench, 30, "500")
    assert bench.measured().restarts == ((1, Counts(660, 60)), (2, Counts(60, 60)))
    await serving(bench, 300)
    assert bench.measured().restarts == ((2, Counts(660, 60)), (3, Counts(60, 0)))
    before = bench.measured()
    await bench.monitor.close()

    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().restarts == before.restarts
    assert bench.measured().canary == before.canary
    await bench.monitor.close()


async def test_slow_requests_are_counted_anew_too() -> None:
    bench = Bench(P90)
    bench.slow("canary", 1, 0.01)
    await bench.wait(20)
    bench.expose()
    bench.slow("canary", 80, 0.05)
    await bench.wait(300)
    bench.slow("canary", 9, 0.7)
    await bench.wait(15)

    assert bench.measured("p90").canary == Counts(89, 9)
    assert bench.measured("p90").restarts == ((1, Counts(9, 9)),)
    await bench.monitor.close()
