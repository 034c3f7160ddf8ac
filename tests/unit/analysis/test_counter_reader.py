"""What is read again, how far back, and under which names."""

from datetime import datetime

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.errors import TooLarge
from rollouts.model.evidence import Counts
from rollouts.model.status import RolloutStatus
from rollouts.ports import Series
from tests.unit.analysis.harness import ERRORS, KEY, Harness, serving, settle


async def test_labels_that_are_renamed_meanwhile_are_found_again(harness: Harness) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60)
    harness.metrics.values = {
        k: v for k, v in harness.metrics.values.items() if ("__name__", "up") in k
    }
    harness.exported = True
    await serving(harness, 120, "500")

    assert harness.measured().error == ""
    assert harness.measured().canary.failures >= 200


async def test_a_long_exposure_is_caught_up_with_little_by_little(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.wait(20)
    harness.expose()
    await serving(harness, 2700)
    before = harness.measured()
    await harness.monitor.close()

    monkeypatch.setattr("rollouts.analysis.measurement_round.CATCH_UP_SECONDS", 0)
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().error == "the controller is catching up: it has read 15m of 45m"
    assert harness.latest.served_percent is None
    await harness.wait(15)
    assert harness.measured().error == "the controller is catching up: it has read 30m of 45m15s"
    await harness.wait(30)
    assert harness.measured().error == ""
    assert harness.measured().canary == before.canary == Counts(5400, 0)
    assert harness.measured().restarts == ((8, Counts(600, 0)), (9, Counts()))


async def test_of_what_is_too_large_less_is_read_at_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of native histograms, of which a sample has a whole histogram: 105 of them fill 15 minutes."""
    await harness.wait(20)
    harness.expose()
    await serving(harness, 1800)
    before = harness.measured()
    await harness.monitor.close()
    samples = harness.metrics.samples

    async def at_most(
        selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        if window_seconds > 600:
            raise TooLarge("more than 16 MiB")
        return await samples(selector, until=until, window_seconds=window_seconds)

    monkeypatch.setattr(harness.metrics, "samples", at_most)
    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()
    assert harness.measured().error == "more than 16 MiB"
    await harness.wait(15)
    assert (harness.measured().error, harness.measured().canary) == ("", before.canary)
    await harness.monitor.close()


async def test_a_new_controller_reads_the_whole_exposure_again(harness: Harness) -> None:
    harness.serve("canary", 100)
    await harness.wait(20)
    harness.expose()
    for _ in range(10):
        harness.serve("canary", 10)
        harness.serve("canary", 1, "500")
        await harness.wait(15)
    before = harness.latest
    await harness.monitor.close()

    harness.monitor = harness.new_monitor()
    harness.monitor.follow(harness.target)
    await settle()

    assert harness.latest.canary == before.canary == Counts(110, 10)
    await harness.monitor.close()


async def test_labels_that_prometheus_renamed_are_understood() -> None:
    harness = Harness(ERRORS, exported=True)
    await harness.wait(20)
    harness.serve("stable", 3)
    await harness.wait(5)
    harness.expose()
    harness.serve("canary", 4)
    await harness.wait(15)

    assert harness.measured().canary == Counts(4, 0)
    await harness.monitor.close()


async def test_a_prometheus_that_is_back_and_has_not_scraped_yet_has_seen_nothing(
    harness: Harness,
) -> None:
    """It answers with what it knew before it went: that says nothing about the canary."""
    harness.serve("stable", 50)
    await harness.wait(20)
    known_at = harness.clock.now()
    await harness.wait(15, scraping=False)
    harness.expose()
    exposed_at = harness.clock.now()
    harness.serve("canary", 10, "500")
    await harness.wait(15, scraping=False)
    assert known_at < exposed_at
    assert harness.latest.seen_at == exposed_at < harness.latest.at
    assert weigh(harness.target.spec, RolloutStatus(exposed_at=exposed_at), harness.latest).at == (
        exposed_at
    )

    await harness.wait(15)
    assert harness.latest.seen_at == harness.latest.at
    assert harness.measured().canary == Counts(10, 10)


@pytest.mark.parametrize("seconds", [10, 20])
async def test_the_scrapes_of_others_are_not_thought_rare_where_prometheus_is_young(
    harness: Harness, seconds: int
) -> None:
    """How long a canary's counters may still move follows from it: nobody waits minutes for that."""
    await harness.wait(seconds)
    harness.expose()
    await settle()

    assert 5 <= harness.monitor.scrape_interval_seconds(KEY) <= 10


async def test_two_of_the_scrapes_that_are_near_each_other_by_accident_say_little(
    harness: Harness,
) -> None:
    for seconds in (0, 60, 1):
        harness.clock.move(seconds)
        harness.metrics.scrape(harness.clock.now())
    harness.expose()
    await settle()

    assert harness.monitor.scrape_interval_seconds(KEY) == 60
