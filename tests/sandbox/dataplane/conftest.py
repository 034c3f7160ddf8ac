"""A real nginx on the real store, with pods that are small servers in the test's own process."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from rollouts.model.kinds import CRD, ENDPOINT_SLICE, JSON, SERVICE, Kind
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.crds import definitions
from rollouts.sandbox.dataplane import initial_objects
from rollouts.sandbox.dataplane.configurator import Configurator
from rollouts.sandbox.dataplane.exporter import AccessLog, Exporter
from rollouts.sandbox.dataplane.ingress_metrics import IngressMetrics
from rollouts.sandbox.dataplane.ingresses import IngressSettings
from rollouts.sandbox.dataplane.nginx import Listener, Nginx
from rollouts.sandbox.network import Network, PodNetwork
from rollouts.sandbox.stored_cluster import StoredCluster
from tests import waiting

Until = Callable[[Callable[[], object]], Awaitable[None]]
HOST = "shop.example"
ANNOTATION = "nginx.ingress.kubernetes.io"


@dataclass(frozen=True)
class Asked:
    """A request as a pod got it."""

    version: str
    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Edge:
    """The ingress, and what a test does with it."""

    store: Store
    network: Network
    nginx: Nginx
    configurator: Configurator
    metrics: IngressMetrics
    metrics_url: str
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    sites: dict[str, web.AppRunner] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    answered: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def pod(self, number: int, version: str, status: int = 200) -> str:
        """Start a pod on 127.N.1.<number> and return its address; "slow" answers when `released`."""
        address = f"127.{self.network.number}.1.{number}"

        async def serve(request: web.Request) -> web.Response:
            body = await request.read()
            headers = {key.lower(): value for key, value in request.headers.items()}
            self.asked.append(Asked(version, request.method, request.raw_path, headers, body))
            if version == "slow":
                await self.released.wait()
            return web.Response(
                status=status,
                text=f"{version} {request.method} {request.raw_path} {len(body)}",
                headers={"x-version": version, "x-pod": address},
            )

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, address, 8080).start()
        self.sites[address] = runner
        return address

    def put(self, kind: Kind, body: JSON) -> None:
        meta = body["metadata"]
        if self.store.get(kind, meta["namespace"], meta["name"]) is None:
            self.store.create(kind, body)
        else:
            self.store.patch(kind, meta["namespace"], meta["name"], body)

    def service(self, name: str, *addresses: str) -> None:
        """Make a Service whose ready endpoints are `addresses`."""
        meta = {"name": name, "namespace": "default"}
        self.put(
            SERVICE,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": meta,
                "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
            },
        )
        self.put(
            ENDPOINT_SLICE,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta | {"labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [each], "conditions": {"ready": True}} for each in addresses
                ],
            },
        )

    def ingress(self, name: str, service: str, **annotations: str | None) -> None:
        """Make an Ingress for HOST; `canary_weight="5"` is the annotation canary-weight."""
        named = {f"{ANNOTATION}/{key.replace('_', '-')}": v for key, v in annotations.items()}
        backend = {"service": {"name": service, "port": {"number": 80}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        self.put(
            INGRESS,
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": name, "namespace": "default", "annotations": named},
                "spec": {"rules": [{"host": HOST, "http": {"paths": [path]}}]},
            },
        )

    def split(self, version: str, root: str, weights: Mapping[str, int | str]) -> None:
        """Make a TrafficSplit of the version over the root Service."""
        kind = Kind(TRAFFIC_SPLIT.group, version, TRAFFIC_SPLIT.plural, TRAFFIC_SPLIT.name)
        backends = [{"service": name, "weight": weight} for name, weight in weights.items()]
        self.put(
            kind,
            {
                "apiVersion": kind.api_version,
                "kind": kind.name,
                "metadata": {"name": root, "namespace": "default"},
                "spec": {"service": root, "backends": backends},
            },
        )

    def route(
        self, name: str, *rules: JSON, hostnames: tuple[str, ...] = (HOST,), kind: Kind = HTTP_ROUTE
    ) -> None:
        """Make an HTTPRoute (or a GRPCRoute) on the sandbox's Gateway."""
        parents = [{"name": "sandbox"}]
        self.put(
            kind,
            {
                "apiVersion": kind.api_version,
                "kind": kind.name,
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"parentRefs": parents, "hostnames": [*hostnames], "rules": [*rules]},
            },
        )

    async def get(
        self, path: str = "/", headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> aiohttp.ClientResponse:
        """Ask for a path of HOST, or for a whole URL."""
        url = path if path.startswith("http") else self.nginx.listener.url + path
        given = {"Host": HOST} | dict(headers or {})
        async with self.session.request(
            method, URL(url, encoded=True), headers=given, data=b"x" * 10, allow_redirects=False
        ) as response:
            await response.read()
            self.answered += response.status != 404  # without a route: nobody counts that
            return response

    async def version(self, path: str = "/", headers: Mapping[str, str] | None = None) -> str:
        """Return the version that answered, or the status when no pod did."""
        response = await self.get(path, headers)
        return response.headers.get("x-version", str(response.status))

    async def scrape(self) -> str:
        """Return the metrics, once nginx has logged all that it answered: it does that after the answer."""
        async with asyncio.timeout(waiting.PATIENCE_SECONDS):
            while True:
                async with self.session.get(self.metrics_url) as response:
                    page = await response.text()
                logged = re.findall(r"^sandbox_requests_total\{.*\} (\d+)$", page, re.MULTILINE)
                if sum(map(int, logged)) >= self.answered:
                    return page


@pytest.fixture
def until() -> Until:
    """Wait until a check holds, at most ten seconds."""

    return waiting.until


@pytest.fixture
async def edge(tmp_path: Path, network: Network) -> AsyncIterator[Edge]:
    async with AsyncExitStack() as stack:
        metrics = IngressMetrics()
        nginx = Nginx(tmp_path / "nginx", Listener(network.data_plane))
        command = nginx.prepare()
        access_log = AccessLog(nginx.access_log, metrics)
        access_log.open()
        stack.callback(access_log.close)
        process = await asyncio.create_subprocess_exec(*command)
        stack.push_async_callback(process.wait)
        stack.callback(process.terminate)
        stack.push_async_callback(nginx.close)

        def gave_up() -> str:
            return "" if process.returncode is None else f"nginx ended: {process.returncode}"

        await nginx.wait_ready(gave_up)
        exporter = Exporter(access_log, metrics)
        await exporter.start(network.control_plane, 9113)
        stack.push_async_callback(exporter.stop)
        store = Store()
        for definition in definitions():
            store.create(CRD, definition)
        cluster = StoredCluster(store)
        await initial_objects.create(cluster)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        configurator = Configurator(cluster, nginx, IngressSettings(PodNetwork(network.number)))
        url = f"http://{network.control_plane}:9113/metrics"
        yield Edge(store, network, nginx, configurator, metrics, url, session, stack)
