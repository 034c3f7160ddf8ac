"""What looks make of counters that stop, are renamed, come late or twice, or reach far back."""

import pytest

from rollouts.model.evidence import Counts
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.bench import KEY, P90, Bench, settle

UP = {"__name__": "up", "job": "nginx", "instance": "b"}


async def serving(bench: Bench, seconds: int, status: str = "200", **labels: str) -> None:
    for _ in range(seconds // 5):
        bench.serve("canary", 10, status, **labels)
        bench.serve("stable", 90, **labels)
        await bench.wait(5)


def relabel(bench: Bench, **labels: str) -> None:
    """Have Prometheus call every counter otherwise from now on."""
    bench.metrics.values = {
        key if ("__name__", "up") in key else tuple(sorted((dict(key) | labels).items())): value
        for key, value in bench.metrics.values.items()
    }


async def test_without_new_samples_nothing_is_known(bench: Bench) -> None:
    """A canary that nobody watches any more must not pass, whatever it did before."""
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    await bench.wait(75, scraping=False)
    assert bench.measured().error == ""
    await bench.wait(15, scraping=False)

    assert bench.measured().error == (
        f"no new samples of {REQUESTS} for 1m30s: is ingress-nginx still scraped?"
    )
    assert bench.latest.served_percent is None
    bench.serve("canary", 7, "500")
    await bench.wait(15)
    assert bench.measured().error == ""
    assert bench.measured().canary == Counts(127, 7)


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


async def test_counters_that_are_only_called_otherwise_are_not_counted_again(bench: Bench) -> None:
    bench.serve("canary", 400, "500")  # of an earlier canary
    bench.serve("canary", 9600)
    await bench.wait(60)
    bench.expose()
    await serving(bench, 60)
    relabel(bench, cluster="eu")
    await serving(bench, 30, cluster="eu")
    assert bench.measured().canary.failures == 0
    assert 120 < bench.measured().canary.requests <= 180

    bench.serve("canary", 3, "502", cluster="eu")  # new, beside others of the same process
    await bench.wait(15)
    assert bench.measured().canary.failures == 3


async def test_a_process_that_is_met_late_counts_from_then(bench: Bench) -> None:
    """One of two nginx pods is not scraped while the release begins."""
    up = tuple(sorted(UP.items()))
    for instance in "ab":
        bench.serve("canary", 200, "500", instance=instance)
        bench.serve("canary", 4800, instance=instance)
    await bench.wait(60)
    hidden = {k: v for k, v in bench.metrics.values.items() if ("instance", "b") in k}
    bench.metrics.values = {k: v for k, v in bench.metrics.values.items() if k not in hidden}
    bench.metrics.values[up] = 0
    await bench.wait(125)
    bench.expose()
    await serving(bench, 15)
    bench.metrics.values |= hidden
    bench.metrics.values[up] = 1
    await serving(bench, 30)
    assert bench.measured().canary == Counts(90, 0)

    bench.serve("canary", 2, "503", instance="b")
    await bench.wait(15)
    assert bench.measured().canary == Counts(92, 2)


async def test_a_process_that_started_since_counts_from_zero(bench: Bench) -> None:
    await bench.wait(60)
    bench.expose()
    await serving(bench, 15)
    bench.metrics.values[tuple(sorted(UP.items()))] = 1
    started = bench.clock.now().timestamp()
    bench.metrics.count("process_start_time_seconds", started, job="nginx", instance="b")
    bench.serve("canary", 4, "500", instance="b")
    await bench.wait(15)

    assert bench.measured().canary == Counts(34, 4)


async def test_what_two_jobs_scrape_counts_once(bench: Bench) -> None:
    await bench.wait(60)
    bench.expose()
    for _ in range(3):
        for job in ("nginx", "pods"):
            bench.serve("canary", 10, job=job, controller_pod="nginx-0")
            bench.serve("canary", 1, "500", job=job, controller_pod="nginx-0")
        await bench.wait(5)
    assert bench.measured().canary == Counts(33, 3)

    gone = ("job", "nginx")
    bench.metrics.values = {
        k: v for k, v in bench.metrics.values.items() if gone not in k or ("__name__", "up") in k
    }
    for _ in range(42):
        bench.serve("canary", 10, job="pods", controller_pod="nginx-0")
        await bench.wait(5)
    assert bench.measured().error == ""
    assert bench.measured().canary.failures == 3
    assert 300 < bench.measured().canary.requests <= 453


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


async def test_scrapes_that_are_rarer_than_looks_are_said(bench: Bench) -> None:
    bench.serve("canary", 1)
    for _ in range(5):
        await bench.wait(55, scraping=False)
        await bench.wait(5)
        bench.serve("canary", 1)
        if bench.monitor.latest(KEY) is None:
            bench.expose()
    assert bench.measured().error == ""
    assert bench.measured().note == (
        "scraped every 1m, measured every 15s; set --interval to the scrape interval"
    )
