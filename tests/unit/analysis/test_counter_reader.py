"""What is read again, how far back, and under which names."""

from datetime import datetime

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.errors import TooLarge
from rollouts.model.evidence import Counts
from rollouts.model.status import RolloutStatus
from rollouts.ports import Series
from tests.unit.analysis.bench import ERRORS, KEY, Bench, serving, settle


async def test_labels_that_are_renamed_meanwhile_are_found_again(bench: Bench) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    bench.metrics.values = {
        k: v for k, v in bench.metrics.values.items() if ("__name__", "up") in k
    }
    bench.exported = True
    await serving(bench, 120, "500")

    assert bench.measured().error == ""
    assert bench.measured().canary.failures >= 200


async def test_a_long_exposure_is_caught_up_with_little_by_little(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.wait(20)
    bench.expose()
    await serving(bench, 2700)
    before = bench.measured()
    await bench.monitor.close()

    monkeypatch.setattr("rollouts.analysis.measurement_round.CATCH_UP_SECONDS", 0)
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().error == "catching up: 15m of 45m read"
    assert bench.latest.served_percent is None
    await bench.wait(15)
    assert bench.measured().error == "catching up: 30m of 45m15s read"
    await bench.wait(30)
    assert bench.measured().error == ""
    assert bench.measured().canary == before.canary == Counts(5400, 0)
    assert bench.measured().restarts == ((8, Counts(600, 0)), (9, Counts()))


async def test_of_what_is_too_large_less_is_read_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of native histograms, of which a sample has a whole histogram: 105 of them fill 15 minutes."""
    await bench.wait(20)
    bench.expose()
    await serving(bench, 1800)
    before = bench.measured()
    await bench.monitor.close()
    samples = bench.metrics.samples

    async def at_most(
        selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        if window_seconds > 600:
            raise TooLarge("more than 16 MiB")
        return await samples(selector, until=until, window_seconds=window_seconds)

    monkeypatch.setattr(bench.metrics, "samples", at_most)
    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()
    assert bench.measured().error == "more than 16 MiB"
    await bench.wait(15)
    assert (bench.measured().error, bench.measured().canary) == ("", before.canary)
    await bench.monitor.close()


async def test_a_new_controller_reads_the_whole_exposure_again(bench: Bench) -> None:
    bench.serve("canary", 100)
    await bench.wait(20)
    bench.expose()
    for _ in range(10):
        bench.serve("canary", 10)
        bench.serve("canary", 1, "500")
        await bench.wait(15)
    before = bench.latest
    await bench.monitor.close()

    bench.monitor = bench.new_monitor()
    bench.monitor.follow(bench.target)
    await settle()

    assert bench.latest.canary == before.canary == Counts(110, 10)
    await bench.monitor.close()


async def test_labels_that_prometheus_renamed_are_understood() -> None:
    bench = Bench(ERRORS, exported=True)
    await bench.wait(20)
    bench.serve("stable", 3)
    await bench.wait(5)
    bench.expose()
    bench.serve("canary", 4)
    await bench.wait(15)

    assert bench.measured().canary == Counts(4, 0)
    await bench.monitor.close()


async def test_a_prometheus_that_is_back_and_has_not_scraped_yet_has_seen_nothing(
    bench: Bench,
) -> None:
    """It answers with what it knew before it went: that says nothing about the canary."""
    bench.serve("stable", 50)
    await bench.wait(20)
    known_at = bench.clock.now()
    await bench.wait(15, scraping=False)
    bench.expose()
    exposed_at = bench.clock.now()
    bench.serve("canary", 10, "500")
    await bench.wait(15, scraping=False)
    assert known_at < exposed_at
    assert bench.latest.seen_at == exposed_at < bench.latest.at
    assert weigh(bench.target.spec, RolloutStatus(exposed_at=exposed_at), bench.latest).at == (
        exposed_at
    )

    await bench.wait(15)
    assert bench.latest.seen_at == bench.latest.at
    assert bench.measured().canary == Counts(10, 10)


@pytest.mark.parametrize("seconds", [10, 20])
async def test_the_scrapes_of_others_are_not_thought_rare_where_prometheus_is_young(
    bench: Bench, seconds: int
) -> None:
    """How long a canary's counters may still move follows from it: nobody waits minutes for that."""
    await bench.wait(seconds)
    bench.expose()
    await settle()

    assert 5 <= bench.monitor.scrape_interval_seconds(KEY) <= 10


async def test_two_of_the_scrapes_that_are_near_each_other_by_accident_say_little(
    bench: Bench,
) -> None:
    for seconds in (0, 60, 1):
        bench.clock.move(seconds)
        bench.metrics.scrape(bench.clock.now())
    bench.expose()
    await settle()

    assert bench.monitor.scrape_interval_seconds(KEY) == 60
