"""A real Prometheus on a real target: scraping, labels, and a pause of it."""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.prometheus import Job, Prometheus
from rollouts.sandbox.prometheus_package import find_prometheus
from tests.waiting import answer

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def target(network: Network) -> AsyncIterator[str]:
    """Serve a counter whose labels clash with those that scraping adds."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text='hits{namespace="shop",service="web",pod="p"} 7\n')

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, network.control_plane, 9113).start()
    yield f"{network.control_plane}:9113"
    await runner.cleanup()


async def series(url: str, promql: str) -> list[JSON]:
    """Wait until the query has a result and return it."""
    async with aiohttp.ClientSession() as session:

        async def result() -> list[JSON]:
            async with session.get(f"{url}/api/v1/query", params={"query": promql}) as response:
                found: list[JSON] = (await response.json())["data"]["result"]
                return found

        return await answer(result, 20)


async def test_it_scrapes_keeps_honoured_labels_and_survives_a_restart(
    tmp_path: Path, network: Network, processes: Processes, target: str
) -> None:
    said: list[str] = []
    pods = tmp_path / "pods.json"
    labels = {"namespace": "of-pod", "pod": "web-1", "revision": "abc"}
    pods.write_text(json.dumps([{"targets": [target], "labels": labels}]))
    prometheus = Prometheus(
        partial(find_prometheus, said.append),
        processes,
        tmp_path / "prometheus",
        address=network.control_plane,
    )
    prometheus.configure(
        [
            Job("ingress-nginx", (target,), honor_labels=True),
            Job("pods", targets_file=pods),
        ]
    )
    await prometheus.start()
    (ingress,) = await series(prometheus.url, 'hits{job="ingress-nginx"}')
    assert ingress["metric"]["namespace"] == "shop"
    assert ingress["value"][1] == "7"
    (pod,) = await series(prometheus.url, 'hits{job="pods"}')
    assert pod["metric"]["namespace"] == "of-pod"
    assert pod["metric"]["exported_namespace"] == "shop"
    assert pod["metric"]["revision"] == "abc"

    (before,) = await series(prometheus.url, "timestamp(up{job='ingress-nginx'})")
    await prometheus.stop()
    assert not processes.running
    await prometheus.start()
    at = before["value"][1]
    assert await series(prometheus.url, f"up{{job='ingress-nginx'}} @ {at}")


async def test_one_that_ends_at_once_is_said_with_its_log(
    tmp_path: Path, network: Network, processes: Processes
) -> None:

    async def find() -> Path:
        return Path("/bin/false")

    prometheus = Prometheus(find, processes, tmp_path / "prometheus", address=network.control_plane)
    prometheus.configure([])
    with pytest.raises(Unavailable, match=r"ended with status 1; see .*prometheus\.log"):
        await prometheus.start()
