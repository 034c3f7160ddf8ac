"""How long requests took, as each server keeps it: by bounds that are spelled so or so, or in native histograms."""

from collections.abc import Mapping
from functools import partial

import pytest

from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.evidence import Counts, Measurement
from tests.contract.metric_sources.conftest import Exporter
from tests.contract.metric_sources.scraped_apps import ERRORS, P90, App, ScrapedApps
from tests.metric_servers import protobuf
from tests.metric_servers.choice import EVERY_SERVER, each_of, program_of
from tests.metric_servers.servers import PROMETHEUS, PROMETHEUS_OF_DEBIAN, MetricServer

pytestmark = pytest.mark.sandbox


@pytest.fixture
def apps(exporters: Mapping[str, Exporter], source: PrometheusSource) -> ScrapedApps:
    return ScrapedApps(exporters, source)


@EVERY_SERVER
async def test_slow_requests_are_counted_however_bounds_are_spelled(
    server: MetricServer, apps: ScrapedApps
) -> None:
    p90 = {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}}
    apps.pods["stable"].typed = False  # its bound stays le="1", where the canary's may be "1.0"
    for app in apps.pods.values():
        app.serve(50, 0.05)
    server.configure(apps.targets)
    await server.start()
    await apps.expose(ERRORS, p90)
    apps.pods["canary"].serve(15, 0.7)
    apps.pods["canary"].serve(5, 3.0, "500")
    apps.pods["stable"].serve(40, 0.3)
    found = await apps.measured("p90", 20)
    assert (found.error, found.canary, found.limit) == ("", Counts(20, 5), 1.0)
    assert (await apps.measured("errors", 20)).canary == Counts(20, 5)
    assert await apps.check() == ["wanted", "wanted"]


@pytest.mark.nightly
@each_of(PROMETHEUS_OF_DEBIAN)
async def test_a_server_that_gets_the_next_version_goes_on_counting(
    server: MetricServer, apps: ScrapedApps
) -> None:
    """Its data stay, and the bound 1 is spelled otherwise from then on."""
    p90 = {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}}
    for app in apps.pods.values():
        app.serve(50, 0.05)
    server.configure(apps.targets)
    await server.start()
    await apps.expose(ERRORS, p90)
    apps.pods["canary"].serve(15, 0.7)
    apps.pods["canary"].serve(5, 3.0)
    assert (await apps.measured("p90", 20)).canary == Counts(20, 5)
    await server.stop()
    server.become(PROMETHEUS, await program_of(PROMETHEUS))
    await server.start()
    apps.pods["canary"].serve(20, 0.7)
    apps.pods["canary"].serve(10, 3.0)
    found = await apps.measured("p90", 50)
    assert (found.error, found.canary) == ("", Counts(50, 15))


@pytest.mark.parametrize("beside", [False, pytest.param(True, marks=pytest.mark.nightly)])
@each_of(PROMETHEUS)
async def test_native_histograms_are_read_beside_classic_ones_and_instead(
    server: MetricServer, apps: ScrapedApps, *, beside: bool
) -> None:
    native = {
        "convert_classic_histograms_to_nhcb": True,
        "always_scrape_classic_histograms": beside,
    }
    for app in apps.pods.values():
        app.serve(50, 0.05)
    server.configure(apps.targets, settings=native)
    await server.start()
    await apps.expose(P90)
    found = await after_a_quarter_that_is_slow(apps)
    assert "judged at 500ms" in found.note
    assert await apps.check() == ["wanted"]


@pytest.mark.nightly
@pytest.mark.parametrize("classic", ["none", "exported", "kept"])
@each_of(PROMETHEUS)
async def test_native_histograms_that_an_app_exports_are_read(
    server: MetricServer, apps: ScrapedApps, exporters: Mapping[str, Exporter], classic: str
) -> None:
    """An app that exports both: Prometheus keeps the native one alone, unless it is told to keep both."""
    bounds = () if classic == "none" else (0.1, 0.6)
    for arm, exporter in exporters.items():
        app = apps.pods[arm]
        exporter.says = partial(export, app, bounds)
        exporter.content_type = protobuf.CONTENT_TYPE
        app.serve(50, 0.05)
    native = {
        "scrape_native_histograms": True,
        "always_scrape_classic_histograms": classic == "kept",
    }
    server.configure(apps.targets, settings=native)
    await server.start()
    await apps.expose(P90)
    found = await after_a_quarter_that_is_slow(apps)
    assert f"judged at {'600ms' if classic == 'kept' else '500ms'}" in found.note


def export(app: App, classic_bounds: tuple[float, ...]) -> bytes:
    return protobuf.histogram("http_request_duration_seconds", app.took, classic_bounds)


async def after_a_quarter_that_is_slow(apps: ScrapedApps) -> Measurement:
    """Return what is measured when 5 of the canary's 20 requests took longer than any limit here."""
    apps.pods["canary"].serve(15, 0.3)
    apps.pods["canary"].serve(5, 3.0)
    found = await apps.measured("p90", 20)
    assert (found.error, found.canary) == ("", Counts(20, 5))
    return found
