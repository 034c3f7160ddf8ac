"""About how many canary requests nobody saw."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollouts.model.evidence import Counts
from tests.unit.analysis.app_harness import AppHarness
from tests.unit.analysis.harness import Harness, settle


@pytest.fixture
async def pods() -> AsyncIterator[AppHarness]:
    made = AppHarness()
    yield made
    await made.monitor.close()


async def serving(harness: Harness, seconds: int, *, scraping: bool = True, **labels: str) -> None:
    for _ in range(seconds // 5):
        harness.serve("canary", 10, **labels)
        await harness.wait(5, scraping=scraping)


def apply(harness: Harness) -> None:
    harness.target = replace(harness.target, applied_at=harness.clock.now(), weight_percent=25)
    harness.monitor.follow(harness.target)


async def test_what_is_scraped_from_the_beginning_misses_nothing(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60)
    harness.serve("canary", 3, "500")
    await serving(harness, 60)
    assert harness.measured().unseen == 0


async def test_an_outage_that_the_counters_cover_misses_nothing(harness: Harness) -> None:
    harness.serve("stable", 5)
    await harness.wait(20)
    await harness.wait(5, scraping=False)
    harness.expose()
    apply(harness)
    await serving(harness, 30, scraping=False)
    await serving(harness, 15)
    assert harness.measured().canary == Counts(90, 0)
    assert harness.measured().unseen == 0


async def test_an_outage_before_the_first_scrape_misses_what_came_in_it(harness: Harness) -> None:
    """Nobody can say since when the counters are: a Prometheus that has just begun."""
    harness.serve("canary", 900)  # of another canary, long ago
    await harness.wait(20, scraping=False)
    harness.expose()
    await harness.wait(60, scraping=False)  # the pods start
    apply(harness)
    await serving(harness, 30, scraping=False)
    await serving(harness, 15)
    await harness.wait(5, scraping=False)
    first = harness.measured().unseen
    assert first == pytest.approx(50, rel=0.3)  # in 35 s, 2 a second, less 20

    await harness.monitor.close()
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().unseen == first
    await serving(harness, 45)
    assert harness.measured().unseen == 0


async def test_no_more_was_missed_than_was_there(harness: Harness) -> None:
    await harness.wait(20, scraping=False)
    harness.expose()
    apply(harness)
    await harness.wait(55, scraping=False)
    harness.serve("canary", 6)
    await serving(harness, 5)
    await harness.wait(10)
    assert 0 < harness.measured().unseen <= 16
    await serving(harness, 30)
    assert harness.measured().unseen == 0


async def test_an_idle_canary_does_not_wait_for_what_it_missed_for_ever(harness: Harness) -> None:
    harness.serve("canary", 900)
    await harness.wait(20, scraping=False)
    harness.expose()
    apply(harness)
    await harness.wait(30, scraping=False)
    await harness.wait(15)
    assert harness.measured().unseen > 0
    await harness.wait(60)
    assert harness.measured().unseen == 0


async def test_a_counter_that_begins_anew_in_an_outage_loses_what_it_had(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 120)
    await serving(harness, 30, scraping=False)
    harness.metrics.reset()
    await serving(harness, 15)
    assert harness.measured().canary == Counts(270, 0)
    # In 35 s, 2 a second, less those since. All that was seen before does not make up for it.
    assert harness.measured().unseen == pytest.approx(50, rel=0.3)
    await serving(harness, 30)
    assert harness.measured().unseen == 0


async def test_what_was_missed_at_a_high_weight_is_not_reckoned_at_the_rate_of_a_low_one(
    harness: Harness,
) -> None:
    await harness.wait(20)
    harness.expose()
    apply(harness)
    for _ in range(60):
        harness.serve("canary", 1)
        await harness.wait(5)
    apply(harness)
    harness.serve("canary", 50)
    await harness.wait(10)
    await serving(harness, 30, scraping=False)
    harness.metrics.reset()
    for _ in range(3):
        harness.serve("canary", 50)
        await harness.wait(5)
    await harness.wait(5, scraping=False)
    before = harness.measured().unseen
    assert before == pytest.approx(200, rel=0.4)
    await harness.monitor.close()
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().unseen == before


async def test_a_counter_that_begins_anew_between_two_scrapes_is_no_outage(
    harness: Harness,
) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60)
    harness.metrics.reset()
    await serving(harness, 60)
    assert harness.measured().unseen == 0


async def test_a_process_that_is_called_otherwise_misses_one_scrape(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60)
    harness.metrics.values = {
        k if ("__name__", "up") in k else tuple(sorted((*k, ("cluster", "eu")))): v
        for k, v in harness.metrics.values.items()
    }
    await serving(harness, 60, cluster="eu")
    assert harness.measured().canary == Counts(230, 0)
    assert harness.measured().unseen == 0  # and it is made up for


async def test_pods_that_are_born_and_end_miss_nothing(pods: AppHarness) -> None:
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


async def test_a_pod_that_ends_in_an_outage_takes_its_counts_with_it(pods: AppHarness) -> None:
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
    pods = AppHarness()
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
