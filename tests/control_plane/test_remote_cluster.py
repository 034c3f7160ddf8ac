"""A real API server as a node and a data plane ask it: what they read, and what they write."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from rollouts.errors import Unavailable
from rollouts.model.kinds import CRD, JSON, POD, Kind
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.cluster import Cluster, insist
from rollouts.sandbox.control_plane.client import Client
from rollouts.sandbox.control_plane.programs import NODE_NAME
from rollouts.sandbox.control_plane.remote_cluster import RemoteCluster
from rollouts.sandbox.workloads.objects import condition
from tests.control_plane.processes import ControlPlane
from tests.waiting import until

THING = Kind("things.example", "v1", "things", "Thing")
DEFINITION: JSON = {
    "metadata": {"name": THING.crd_name},
    "spec": {
        "group": THING.group,
        "scope": "Namespaced",
        "names": {"kind": THING.name, "plural": THING.plural},
        "versions": [
            {
                "name": "v2",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@pytest.fixture
def namespace() -> str:
    return f"remote-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.control_plane)])
async def cluster(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[RemoteCluster]:
    real: ControlPlane = request.getfixturevalue("control_plane")
    programs = real.programs
    client = Client(programs.url, programs.tokens[NODE_NAME], programs.authority)
    made = RemoteCluster(client, (NAMESPACE, SERVICE_ACCOUNT, CONFIG_MAP, POD, THING))
    await made.start()
    await made.create(NAMESPACE, {"metadata": {"name": namespace}})
    await until(lambda: made.get(SERVICE_ACCOUNT, namespace, "default"))
    yield made
    await made.stop()


def config_map(namespace: str, **data: str) -> JSON:
    return {"metadata": {"name": "settings", "namespace": namespace}, "data": data}


def pod(namespace: str, name: str = "web") -> JSON:
    spec = {"containers": [{"name": "app", "image": "demo"}], "terminationGracePeriodSeconds": 5}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


async def test_a_write_is_known_at_once(cluster: Cluster, namespace: str) -> None:
    await cluster.create(CONFIG_MAP, config_map(namespace, color="blue"))
    found = cluster.get(CONFIG_MAP, namespace, "settings")
    assert found is not None
    assert found["data"] == {"color": "blue"}
    await cluster.patch(CONFIG_MAP, namespace, "settings", {"data": {"color": "red"}})
    (found,) = [
        each
        for each in cluster.select(CONFIG_MAP, namespace)
        if each["metadata"]["name"] == "settings"
    ]
    assert (found["kind"], found["data"]) == ("ConfigMap", {"color": "red"})
    await cluster.delete(CONFIG_MAP, found, 0)
    await until(lambda: cluster.get(CONFIG_MAP, namespace, "settings") is None)


async def test_a_pod_is_bound_told_of_and_let_go(cluster: Cluster, namespace: str) -> None:
    await cluster.create(POD, pod(namespace))
    made = cluster.get(POD, namespace, "web")
    assert made is not None
    await cluster.bind(made, "sandbox")
    await until(lambda: get_path(cluster.get(POD, namespace, "web"), "spec.nodeName") == "sandbox")
    for status, reason in (("False", "ContainersNotReady"), ("True", None)):
        said = {"type": "Ready", "status": status, "reason": reason}
        patch = {"metadata": {"uid": made["metadata"]["uid"]}, "status": {"conditions": [said]}}
        await cluster.patch(POD, namespace, "web", patch, "status")
    found = cluster.get(POD, namespace, "web")
    assert found is not None
    ready = condition(found, "Ready")
    assert ready is not None
    assert (ready["status"], ready.get("reason")) == ("True", None)
    assert condition(found, "PodScheduled"), "what others say of it stays"
    another = {**made, "metadata": {**made["metadata"], "uid": str(uuid.uuid4())}}
    with pytest.raises(ApiError):
        await cluster.delete(POD, another, 0)
    await cluster.delete(POD, made, 0)
    await until(lambda: cluster.get(POD, namespace, "web") is None)
    assert not await insist(lambda: cluster.delete(POD, made, 0)), "a no is an answer"


async def test_what_happens_is_heard_in_its_order(cluster: Cluster, namespace: str) -> None:
    heard: list[tuple[str, str]] = []

    async def listen() -> None:
        async with aclosing(cluster.changes(CONFIG_MAP)) as changes:
            async for change in changes:
                if change.object["metadata"]["namespace"] == namespace:
                    name = change.object["metadata"]["name"]
                    heard.append((change.type, name))

    listening = asyncio.create_task(listen())
    await until(lambda: ("ADDED", "kube-root-ca.crt") in heard)
    await cluster.create(CONFIG_MAP, config_map(namespace, color="blue"))
    await cluster.patch(CONFIG_MAP, namespace, "settings", {"data": {"color": "red"}})
    made = cluster.get(CONFIG_MAP, namespace, "settings")
    assert made is not None
    await cluster.delete(CONFIG_MAP, made, 0)
    await until(lambda: ("DELETED", "settings") in heard)
    listening.cancel()
    assert [each for each, name in heard if name == "settings"] == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_kind_comes_and_goes_in_whatever_version(cluster: Cluster, namespace: str) -> None:
    assert cluster.served(THING) is None
    assert cluster.select(THING) == []
    await cluster.create(CRD, DEFINITION)
    await until(lambda: cluster.served(THING))
    version = cluster.served(THING)
    assert version == Kind(THING.group, "v2", THING.plural, THING.name)

    async def make() -> None:
        try:
            await cluster.create(version, {"metadata": {"name": "one", "namespace": namespace}})
        except ApiError as error:  # established, and not served by this moment
            raise Unavailable(error.message) from error

    assert await insist(make)
    await until(lambda: cluster.get(THING, namespace, "one"))
    definition = cluster.get(CRD, "", THING.crd_name)
    assert definition is not None
    await cluster.delete(CRD, definition, 0)
    await until(lambda: cluster.served(THING) is None)
    await until(lambda: cluster.select(THING) == [])


async def test_who_has_no_token_is_refused(
    cluster: Cluster, namespace: str, control_plane: ControlPlane
) -> None:
    stranger = Client(control_plane.url, "nobody's", control_plane.programs.authority)
    with pytest.raises(ApiError, match="Unauthorized"):
        await stranger.get("/api/v1/pods")
    await stranger.close()
    nowhere = Client("https://127.0.0.1:9", "", control_plane.programs.authority)
    with pytest.raises(Unavailable, match="does not answer"):
        await nowhere.get("/api/v1/pods")
    await nowhere.close()
