"""A release that is judged by what its data plane counts, and scraped so seldom that nobody could wait for it."""

import asyncio

import pytest

from bench.app import App, sandbox
from bench.manifests import NAME
from bench.time_to_rollback import HOST, NAMESPACE, bodies
from rollouts.model.kinds import SERVICE
from rollouts.sandbox.dataplane.metrics_service import NAME as METRICS
from rollouts.sandbox.load import Load, Target

pytestmark = pytest.mark.sandbox
SCRAPE_SECONDS = 60.0


async def test_what_the_data_plane_counts_stops_a_bad_release_before_it_is_scraped() -> None:
    async with sandbox(SCRAPE_SECONDS) as running:
        app = App(running, NAMESPACE)
        app.create(bodies(25, "ingress"))
        await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
        load = Load(Target(running.ingress_url, host=HOST), 50.0)
        driving = asyncio.create_task(load.run())
        app.releases("bad", "20%")
        await app.until(lambda: app.canary_weight > 0, "it gets traffic")
        await app.until(lambda: app.canary_weight == 0, "it loses its traffic", 40)
        await app.until(lambda: app.status.get("abort"), "it is remembered")
        load.stop()
        await driving
        reason = str(app.status["abort"]["reason"])
        assert reason.endswith("; as the router's pods themselves show it"), reason
        assert load.report().lost_reasons == {}
        assert load.report().versions["bad"].failed < 100


async def test_a_data_plane_that_is_not_found_is_said_of_the_release() -> None:
    async with sandbox(1.0) as running:
        (found,) = running.store.select(SERVICE, "ingress-nginx", None)
        assert found["metadata"]["name"] == METRICS
        running.store.delete(SERVICE, "ingress-nginx", METRICS)
        app = App(running, NAMESPACE)
        app.create(bodies(25, "ingress"))
        await app.until(lambda: app.status.get("phase") == "Healthy", "first deploy")
        load = Load(Target(running.ingress_url, host=HOST), 50.0)
        driving = asyncio.create_task(load.run())
        app.releases("good", "0%")
        await app.until(lambda: "not read" in _message(app), f"{NAME} says why")
        load.stop()
        await driving
        assert "a Service with app.kubernetes.io/name=ingress-nginx" in _message(app)


def _message(app: App) -> str:
    """Return what status says of the readings."""
    exposure = app.status.get("exposure") or {}
    return str((exposure.get("readings") or {}).get("message", ""))
