"""What is said of counters that stop, or are scraped more seldom than they are measured."""

from rollouts.model.evidence import Counts
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.bench import KEY, Bench, serving


async def test_without_new_samples_nothing_is_known(bench: Bench) -> None:
    """A canary that nobody watches any more must not pass, whatever it did before."""
    await bench.wait(20)
    bench.expose()
    await serving(bench, 60)
    await bench.wait(75, scraping=False)
    assert bench.measured().error == ""
    await bench.wait(15, scraping=False)

    assert bench.measured().error == (
        f"no new samples of {REQUESTS} for 1m30s: see whether Prometheus still scrapes ingress-nginx"
    )
    assert bench.latest.served_percent is None
    bench.serve("canary", 7, "500")
    await bench.wait(15)
    assert bench.measured().error == ""
    assert bench.measured().canary == Counts(127, 7)


async def test_scrapes_that_are_rarer_than_measurements_are_said(bench: Bench) -> None:
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
