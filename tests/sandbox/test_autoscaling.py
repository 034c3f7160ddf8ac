"""Autoscalers over real processes: the CPU that they use, and what a real Prometheus answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from rollouts.model.kinds import AUTOSCALER, CRD, DEPLOYMENT, JSON, SCALED_OBJECT
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling import Autoscaling, Timing
from rollouts.sandbox.crds import definitions
from rollouts.sandbox.network import Network, PodNetwork, free_port
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.prometheus import Prometheus
from rollouts.sandbox.prometheus_package import find_prometheus
from rollouts.sandbox.stored_cluster import StoredCluster
from rollouts.sandbox.workloads import Controllers, Node
from tests.waiting import until

pytestmark = pytest.mark.sandbox

QUICK = Timing(sync_seconds=0.1, cpu_window_seconds=1, cpu_initialization_seconds=0)
META = {"name": "web", "namespace": "default"}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}
# Works until a file is there; each pod then ends its work and rests.
WORK = 'while [ ! -e "$REST" ]; do :; done; exec sleep 600'


class Cluster:
    """Pods as processes, and Prometheus, which runs once it is started."""

    def __init__(self, directory: Path) -> None:
        self.network = Network.claim()
        self.store = Store()
        self.processes = Processes(directory / "logs")
        self.prometheus = Prometheus(
            lambda: find_prometheus(lambda _: None),
            self.processes,
            directory / "prometheus",
            address=self.network.control_plane,
            port=free_port(self.network.control_plane, 9090),
        )

    def deploy(self, replicas: int, **container: Any) -> None:
        labels = {"app": "web"}
        app = {"name": "app", "image": "demo:v1", "ports": [{"containerPort": 8080}], **container}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [app]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.store.create(DEPLOYMENT, {"metadata": META, "spec": spec})

    def autoscaler(self, name: str = "web") -> JSON:
        return self.store.get(AUTOSCALER, "default", name) or {}

    @property
    def size(self) -> int:
        return int(get_path(self.store.get(DEPLOYMENT, "default", "web"), "spec.replicas", 1))

    async def until_size(self, replicas: int) -> None:
        await until(
            lambda: self.size == replicas,
            30,
            account=lambda: self.store.select(AUTOSCALER),
        )


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path)
    async with AsyncExitStack() as stack:
        stack.callback(cluster.network.release)
        stack.push_async_callback(cluster.processes.stop_all)
        controllers = Controllers(cluster.store)
        controllers.start()
        stack.push_async_callback(controllers.stop)
        network = PodNetwork(cluster.network.number)
        node = Node(StoredCluster(cluster.store), network, cluster.processes)
        await node.start()
        stack.push_async_callback(node.stop)
        autoscaling = Autoscaling(cluster.store, cluster.prometheus.url, QUICK)
        running = asyncio.create_task(autoscaling.run())
        yield cluster
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_pods_that_work_get_company_until_they_rest(cluster: Cluster, tmp_path: Path) -> None:
    rest = tmp_path / "rest"
    cluster.deploy(
        1,
        command=["sh", "-c", WORK],
        env=[{"name": "REST", "value": str(rest)}],
        resources={"requests": {"cpu": "20m"}},
    )
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    spec = {
        "scaleTargetRef": TARGET,
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": cpu}],
        "behavior": AT_ONCE,
    }
    cluster.store.create(AUTOSCALER, {"metadata": META, "spec": spec})
    await cluster.until_size(2)
    rest.touch()
    await cluster.until_size(1)
    (metric,) = cluster.autoscaler()["status"]["currentMetrics"]
    assert metric["resource"]["current"]["averageUtilization"] < 50


async def test_a_scaled_object_follows_prometheus(cluster: Cluster) -> None:
    for body in definitions():
        cluster.store.create(CRD, body)
    cluster.prometheus.configure([])
    await cluster.prometheus.start()
    cluster.deploy(1)
    meta = {"serverAddress": cluster.prometheus.url, "query": "vector(250)", "threshold": "100"}
    spec = {
        "scaleTargetRef": {"name": "web"},
        "minReplicaCount": 1,
        "triggers": [{"type": "prometheus", "metadata": meta}],
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": AT_ONCE}},
    }
    cluster.store.create(SCALED_OBJECT, {"metadata": META, "spec": spec})
    await cluster.until_size(3)
    trigger = {"type": "prometheus", "metadata": {**meta, "query": "scalar(vector(80))"}}
    cluster.store.patch(SCALED_OBJECT, "default", "web", {"spec": {"triggers": [trigger]}})
    await cluster.until_size(1)
    trigger["metadata"] = {**meta, "query": "sum("}
    cluster.store.patch(SCALED_OBJECT, "default", "web", {"spec": {"triggers": [trigger]}})

    def refused() -> bool:
        conditions = get_path(cluster.autoscaler("keda-hpa-web"), "status.conditions", [])
        return any("parse error" in each["message"] for each in conditions)

    await until(refused)
    assert cluster.size == 1
