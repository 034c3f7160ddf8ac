"""What is counted at the present weight: from the first scrape that shows it."""

from dataclasses import replace
from datetime import timedelta

from rollouts.analysis.evidence import weigh
from rollouts.model.evidence import Counts
from rollouts.model.status import RolloutStatus
from tests.unit.analysis.app_harness import AppHarness
from tests.unit.analysis.harness import P90, Harness, settle

BESIDE = {"name": "beside", "errorRate": {"maxRatioToStable": 1.5}}


async def serving(harness: Harness, seconds: int, status: str = "200") -> None:
    for _ in range(seconds // 5):
        harness.serve("canary", 10, status)
        harness.serve("stable", 10, status)
        await harness.wait(5)


def apply(harness: Harness, percent: int = 25) -> None:
    harness.target = replace(harness.target, applied_at=harness.clock.now(), weight_percent=percent)
    harness.monitor.follow(harness.target)


async def renewed(harness: Harness) -> None:
    """Let another controller begin to measure."""
    await harness.monitor.close()
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()


async def test_without_a_weight_all_requests_count(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 15)
    assert harness.measured().at_weight is None
    apply(harness, 0)
    await serving(harness, 15)
    assert harness.measured().at_weight is None


async def test_requests_from_before_the_weight_do_not_count_for_it(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    apply(harness)
    await serving(harness, 15)
    assert harness.measured().at_weight == Counts(20, 0)  # without those of the first scrape

    harness.serve("canary", 7, "500")  # which the next scrape shows
    apply(harness, 50)
    harness.serve("canary", 5)
    await harness.wait(15)
    assert harness.measured().at_weight == Counts()
    await serving(harness, 30)
    assert harness.measured().at_weight == Counts(60, 0)
    assert harness.measured().canary == Counts(102, 7)

    harness.serve("canary", 3, "502")  # a counter that is born at this weight counts in full
    await harness.wait(15)
    assert harness.measured().at_weight == Counts(63, 3)
    before = harness.measured()
    await renewed(harness)
    assert (harness.measured().at_weight, harness.measured().canary) == (
        before.at_weight,
        before.canary,
    )


async def test_scrapes_that_are_far_apart_do_not_mix_weights(harness: Harness) -> None:
    harness.serve("canary", 1)
    for second in range(10):
        await harness.wait(55, scraping=False)
        if second == 4:
            harness.expose()
        if second == 6:
            harness.serve("canary", 100, "500")
            apply(harness)
        harness.serve("canary", 10)
        await harness.wait(5)
    await harness.wait(15, scraping=False)
    assert harness.measured().canary == Counts(160, 100)
    assert harness.measured().at_weight == Counts(30, 0)
    await renewed(harness)
    assert harness.measured().at_weight == Counts(30, 0)


async def test_slow_requests_are_told_by_weight_too() -> None:
    harness = Harness(P90)
    harness.slow("canary", 1, 0.01)
    await harness.wait(20)
    harness.expose()
    harness.slow("canary", 50, 0.7)
    await harness.wait(15)
    apply(harness)
    await harness.wait(5)
    harness.slow("canary", 40, 0.05)
    harness.slow("canary", 2, 0.7)
    await harness.wait(10)
    assert harness.measured("p90").canary == Counts(92, 52)
    assert harness.measured("p90").at_weight == Counts(42, 2)
    await harness.monitor.close()


async def test_intervals_say_whether_they_are_of_this_weight() -> None:
    harness = Harness(BESIDE)
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60, "500")
    assert all(each.at_weight for each in harness.measured("beside").intervals)
    apply(harness)
    assert harness.measured("beside").intervals
    await serving(harness, 120, "500")
    found = harness.measured("beside").intervals
    assert [each.at_weight for each in found] == [False] * 5 + [True] * (len(found) - 5)
    # Those of the interval in which the weight began are not counted for it, nor the first scrape's.
    assert sum(each.canary.requests for each in found if each.at_weight) <= 230
    await renewed(harness)
    assert harness.measured("beside").intervals == found
    await harness.monitor.close()


async def test_each_pod_from_before_begins_with_its_own_scrape_and_a_new_one_in_full() -> None:
    harness = AppHarness()
    await harness.expose()
    harness.begin("canary")
    harness.serve("canary", 10, "500")
    await harness.wait(15)
    harness.follow(applied_at=harness.clock.now() + timedelta(seconds=1), weight_percent=25)
    harness.serve("canary", 6, "500")
    await harness.wait(5)
    harness.begin("canary", 2)
    harness.serve("canary", 4, "500", number=2)  # the pod is new, and met with these
    harness.serve("canary", 20)
    await harness.wait(10)
    harness.serve("canary", 9, number=2)
    await harness.wait(15)
    assert harness.measured().canary == Counts(49, 20)
    assert harness.measured().at_weight == Counts(33, 4)
    await harness.monitor.close()


async def test_what_fails_in_the_first_seconds_of_pods_that_are_made_for_a_weight_is_no_pass() -> (
    None
):
    harness = AppHarness({"name": "errors", "errorRate": {"max": "5%"}})
    await harness.expose()
    harness.begin("canary")
    harness.follow(applied_at=harness.clock.now(), weight_percent=5)
    harness.serve("canary", 900)
    await harness.wait(20)
    harness.follow(applied_at=harness.clock.now(), weight_percent=50)
    for number in range(2, 11):
        harness.begin("canary", number)
        harness.serve("canary", 6, number=number)
        harness.serve("canary", 4, "500", number=number)
    await harness.wait(5)
    for number in range(2, 11):
        harness.serve("canary", 10, number=number)
    await harness.wait(15)
    assert harness.measured().at_weight == Counts(180, 36)
    judged = weigh(
        harness.target.spec, RolloutStatus(exposed_at=harness.target.exposed_at), harness.latest
    )
    assert judged.criteria[0].verdict == "inconclusive"
    await harness.monitor.close()


async def test_a_pod_that_was_scraped_before_its_first_request_counts_in_full() -> None:
    harness = AppHarness()
    await harness.expose()
    harness.begin("canary")
    await harness.wait(15)
    harness.follow(applied_at=harness.clock.now(), weight_percent=25)
    await harness.wait(5)
    harness.serve("canary", 8, "500")
    await harness.wait(10)
    assert harness.measured().at_weight == harness.measured().canary == Counts(8, 8)
    await harness.monitor.close()
