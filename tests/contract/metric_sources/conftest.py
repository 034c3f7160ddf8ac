"""The servers under the contract of metric sources, and an exporter that says what a test wants."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.metrics.prometheus import PrometheusSource
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from tests.metric_servers.choice import program_of
from tests.metric_servers.servers import MetricServer, ServerKind


@dataclass
class Exporter:
    """What is scraped at `target`: `says` is asked each time."""

    target: str
    says: Callable[[], str | bytes] = str
    content_type: str = "text/plain; version=0.0.4"
    scrapes: int = 0

    async def metrics(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        said = self.says()
        body = said.encode() if isinstance(said, str) else said
        return web.Response(body=body, headers={"Content-Type": self.content_type})


@asynccontextmanager
async def exporting(address: str, port: int) -> AsyncIterator[Exporter]:
    made = Exporter(f"{address}:{port}")
    app = web.Application()
    app.router.add_get("/metrics", made.metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def exporter(network: Network) -> AsyncIterator[Exporter]:
    async with exporting(network.control_plane, 9113) as made:
        yield made


@pytest.fixture
async def server(
    kind: ServerKind, network: Network, processes: Processes, tmp_path: Path
) -> MetricServer:
    """One that has not been configured, and not been started."""
    program = await program_of(kind)
    return MetricServer(kind, program, processes, tmp_path / "server", network.control_plane)


@pytest.fixture
async def source(server: MetricServer) -> AsyncIterator[PrometheusSource]:
    """The way to the server, which need not run yet."""
    made = PrometheusSource(server.url)
    yield made
    await made.close()


@pytest.fixture
async def exporters(network: Network) -> AsyncIterator[Mapping[str, Exporter]]:
    """One for each arm's pod."""
    address = network.control_plane
    async with exporting(address, 9113) as canary, exporting(address, 9114) as stable:
        yield {"canary": canary, "stable": stable}
