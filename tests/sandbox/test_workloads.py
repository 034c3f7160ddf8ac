"""Pods as real processes: they start, serve, crash, are probed, and end without losing a request."""

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rollouts.backoff import Backoff
from rollouts.model.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    JSON,
    POD,
    REPLICA_SET,
    SERVICE,
)
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.network import Network, PodNetwork
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.stored_cluster import StoredCluster
from rollouts.sandbox.workloads import Controllers, Node
from rollouts.sandbox.workloads.objects import is_true
from tests.waiting import until

pytestmark = pytest.mark.sandbox

LABELS = {"app": "web"}
READY = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}
QUICK = Backoff(first_seconds=0.2, longest_seconds=0.8, jitter=0)


class Cluster:
    """The controllers and their pods, without an API server around the store."""

    def __init__(self, store: Store, processes: Processes) -> None:
        self.store = store
        self.processes = processes

    async def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        """Wait for a change of anything after which the condition holds."""
        await until(holds, seconds)

    def pod(self, name: str = "web") -> JSON:
        return self.store.get(POD, "default", name) or {}

    def container(self, name: str = "web") -> JSON:
        return next(iter(get_path(self.pod(name), "status.containerStatuses", [])), {})

    def waiting(self) -> str:
        return str(get_path(self.container(), "state.waiting.reason", ""))

    def is_ready(self, name: str = "web") -> bool:
        return bool(self.pod(name)) and is_true(self.pod(name), "Ready")

    def ready_addresses(self) -> list[str]:
        return [
            endpoint["addresses"][0]
            for found in self.store.select(ENDPOINT_SLICE, "default")
            for endpoint in found["endpoints"] or ()
            if endpoint["conditions"]["ready"]
        ]

    def events(self) -> set[str]:
        return {event["reason"] for event in self.store.select(EVENT, "default")}

    def running(self) -> list[Process]:
        """Return the processes of pods."""
        return [each for each in self.processes.running if each.name.startswith("pods/")]

    def log(self, name: str = "web") -> str:
        path = self.store.logs.get(("default", name, "app"))
        return path.read_text() if path else ""

    def create_pod(self, *, pod: JSON | None = None, **container: Any) -> None:
        spec: JSON = {"containers": [app(**container)], **(pod or {})}
        meta = {"name": "web", "namespace": "default", "labels": LABELS}
        self.store.create(POD, {"metadata": meta, "spec": spec})


def app(image: str = "demo:v1", env: dict[str, str] | None = None, **fields: Any) -> JSON:
    return {
        "name": "app",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": READY,
        **fields,
    }


def workload(replicas: int, **container: Any) -> JSON:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [app(**container)]}}
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template},
    }


def service() -> JSON:
    ports = [{"port": 80, "targetPort": "http"}]
    meta = {"name": "web", "namespace": "default"}
    return {"metadata": meta, "spec": {"selector": LABELS, "ports": ports}}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    network = Network.claim()
    processes = Processes(tmp_path / "logs")
    store = Store()
    controllers = Controllers(store)
    node = Node(
        *(StoredCluster(store), PodNetwork(network.number), processes),
        logs=store.logs,
        backoff=QUICK,
    )
    controllers.start()
    await node.start()
    yield Cluster(store, processes)
    await controllers.stop()
    await node.stop()
    assert processes.running == []
    await processes.stop_all()
    network.release()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_service_gets_its_pods_and_all_of_them_answer(cluster: Cluster) -> None:
    cluster.store.create(SERVICE, service())
    cluster.store.create(REPLICA_SET, workload(3, image="demo:v7"))
    await cluster.until(lambda: len(cluster.ready_addresses()) == 3)
    async with aiohttp.ClientSession() as http:
        for address in cluster.ready_addresses():
            async with http.get(f"http://{address}:8080/") as answer:
                assert answer.headers["X-Version"] == "v7"
    status = cluster.store.select(REPLICA_SET, "default")[0]["status"]
    assert (status["readyReplicas"], status["availableReplicas"]) == (3, 3)
    assert {"Scheduled", "Pulled", "Started", "SuccessfulCreate"} <= cluster.events()


async def test_a_rolling_update_loses_no_request(cluster: Cluster) -> None:
    """A client that picks a ready endpoint for each request never sees a failure."""
    cluster.store.create(SERVICE, service())
    cluster.store.create(DEPLOYMENT, workload(2))
    await cluster.until(lambda: len(cluster.ready_addresses()) == 2)
    seen: list[str] = []

    async def send(http: aiohttp.ClientSession) -> None:
        for number in itertools.count():
            addresses = cluster.ready_addresses()
            async with http.get(f"http://{addresses[number % len(addresses)]}:8080/") as answer:
                assert answer.status == 200
                seen.append(answer.headers["X-Version"])

    def is_updated() -> bool:
        found = [get_path(pod, "spec.containers")[0]["image"] for pod in cluster.store.select(POD)]
        return found == ["demo:v2"] * 2 and seen[-1:] == ["v2"]

    async with aiohttp.ClientSession() as http:
        sending = asyncio.create_task(send(http))
        template = workload(2, image="demo:v2")["spec"]["template"]
        cluster.store.patch(DEPLOYMENT, "default", "web", {"spec": {"template": template}})
        await cluster.until(lambda: sending.done() or is_updated())
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert "v1" in seen


async def test_a_deleted_pod_leaves_the_service_before_its_process_ends(cluster: Cluster) -> None:
    cluster.store.create(SERVICE, service())
    cluster.create_pod()
    await cluster.until(cluster.ready_addresses)
    cluster.store.delete(POD, "default", "web")
    await cluster.until(lambda: not cluster.ready_addresses())
    assert len(cluster.running()) == 1
    await cluster.until(lambda: not cluster.pod())
    assert cluster.running() == []
    assert "Killing" in cluster.events()


async def test_a_forced_deletion_kills_at_once(cluster: Cluster) -> None:
    cluster.create_pod()
    await cluster.until(cluster.is_ready)
    cluster.store.delete(POD, "default", "web", grace_seconds=0)
    assert not cluster.pod()
    await cluster.until(lambda: not cluster.running(), seconds=2)


async def test_a_crashing_container_is_restarted_at_once_and_then_ever_more_slowly(
    cluster: Cluster,
) -> None:
    seen: list[str] = []

    async def follow() -> None:
        async for change in cluster.store.changes(POD):
            for each in get_path(change.object, "status.containerStatuses", []):
                state, more = next(iter(each["state"].items()))
                seen.append(f"{each['restartCount']} {more.get('reason', state)}")

    following = asyncio.create_task(follow())
    cluster.create_pod(command=["sh", "-c", "exit 3"])
    await cluster.until(lambda: cluster.container().get("restartCount", 0) >= 2)
    await cluster.until(lambda: cluster.waiting() == "CrashLoopBackOff")
    following.cancel()
    states = [state for state in dict.fromkeys(seen) if not state.endswith("ContainerCreating")]
    assert states[:4] == ["0 running", "0 Error", "1 running", "1 Error"]
    assert states[4] == "1 CrashLoopBackOff"
    assert get_path(cluster.container(), "lastState.terminated.exitCode") == 3
    assert get_path(cluster.container(), "lastState.terminated.reason") == "Error"
    await cluster.until(
        lambda: "back-off 0.8s" in get_path(cluster.container(), "state.waiting.message", "")
    )
    assert "BackOff" in cluster.events()
    assert not cluster.is_ready()
    assert get_path(cluster.pod(), "status.phase") == "Running"


async def test_a_crash_under_traffic_takes_the_pod_out_until_it_is_back(cluster: Cluster) -> None:
    cluster.store.create(SERVICE, service())
    cluster.create_pod(env={"CRASH_AFTER_REQUESTS": "2"})
    await cluster.until(cluster.ready_addresses)
    url = f"http://{cluster.ready_addresses()[0]}:8080/"
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await http.get(url)
    await cluster.until(lambda: not cluster.ready_addresses())
    await cluster.until(cluster.ready_addresses)
    assert cluster.container()["restartCount"] == 1


async def test_pods_survive_the_death_of_what_forks_them(cluster: Cluster) -> None:
    cluster.create_pod()
    await cluster.until(cluster.is_ready)
    (server,) = (each for each in cluster.processes.running if each.name == "fork-server")
    server.signal(signal.SIGKILL)
    await cluster.until(lambda: cluster.container()["restartCount"] == 1 and cluster.is_ready())
    assert get_path(cluster.container(), "lastState.terminated.exitCode") == 137


async def test_an_image_that_is_not_there_never_starts(cluster: Cluster) -> None:
    cluster.create_pod(image="shop/does-not-exist:v1")
    await cluster.until(lambda: cluster.waiting() == "ImagePullBackOff")
    assert get_path(cluster.pod(), "status.phase") == "Pending"
    assert cluster.running() == []
    assert "Failed" in cluster.events()
    cluster.store.delete(POD, "default", "web")
    await cluster.until(lambda: not cluster.pod())


async def test_a_slow_start_is_waited_for(cluster: Cluster) -> None:
    startup = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    liveness = {
        "httpGet": {"path": "/ready", "port": 8080},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    cluster.create_pod(env={"START_DELAY": "1500ms"}, startupProbe=startup, livenessProbe=liveness)
    await cluster.until(lambda: "running" in cluster.container().get("state", {}))
    assert not cluster.container()["started"]
    await cluster.until(cluster.is_ready)
    assert cluster.container()["restartCount"] == 0


async def test_what_is_no_longer_alive_is_restarted(cluster: Cluster, tmp_path: Path) -> None:
    """The liveness probe looks for a file, that the test removes."""
    alive = tmp_path / "alive"
    alive.touch()
    probe = {
        "exec": {"command": ["test", "-e", str(alive)]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    cluster.create_pod(livenessProbe=probe, pod={"terminationGracePeriodSeconds": 1})
    await cluster.until(cluster.is_ready)
    alive.unlink()
    await cluster.until(lambda: cluster.container().get("lastState"))
    alive.touch()
    await cluster.until(lambda: cluster.is_ready() and cluster.container()["restartCount"] == 1)
    assert "Unhealthy" in cluster.events()


async def test_what_does_not_end_in_its_grace_period_is_killed(cluster: Cluster) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause(); signal.pause()"
    cluster.create_pod(
        command=[sys.executable, "-c", code],
        readinessProbe=None,
        pod={"terminationGracePeriodSeconds": 1},
    )
    await cluster.until(lambda: "up" in cluster.log())
    cluster.store.delete(POD, "default", "web")
    await cluster.until(lambda: not cluster.pod(), seconds=5)
    assert cluster.running() == []


async def test_a_pre_stop_sleep_comes_before_sigterm(cluster: Cluster) -> None:
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    cluster.create_pod(env={"DRAIN_SECONDS": "0"}, lifecycle=hook)
    await cluster.until(cluster.is_ready)
    log = cluster.store.logs["default", "web", "app"]
    cluster.store.delete(POD, "default", "web")
    await cluster.until(lambda: "Killing" in cluster.events())
    assert "draining" not in log.read_text()
    await cluster.until(lambda: not cluster.pod())
    assert "draining" in log.read_text()


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (1, "Failed")])
async def test_a_pod_that_runs_once(cluster: Cluster, code: int, phase: str) -> None:
    cluster.create_pod(command=["sh", "-c", f"exit {code}"], pod={"restartPolicy": "Never"})
    await cluster.until(lambda: get_path(cluster.pod(), "status.phase") == phase)
    cluster.store.delete(POD, "default", "web")
    await cluster.until(lambda: not cluster.pod())


async def test_a_container_that_cannot_be_configured_waits_for_what_it_needs(
    cluster: Cluster,
) -> None:
    reference = {"configMapKeyRef": {"name": "settings", "key": "version"}}
    cluster.create_pod()
    cluster.store.delete(POD, "default", "web", grace_seconds=0)
    body = app()
    body["env"] = [{"name": "VERSION", "valueFrom": reference}]
    meta = {"name": "web", "namespace": "default", "labels": LABELS}
    cluster.store.create(POD, {"metadata": meta, "spec": {"containers": [body]}})
    await cluster.until(lambda: cluster.waiting() == "CreateContainerConfigError")
    settings = {"metadata": {"name": "settings", "namespace": "default"}, "data": {"version": "v9"}}
    cluster.store.create(CONFIG_MAP, settings)
    await cluster.until(cluster.is_ready)
    assert "version v9" in cluster.log()
    assert cluster.container()["restartCount"] == 0


async def test_a_settled_cluster_writes_nothing(cluster: Cluster) -> None:
    cluster.store.create(SERVICE, service())
    cluster.store.create(DEPLOYMENT, workload(1))
    await cluster.until(
        lambda: get_path(
            cluster.store.get(DEPLOYMENT, "default", "web"), "status.availableReplicas"
        )
    )
    before = cluster.store.revision
    with pytest.raises(TimeoutError):
        await cluster.until(lambda: cluster.store.revision != before, seconds=2.5)
