"""A counter that a real Prometheus holds twice, as a pair of them does, is counted once."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.analysis.series import REPLICA_LABELS
from rollouts.metrics.prometheus import PrometheusSource
from rollouts.model.validation import parse_rollout
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.prometheus import Job, Prometheus
from rollouts.sandbox.prometheus_package import find_prometheus
from rollouts.traffic.nginx.counters import REQUESTS, ingress_metric
from tests.fakes.kubernetes import rollout
from tests.unit.analysis.harness import ARM, KEY
from tests.waiting import answer

pytestmark = pytest.mark.sandbox


class Nginx:
    """An exporter's counters of the canary: requests, of which some failed."""

    def __init__(self) -> None:
        self.counts = {"200": 40, "500": 0}

    async def metrics(self, _: web.Request) -> web.Response:
        labels = f'ingress="checkout",namespace="shop",service="checkout",canary="{ARM["canary"]}"'
        lines = [
            f'{REQUESTS}{{{labels},status="{status}"}} {count}\n'
            for status, count in self.counts.items()
            if count
        ]
        return web.Response(text="".join(lines))


@pytest.fixture
async def nginx(network: Network) -> AsyncIterator[Nginx]:
    made = Nginx()
    app = web.Application()
    app.router.add_get("/metrics", made.metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, network.control_plane, 9113).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def source(network: Network, tmp_path: Path) -> AsyncIterator[PrometheusSource]:
    """Yield a Prometheus that scrapes the exporter twice, as two replicas would."""
    targets, processes = tmp_path / "targets.json", Processes(tmp_path / "logs")
    groups = [
        {"targets": [f"{network.control_plane}:9113"], "labels": {"prometheus_replica": name}}
        for name in ("prometheus-0", "prometheus-1")
    ]
    targets.write_text(json.dumps(groups))
    prometheus = Prometheus(
        partial(find_prometheus, lambda _: None),
        processes,
        tmp_path / "prometheus",
        address=network.control_plane,
        scrape_seconds=0.5,
    )
    prometheus.configure([Job("nginx", targets_file=targets, honor_labels=True)])
    await prometheus.start()
    made = PrometheusSource(prometheus.url)
    yield made
    await made.close()
    await processes.stop_all()


async def known(source: PrometheusSource, count: int) -> datetime:
    """Return the present, when both replicas have scraped this count."""

    async def present() -> datetime | None:
        now = datetime.now(UTC)
        seen = await source.value(f"min(sum by (prometheus_replica) ({REQUESTS}))", at=now)
        return now if (seen.number or 0) >= count else None

    return await answer(present, 30)


async def test_a_request_is_counted_once(nginx: Nginx, source: PrometheusSource) -> None:
    spec = parse_rollout(rollout([{"setWeight": 25}]))
    metric, exposed_at = ingress_metric(REQUESTS, KEY, spec), await known(source, 40)
    counters = ExposureCounters(metric, exposed_at, 0.5, (), REPLICA_LABELS)
    for failures in (3, 6):
        nginx.counts = {"200": nginx.counts["200"] + 100, "500": failures}
        await counters.read(source, await known(source, sum(nginx.counts.values())))
    counted = counters.windows.total.arm(canary=True)
    assert (counted.requests, counted.failures) == (206, 6)
    assert "prometheus_replica=prometheus-0" in counters.note()
