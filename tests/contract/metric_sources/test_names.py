"""Names as OpenTelemetry has them, which PromQL has to quote: counted where the server can, and else refused in words."""

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
    PROMETHEUS_OF_DEBIAN,
    VICTORIA,
    MetricServer,
)

pytestmark = pytest.mark.sandbox

NAMES = {
    "requests": "http.server.requests",
    "codeLabel": "http.response.status_code",
    "exclude": {"http.route": ["/healthz"]},
}


def text(requests: Mapping[str, int]) -> str:
    """Return what an app exports that calls its metrics so."""
    return "".join(
        f'{{"http.server.requests","http.response.status_code"="{code}","http.route"="/"}} {count}\n'
        for code, count in requests.items()
    )


@pytest.fixture
def apps(exporters: Mapping[str, Exporter], source: PrometheusSource) -> ScrapedApps:
    made = ScrapedApps(exporters, source)
    for arm, exporter in exporters.items():
        exporter.says = lambda app=made.pods[arm]: text(app.requests)  # type: ignore[misc]
        exporter.content_type = "text/plain; version=1.0.0; escaping=allow-utf-8"
        made.pods[arm].serve(50, 0.05)
    return made


@each_of(PROMETHEUS, VICTORIA)
async def test_names_that_have_to_be_quoted_are_counted(
    server: MetricServer, apps: ScrapedApps
) -> None:
    server.configure(apps.targets)
    await server.start()
    await apps.expose(ERRORS, appMetrics=NAMES)
    apps.pods["canary"].serve(15, 0.05)
    apps.pods["canary"].serve(5, 0.05, "503")
    found = await apps.measured("errors", 20)
    assert (found.error, found.canary) == ("", Counts(20, 5))
    assert await apps.check() == ["wanted"]


@each_of(PROMETHEUS_OF_DEBIAN, OLD_VICTORIA)
async def test_an_older_server_says_that_it_can_t_be_asked_for_them(
    server: MetricServer, apps: ScrapedApps
) -> None:
    server.configure({})
    await server.start()
    apps.measure(ERRORS, appMetrics=NAMES)
    found = await apps.look("errors")
    assert "refuses the query" in found.error
    assert '"http.serv' in found.error.replace("\\", "")
    assert await apps.check() == ["refused"]
