"""
The worlds that the contract of `Cluster` holds in: a fake, the embedded and a real API server.

The real one is a control plane that is started for the tests, or the cluster that
ROLLOUTS_TEST_KUBECONFIG names; each test makes and removes a namespace there, and the CRDs of the
Rollout and of `api_server/definitions.py` stay.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from rollouts.controller.watches import WATCHED
from rollouts.errors import NotFound
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.paths import object_path
from rollouts.kube.reflector import WatchTiming
from rollouts.kube.requests import KubeRequests
from rollouts.model.crd import crd
from rollouts.model.kinds import (
    CRD,
    DISRUPTION_BUDGET,
    EVENT,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Cluster, Scope
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from tests.fakes.cluster import FakeCluster
from tests.waiting import until

KINDS = {
    **dict.fromkeys((ROLLOUT, REPLICA_SET, SERVICE, EVENT, POD, DISRUPTION_BUDGET), Scope()),
    CRD: replace(WATCHED[CRD], names=(TRAFFIC_SPLIT.crd_name,)),
    TRAFFIC_SPLIT: WATCHED[TRAFFIC_SPLIT],
}
BORROWED = os.environ.get("ROLLOUTS_TEST_KUBECONFIG", "")
"""The way to somebody's cluster, which is tidied up. One of our own is thrown away: that is faster."""
NAMESPACE = Kind("", "v1", "namespaces", "Namespace")


class World(Protocol):
    """A cluster under test, its namespace, and somebody else who changes things in it."""

    cluster: Cluster
    namespace: str

    async def create(self, kind: Kind, body: FrozenJSON) -> None: ...
    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> None: ...
    async def delete(self, ref: Ref) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeCluster()
        self.cluster: Cluster = self.fake
        self.namespace = "shop"

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        self.fake.put(kind, body)

    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> None:
        self.fake.edit(ref, body)

    async def delete(self, ref: Ref) -> None:
        self.fake.drop(ref)


class KubeWorld:
    """An API server that a kubeconfig names, in a namespace of its own for each test."""

    def __init__(self, kubeconfig: Path) -> None:
        self.namespace = f"contract-{uuid.uuid4().hex[:8]}"
        self.kube = KubeCluster(
            Connection(kubeconfig),
            [self.namespace],
            KINDS,
            timing=WatchTiming(first_delay_seconds=0.05),
        )
        self.cluster: Cluster = self.kube
        self._others = KubeRequests(kubeconfig)

    async def start(self) -> None:
        await define(self._others, crd())
        await self._others.create(NAMESPACE, {"metadata": {"name": self.namespace}})
        await self.kube.start()
        await until(lambda: not self.kube.problems())

    async def stop(self) -> None:
        await self.kube.stop()
        if BORROWED:
            await self._others.delete(Ref(NAMESPACE, "", self.namespace))
        definition = Ref(CRD, "", TRAFFIC_SPLIT.crd_name)
        with suppress(NotFound):
            await self._others.delete(definition)
            async with aclosing(self._others.watch(definition)) as states:
                async for seen in states:
                    if seen is None:
                        break
        await self._others.connection.close()

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        await self._others.create(kind, body)

    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> None:
        await self._others.connection.request(
            "PATCH",
            object_path(ref, subresource),
            query={"fieldManager": "somebody-else"},
            body=body,
            content_type="application/merge-patch+json",
        )

    async def delete(self, ref: Ref) -> None:
        await self._others.delete(ref)


async def define(admin: KubeRequests, definition: FrozenJSON) -> None:
    """Apply a CRD, and return once its kind is served."""
    await admin.apply(CRD, definition)
    name = definition["metadata"]["name"]
    async with aclosing(admin.watch(Ref(CRD, "", name))) as states:
        async for seen in states:
            if _established(seen):
                break


def _established(definition: JSON | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def write_kubeconfig(url: str, directory: Path) -> Path:
    path = directory / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": url}}],
                "users": [{"name": "test", "user": {}}],
            }
        )
    )
    return path


@pytest.fixture
async def api_server() -> AsyncIterator[ApiServer]:
    """The embedded API server."""
    server = ApiServer(Store())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def embedded(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeWorld]:
    world = KubeWorld(write_kubeconfig(api_server.url, tmp_path))
    await world.start()
    yield world
    await world.stop()


@pytest.fixture
def real_kubeconfig(request: pytest.FixtureRequest) -> Path:
    """The admin's way to a real API server."""
    if BORROWED:
        return Path(BORROWED)
    started: Path = request.getfixturevalue("control_plane").kubeconfig
    return started


async def hung_up() -> None:
    """Wait until connections over TLS, which were closed, have said goodbye: that takes an answer."""
    transports: Any = getattr(asyncio.get_running_loop(), "_transports")  # noqa: B009 - no type has it
    await until(lambda: all(each._sock is None for each in list(transports.values())))


@pytest.fixture
async def real(real_kubeconfig: Path) -> AsyncIterator[KubeWorld]:
    world = KubeWorld(real_kubeconfig)
    await world.start()
    yield world
    await world.stop()
    await hung_up()


SERVERS = ["embedded", pytest.param("real", marks=pytest.mark.control_plane)]


@pytest.fixture(params=["fake", *SERVERS])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    found: World = request.getfixturevalue(request.param)
    return found
