"""What is said of counters that stop, or are scraped more seldom than they are measured."""

from rollouts.model.evidence import Counts
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.harness import KEY, Harness, serving


async def test_without_new_samples_nothing_is_known(harness: Harness) -> None:
    """A canary that nobody watches any more must not pass, whatever it did before."""
    await harness.wait(20)
    harness.expose()
    await serving(harness, 60)
    await harness.wait(75, scraping=False)
    assert harness.measured().error == ""
    await harness.wait(15, scraping=False)

    assert harness.measured().error == (
        f"no new samples of {REQUESTS} for 1m30s: see whether Prometheus still scrapes ingress-nginx"
    )
    assert harness.latest.served_percent is None
    harness.serve("canary", 7, "500")
    await harness.wait(15)
    assert harness.measured().error == ""
    assert harness.measured().canary == Counts(127, 7)


async def test_scrapes_that_are_rarer_than_measurements_are_said(harness: Harness) -> None:
    harness.serve("canary", 1)
    for _ in range(5):
        await harness.wait(55, scraping=False)
        await harness.wait(5)
        harness.serve("canary", 1)
        if harness.monitor.latest(KEY) is None:
            harness.expose()
    assert harness.measured().error == ""
    assert harness.measured().note == (
        "scraped every 1m, measured every 15s; set --interval to the scrape interval"
    )
