"""What servers make of scrapes: samples that are left out, put in, or late."""

import time
from collections.abc import Mapping

import pytest

from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.evidence import Counts
from tests.contract.metric_sources.conftest import Exporter
from tests.contract.metric_sources.scraped_apps import ERRORS, ScrapedApps
from tests.metric_servers.choice import each_of
from tests.metric_servers.servers import (
    OLD_VICTORIA,
    PROMETHEUS,
    SCRAPE_SECONDS,
    VICTORIA,
    MetricServer,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly]


@pytest.fixture
def apps(exporters: Mapping[str, Exporter], source: PrometheusSource) -> ScrapedApps:
    return ScrapedApps(exporters, source)


@each_of(OLD_VICTORIA, VICTORIA)
async def test_samples_that_are_deduplicated_count_the_same(
    server: MetricServer, apps: ScrapedApps
) -> None:
    """Of five scrapes in a second the last one is kept."""
    for app in apps.pods.values():
        app.serve(50, 0.05)
    server.configure(apps.targets, flags=["-dedup.minScrapeInterval=1s"])
    await server.start()
    await apps.expose(ERRORS, scrapes=15)  # of which at least two are kept
    for _ in range(3):
        apps.pods["canary"].serve(3, 0.05)
        apps.pods["canary"].serve(1, 0.05, "500")
        requests = len(apps.pods["canary"].took) - 50
        found = await apps.measured("errors", requests)
        assert (found.error, found.canary) == ("", Counts(requests, requests // 4))


@each_of(PROMETHEUS)
async def test_a_zero_that_is_put_in_where_a_counter_was_created_is_no_scrape(
    server: MetricServer, apps: ScrapedApps, exporters: Mapping[str, Exporter]
) -> None:
    """As with `created-timestamp-zero-ingestion`: the canary's pod began 3 s before its first scrape."""
    begun = time.time()
    app = apps.pods["canary"]

    def openmetrics() -> str:
        lines = ["# TYPE http_requests counter"]
        for code, count in app.requests.items():
            lines.append(f'http_requests_total{{code="{code}"}} {count}')
            lines.append(f'http_requests_created{{code="{code}"}} {begun}')
        return "\n".join([*lines, "# EOF", ""])

    apps.pods["stable"].serve(50, 0.05)
    server.configure(apps.targets, flags=["--enable-feature=created-timestamp-zero-ingestion"])
    await server.start()
    await apps.expose(ERRORS)
    begun = time.time() + 0.001
    exporters["canary"].says = openmetrics
    exporters["canary"].content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    app.serve(15, 0.05)
    app.serve(5, 0.05, "500")
    found = await apps.measured("errors", 20)
    assert (found.error, found.canary) == ("", Counts(20, 5))
    assert apps.scrape_interval_seconds == pytest.approx(SCRAPE_SECONDS, rel=0.2)
