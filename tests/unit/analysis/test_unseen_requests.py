"""About how many canary requests nobody saw."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollouts.model.evidence import Counts
from tests.unit.analysis.app_bench import AppBench
from tests.unit.analysis.bench import Bench, settle


@pytest.fixture
async def pods() -> AsyncIterator[AppBench]:
    made = AppBench()
    yield made
    await made.monitor.close()


async def serving(bench: Bench, seconds: int, *, scraping: bool = True, **labels: str) -> None:
    for _ in range(seconds // 5):
        bench.serve("canary", 10, **labels)
        await bench.wait(5, scraping=scraping)


def apply(bench: Bench) -> None:
    bench.target = replace(bench.target, applied_at=bench.clock.now(), weight_percent=25)
    bench.monitor.follow(bench.target)


async def test_what_is_scraped_from_the_beginning_misses_nothing(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    bench.serve("canary", 3, "500")
    await serving(bench, 60)
    assert bench.measured().unseen == 0


async def test_an_outage_that_the_counters_cover_misses_nothing(bench: Bench) -> None:
    bench.serve("stable", 5)
    await bench.wait(20)
    await bench.wait(5, scraping=False)
    bench.expose()
    apply(bench)
    await serving(bench, 30, scraping=False)
    await serving(bench, 15)
    assert bench.measured().canary == Counts(90, 0)
    assert bench.measured().unseen == 0


async def test_an_outage_before_the_first_scrape_misses_what_came_in_it(bench: Bench) -> None:
    """Nobody can say since when the counters are: a Prometheus that has just begun."""
    bench.serve("canary", 900)  # of another canary, long ago
    await bench.wait(20, scraping=False)
    bench.expose()
    await bench.wait(60, scraping=False)  # the pods start
    apply(bench)
    await serving(bench, 30, scraping=False)
    await serving(bench, 15)
    await bench.wait(5, scraping=False)
    first = bench.measured().unseen
    assert first == pytest.approx(50, rel=0.3)  # in 35 s, 2 a second, less 20

    await bench.monitor.close()
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().unseen == first
    await serving(bench, 45)
    assert bench.measured().unseen == 0


async def test_no_more_was_missed_than_was_there(bench: Bench) -> None:
    await bench.wait(20, scraping=False)
    bench.expose()
    apply(bench)
    await bench.wait(55, scraping=False)
    bench.serve("canary", 6)
    await serving(bench, 5)
    await bench.wait(10)
    assert 0 < bench.measured().unseen <= 16
    await serving(bench, 30)
    assert bench.measured().unseen == 0


async def test_an_idle_canary_does_not_wait_for_what_it_missed_for_ever(bench: Bench) -> None:
    bench.serve("canary", 900)
    await bench.wait(20, scraping=False)
    bench.expose()
    apply(bench)
    await bench.wait(30, scraping=False)
    await bench.wait(15)
    assert bench.measured().unseen > 0
    await bench.wait(60)
    assert bench.measured().unseen == 0


async def test_a_counter_that_begins_anew_in_an_outage_loses_what_it_had(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 120)
    await serving(bench, 30, scraping=False)
    bench.metrics.reset()
    await serving(bench, 15)
    assert bench.measured().canary == Counts(270, 0)
    # In 35 s, 2 a second, less those since. All that was seen before does not make up for it.
    assert bench.measured().unseen == pytest.approx(50, rel=0.3)
    await serving(bench, 30)
    assert bench.measured().unseen == 0


async def test_what_was_missed_at_a_high_weight_is_not_reckoned_at_the_rate_of_a_low_one(
    bench: Bench,
) -> None:
    await bench.wait(20)
    bench.expose()
    apply(bench)
    for _ in range(60):
        bench.serve("canary", 1)
        await bench.wait(5)
    apply(bench)
    bench.serve("canary", 50)
    await bench.wait(10)
    await serving(bench, 30, scraping=False)
    bench.metrics.reset()
    for _ in range(3):
        bench.serve("canary", 50)
        await bench.wait(5)
    await bench.wait(5, scraping=False)
    before = bench.measured().unseen
    assert before == pytest.approx(200, rel=0.4)
    await bench.monitor.close()
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().unseen == before


async def test_a_counter_that_begins_anew_between_two_scrapes_is_no_outage(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    bench.metrics.reset()
    await serving(bench, 60)
    assert bench.measured().unseen == 0


async def test_a_process_that_is_called_otherwise_misses_one_scrape(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    bench.metrics.values = {
        k if ("__name__", "up") in k else tuple(sorted((*k, ("cluster", "eu")))): v
        for k, v in bench.metrics.values.items()
    }
    await serving(bench, 60, cluster="eu")
    assert bench.measured().canary == Counts(230, 0)
    assert bench.measured().unseen == 0  # and it is made up for


async def test_pods_that_are_born_and_end_miss_nothing(pods: AppBench) -> None:
    await pods.expose()
    pods.begin("canary")
    pods.begin("canary", 2)
    for _ in range(6):
        pods.serve("canary", 5)
        pods.serve("canary", 5, number=2)
        await pods.wait(5)
    pods.end("canary", 2)
    pods.begin("canary", 3)
    for _ in range(6):
        pods.serve("canary", 5)
        pods.serve("canary", 5, number=3)
        await pods.wait(5)
    assert pods.measured().unseen == 0


async def test_a_pod_that_ends_in_an_outage_takes_its_counts_with_it(pods: AppBench) -> None:
    await pods.expose()
    for number in (1, 2):
        pods.begin("canary", number)
    for _ in range(12):
        pods.serve("canary", 5)
        pods.serve("canary", 5, number=2)
        await pods.wait(5)
    assert pods.measured().unseen == 0
    await pods.wait(30, scraping=False)
    pods.end("canary", 2)
    pods.serve("canary", 30)
    await pods.wait(15)
    assert pods.measured().unseen == pytest.approx(35, rel=0.3)  # half of all


async def test_a_pod_that_does_not_answer_and_ends_loses_what_it_did() -> None:
    pods = AppBench()
    await pods.expose()
    for number in (1, 2):
        pods.begin("canary", number)
    for _ in range(12):
        pods.serve("canary", 5)
        pods.serve("canary", 5, number=2)
        await pods.wait(5)
    pods.stop_answering("canary", 2)
    for _ in range(12):
        pods.serve("canary", 5)
        await pods.wait(5)
    assert pods.measured().unseen == 0  # it may tell yet
    pods.end("canary", 2)
    await pods.wait(20)
    assert pods.measured().unseen == pytest.approx(60, rel=0.3)
    for _ in range(12):
        pods.serve("canary", 5)
        await pods.wait(5)
    assert pods.measured().unseen == 0
    await pods.monitor.close()
