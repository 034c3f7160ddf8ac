"""What is counted at the present weight: from the first scrape that shows it."""

from dataclasses import replace
from datetime import timedelta

from rollouts.analysis.evidence import weigh
from rollouts.model.evidence import Counts
from rollouts.model.status import RolloutStatus
from tests.unit.analysis.app_bench import AppBench
from tests.unit.analysis.bench import P90, Bench, settle

BESIDE = {"name": "beside", "errorRate": {"maxRatioToStable": 1.5}}


async def serving(bench: Bench, seconds: int, status: str = "200") -> None:
    for _ in range(seconds // 5):
        bench.serve("canary", 10, status)
        bench.serve("stable", 10, status)
        await bench.wait(5)


def apply(bench: Bench, percent: int = 25) -> None:
    bench.target = replace(bench.target, applied_at=bench.clock.now(), weight_percent=percent)
    bench.monitor.follow(bench.target)


async def renewed(bench: Bench) -> None:
    """Let another controller begin to measure."""
    await bench.monitor.close()
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()


async def test_without_a_weight_all_requests_count(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 15)
    assert bench.measured().at_weight is None
    apply(bench, 0)
    await serving(bench, 15)
    assert bench.measured().at_weight is None


async def test_requests_from_before_the_weight_do_not_count_for_it(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    apply(bench)
    await serving(bench, 15)
    assert bench.measured().at_weight == Counts(20, 0)  # without those of the first scrape

    bench.serve("canary", 7, "500")  # which the next scrape shows
    apply(bench, 50)
    bench.serve("canary", 5)
    await bench.wait(15)
    assert bench.measured().at_weight == Counts()
    await serving(bench, 30)
    assert bench.measured().at_weight == Counts(60, 0)
    assert bench.measured().canary == Counts(102, 7)

    bench.serve("canary", 3, "502")  # a counter that is born at this weight counts in full
    await bench.wait(15)
    assert bench.measured().at_weight == Counts(63, 3)
    before = bench.measured()
    await renewed(bench)
    assert (bench.measured().at_weight, bench.measured().canary) == (
        before.at_weight,
        before.canary,
    )


async def test_scrapes_that_are_far_apart_do_not_mix_weights(bench: Bench) -> None:
    bench.serve("canary", 1)
    for second in range(10):
        await bench.wait(55, scraping=False)
        if second == 4:
            bench.expose()
        if second == 6:
            bench.serve("canary", 100, "500")
            apply(bench)
        bench.serve("canary", 10)
        await bench.wait(5)
    await bench.wait(15, scraping=False)
    assert bench.measured().canary == Counts(160, 100)
    assert bench.measured().at_weight == Counts(30, 0)
    await renewed(bench)
    assert bench.measured().at_weight == Counts(30, 0)


async def test_slow_requests_are_told_by_weight_too() -> None:
    bench = Bench(P90)
    bench.slow("canary", 1, 0.01)
    await bench.wait(20)
    bench.expose()
    bench.slow("canary", 50, 0.7)
    await bench.wait(15)
    apply(bench)
    await bench.wait(5)
    bench.slow("canary", 40, 0.05)
    bench.slow("canary", 2, 0.7)
    await bench.wait(10)
    assert bench.measured("p90").canary == Counts(92, 52)
    assert bench.measured("p90").at_weight == Counts(42, 2)
    await bench.monitor.close()


async def test_intervals_say_whether_they_are_of_this_weight() -> None:
    bench = Bench(BESIDE)
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60, "500")
    assert all(each.at_weight for each in bench.measured("beside").intervals)
    apply(bench)
    assert bench.measured("beside").intervals
    await serving(bench, 120, "500")
    found = bench.measured("beside").intervals
    assert [each.at_weight for each in found] == [False] * 5 + [True] * (len(found) - 5)
    # Those of the interval in which the weight began are not counted for it, nor the first scrape's.
    assert sum(each.canary.requests for each in found if each.at_weight) <= 230
    await renewed(bench)
    assert bench.measured("beside").intervals == found
    await bench.monitor.close()


async def test_each_pod_from_before_begins_with_its_own_scrape_and_a_new_one_in_full() -> None:
    bench = AppBench()
    await bench.expose()
    bench.begin("canary")
    bench.serve("canary", 10, "500")
    await bench.wait(15)
    bench.follow(applied_at=bench.clock.now() + timedelta(seconds=1), weight_percent=25)
    bench.serve("canary", 6, "500")
    await bench.wait(5)
    bench.begin("canary", 2)
    bench.serve("canary", 4, "500", number=2)  # the pod is new, and met with these
    bench.serve("canary", 20)
    await bench.wait(10)
    bench.serve("canary", 9, number=2)
    await bench.wait(15)
    assert bench.measured().canary == Counts(49, 20)
    assert bench.measured().at_weight == Counts(33, 4)
    await bench.monitor.close()


async def test_what_fails_in_the_first_seconds_of_pods_that_are_made_for_a_weight_is_no_pass() -> (
    None
):
    bench = AppBench({"name": "errors", "errorRate": {"max": "5%"}})
    await bench.expose()
    bench.begin("canary")
    bench.follow(applied_at=bench.clock.now(), weight_percent=5)
    bench.serve("canary", 900)
    await bench.wait(20)
    bench.follow(applied_at=bench.clock.now(), weight_percent=50)
    for number in range(2, 11):
        bench.begin("canary", number)
        bench.serve("canary", 6, number=number)
        bench.serve("canary", 4, "500", number=number)
    await bench.wait(5)
    for number in range(2, 11):
        bench.serve("canary", 10, number=number)
    await bench.wait(15)
    assert bench.measured().at_weight == Counts(180, 36)
    judged = weigh(
        bench.target.spec, RolloutStatus(exposed_at=bench.target.exposed_at), bench.latest
    )
    assert judged.criteria[0].verdict == "inconclusive"
    await bench.monitor.close()


async def test_a_pod_that_was_scraped_before_its_first_request_counts_in_full() -> None:
    bench = AppBench()
    await bench.expose()
    bench.begin("canary")
    await bench.wait(15)
    bench.follow(applied_at=bench.clock.now(), weight_percent=25)
    await bench.wait(5)
    bench.serve("canary", 8, "500")
    await bench.wait(10)
    assert bench.measured().at_weight == bench.measured().canary == Counts(8, 8)
    await bench.monitor.close()
