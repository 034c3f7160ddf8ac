"""A sandbox on a real control plane: what its node and its data plane do when nobody answers them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from rollouts.errors import UsageError
from rollouts.model.kinds import DEPLOYMENT, ENDPOINT_SLICE, JSON, POD, SERVICE, FrozenJSON
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.users import ADMIN_NAME
from rollouts.sandbox.cluster import insist
from rollouts.sandbox.control_plane.client import Client, path_of
from rollouts.sandbox.control_plane.programs import API_SERVER
from rollouts.sandbox.control_plane.real import RealControlPlane
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, Target
from rollouts.sandbox.workloads.objects import is_true
from tests.sandbox.test_rolling_traffic import HOST, LABELS, deployment, ingress, service
from tests.waiting import served, until

pytestmark = [pytest.mark.sandbox, pytest.mark.control_plane, pytest.mark.nightly]
REAL = pytest.mark.parametrize("on", ["real"])
"""In the name, by which the suite is shared out."""


@pytest.fixture
async def sandbox(tmp_path: Path, control_plane_programs: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path / "sandbox", controller=None, control_plane=control_plane_programs)
    real(made).cluster.follow(DEPLOYMENT)
    async with made:
        yield made


def real(sandbox: Sandbox) -> RealControlPlane:
    assert isinstance(sandbox.control, RealControlPlane)
    return sandbox.control


def pods(sandbox: Sandbox) -> list[JSON]:
    return sandbox.cluster.select(POD, "default", LABELS)


def runs(sandbox: Sandbox, version: str, count: int) -> bool:
    """Return whether there are so many pods, all of them ready and of this version."""
    found = pods(sandbox)
    images = {get_path(pod, "spec.containers")[0]["image"] for pod in found}
    ready = all(is_true(pod, "Ready") for pod in found)
    return len(found) == count and ready and images == {f"demo:{version}"}


def restarts(sandbox: Sandbox) -> list[int]:
    statuses = [
        each for pod in pods(sandbox) for each in get_path(pod, "status.containerStatuses", [])
    ]
    return sorted(each["restartCount"] for each in statuses)


async def is_open(sandbox: Sandbox) -> None:
    for kind, body in ((SERVICE, service()), (INGRESS, ingress()), (DEPLOYMENT, deployment("v1"))):
        await sandbox.cluster.create(kind, body)
    await until(lambda: runs(sandbox, "v1", 3), 60)
    await served(sandbox.ingress_url, HOST)


@asynccontextmanager
async def traffic(sandbox: Sandbox) -> AsyncIterator[Load]:
    load = Load(Target(sandbox.ingress_url, HOST), 50)
    sending = asyncio.create_task(load.run())
    yield load
    load.stop()
    await sending
    assert load.report().lost_reasons == {}


async def serves(load: Load, requests: int) -> None:
    goal = load.report().sent + requests
    await until(lambda: load.report().sent >= goal, 60)


@REAL
async def test_pods_serve_while_the_api_server_is_gone_and_all_goes_on_after(
    on: str, sandbox: Sandbox
) -> None:
    await is_open(sandbox)
    plane = real(sandbox).plane
    async with traffic(sandbox) as load:
        await plane.end(API_SERVER)
        victim = next(each for each in sandbox._processes.running if "pods/" in each.name)
        victim.signal(signal.SIGKILL)
        await serves(load, 50)
        await plane.run(API_SERVER)
        await until(lambda: restarts(sandbox) == [0, 0, 1], 60)
        spec = {"spec": deployment("v2")["spec"]}
        await insist(lambda: sandbox.cluster.patch(DEPLOYMENT, "default", "web", spec))
        await until(lambda: runs(sandbox, "v2", 3), 60)
        await serves(load, 50)
    assert load.report().failed == 0
    assert set(load.report().versions) == {"v1", "v2"}


@REAL
async def test_a_pod_is_told_of_at_an_address_that_an_api_server_takes(
    on: str, sandbox: Sandbox
) -> None:
    await is_open(sandbox)
    prefix = f"10.{sandbox.network.number}."
    told = {str(get_path(pod, "status.podIP")) for pod in pods(sandbox)}
    assert all(each.startswith(prefix) for each in told)
    found = sandbox.cluster.select(ENDPOINT_SLICE, "default", {"kubernetes.io/service-name": "web"})
    assert {
        address for each in found for end in each["endpoints"] for address in end["addresses"]
    } == told
    async with (
        aiohttp.ClientSession() as http,
        http.get(sandbox.ingress_url, headers={"Host": HOST}) as response,
    ):
        assert response.headers["x-pod"] in {pod["metadata"]["name"] for pod in pods(sandbox)}


@REAL
async def test_what_a_pod_says_is_read_through_the_api_server(on: str, sandbox: Sandbox) -> None:
    await is_open(sandbox)
    programs = real(sandbox).programs
    admin = Client(programs.url, programs.tokens[ADMIN_NAME], programs.authority)
    name = pods(sandbox)[0]["metadata"]["name"]
    said = await admin.get(path_of(POD, "default", name, "log"), {"tailLines": "1"})
    assert f"{name} serves version" in said["message"]
    spec = {"containers": [{"name": "app", "image": "demo:missing"}]}
    body = {"metadata": {"name": "stuck", "namespace": "default"}, "spec": spec}
    await sandbox.cluster.create(POD, body)
    await until(
        lambda: get_path(sandbox.cluster.get(POD, "default", "stuck"), "status.containerStatuses")
    )
    with pytest.raises(ApiError, match='"app" in pod "stuck" is waiting to start'):
        await admin.get(path_of(POD, "default", "stuck", "log"))
    await admin.close()


@REAL
async def test_an_endpoint_written_by_hand_is_asked_only_when_it_is_a_pod(
    on: str, sandbox: Sandbox
) -> None:
    await is_open(sandbox)
    asked: list[str] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(str(await reader.readline()))
        writer.close()

    stranger = await asyncio.start_server(listen, f"127.{sandbox.network.number}.0.9", 8080)
    body = by_hand(f"10.{sandbox.network.number}.0.9")
    await sandbox.cluster.create(ENDPOINT_SLICE, body)
    await until(lambda: len(sandbox.cluster.select(ENDPOINT_SLICE, "default")) > 1)
    async with traffic(sandbox) as load:
        await serves(load, 50)
    stranger.close()
    assert asked == []


def by_hand(address: str) -> FrozenJSON:
    labels = {"kubernetes.io/service-name": "web"}
    return {
        "metadata": {"name": "by-hand", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


@REAL
async def test_a_directory_without_the_programs_is_said(on: str, tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    with pytest.raises(UsageError, match=r"lacks one of etcd, kube-apiserver"):
        await Sandbox(directory, control_plane=tmp_path).start()
    assert not directory.exists()
