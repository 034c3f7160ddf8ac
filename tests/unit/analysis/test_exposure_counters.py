"""What is said of counters that stop, or are scraped more seldom than they are measured."""

from rollouts.model.evidence import Counts
from rollouts.traffic.nginx.counters import REQUESTS
from tests.unit.analysis.harness import Harness, serving


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
