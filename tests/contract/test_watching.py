"""What a `KubeCluster` does about its API server: how it asks, and what it survives."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.lease import LEASE, Lease
from rollouts.kube.reflector import WatchTiming
from rollouts.model.kinds import JSON, SERVICE, Ref
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Apply, Create, Patch, Scope, Write
from rollouts.sandbox.apiserver.server import ApiServer
from tests.contract.conftest import write_kubeconfig
from tests.waiting import until

WATCHES = 2
WEB = Ref(SERVICE, "default", "web")


class Noted(Connection):
    """A connection that notes which lists it asked for."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self.lists: Counter[str] = Counter()
        """Of all objects of a kind, in one page."""
        self.questions = 0
        """Lists of one object, for the version that they are of."""

    async def request(self, method: str, path: str, **given: Any) -> JSON:
        query = given.get("query") or {}
        if method == "GET" and "limit" in query:
            if query["limit"] == 1:
                self.questions += 1
            else:
                self.lists[path.rpartition("/")[2]] += 1
        return await super().request(method, path, **given)


@pytest.fixture
def connection(api_server: ApiServer, tmp_path: Path) -> Noted:
    return Noted(write_kubeconfig(api_server.url, tmp_path))


@pytest.fixture
async def cluster(api_server: ApiServer, connection: Noted) -> AsyncIterator[KubeCluster]:
    timing = WatchTiming(first_delay_seconds=0.02)
    made = KubeCluster(connection, [], {SERVICE: Scope(), INGRESS: Scope()}, timing=timing)
    await made.start()
    await until(lambda: verbs(api_server).count("watch") == 2)
    yield made
    await made.stop()


def verbs(api_server: ApiServer) -> list[str]:
    return [entry.verb for entry in api_server.audit]


def service(name: str = "web") -> JSON:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def ingress() -> JSON:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    rules = [{"host": "web.example", "http": {"paths": paths}}]
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"rules": rules}}


async def test_each_kind_is_listed_and_watched_once(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    assert sorted(verbs(api_server)) == ["list", "list", "watch", "watch"]


async def test_what_is_so_already_costs_no_request_defaults_or_not(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    wanted: list[Write] = [
        Apply(SERVICE, service()),
        Apply(INGRESS, ingress()),
        Patch(WEB, {"spec": {"selector": {"app": "web"}}}),
    ]
    for write in wanted:
        await cluster.write(write)
    before = len(api_server.audit)
    for write in wanted:
        await cluster.write(write)
    assert len(api_server.audit) == before


async def test_what_happened_while_the_watch_was_cut_is_told_without_a_list(
    api_server: ApiServer, cluster: KubeCluster, connection: Noted
) -> None:
    """All that is asked besides is whether the API server is the one that it was, once a watch at most."""
    await cluster.write(Create(SERVICE, service()))
    await cluster.write(Create(SERVICE, service("other")))
    changes = cluster.changes()
    assert {await anext(changes), await anext(changes)} == set(map(_ref, ("web", "other")))
    api_server.cut_watches()
    api_server.store.delete(SERVICE, "default", "web")
    api_server.store.create(SERVICE, service("new"))
    async with asyncio.timeout(20):
        told = {await anext(changes), await anext(changes)}
    assert told == {WEB, _ref("new")}
    assert cluster.get(WEB) is None
    assert cluster.get(_ref("new")) is not None
    await until(lambda: connection.questions > 0)
    await until(lambda: verbs(api_server).count("watch") == 4)
    assert connection.lists == {"services": 1, "ingresses": 1}
    assert connection.questions <= WATCHES


async def test_what_happened_in_a_forgotten_past_is_told_after_one_list(
    api_server: ApiServer, cluster: KubeCluster, connection: Noted
) -> None:
    await cluster.write(Create(SERVICE, service()))
    await cluster.write(Create(SERVICE, service("other")))
    changes = cluster.changes()
    await anext(changes)
    await anext(changes)
    api_server.cut_watches()
    api_server.store.delete(SERVICE, "default", "web")
    api_server.store.create(SERVICE, service("new"))
    api_server.store.compact()
    async with asyncio.timeout(20):
        told = {await anext(changes), await anext(changes)}
    assert told == {WEB, _ref("new")}
    await until(lambda: connection.lists == {"services": 2, "ingresses": 2})
    assert connection.questions <= WATCHES


async def test_an_api_server_that_comes_back_empty_is_believed(
    api_server: ApiServer, tmp_path: Path
) -> None:
    """Its resourceVersions begin anew, below those that we have seen: watches from there are silent."""
    timing = WatchTiming(first_delay_seconds=0.02, silent_seconds=0.5)
    kubeconfig = write_kubeconfig(api_server.url, tmp_path)
    cluster = KubeCluster(Connection(kubeconfig), [], {SERVICE: Scope()}, timing=timing)
    await cluster.start()
    await cluster.write(Create(SERVICE, service()))
    port = int(api_server.url.rsplit(":", 1)[1])
    await api_server.stop()
    successor = ApiServer(type(api_server.store)(), port=port)
    await successor.start()
    await until(lambda: cluster.get(WEB) is None and not cluster.problems())
    await cluster.write(Create(SERVICE, service()))
    assert cluster.get(WEB) is not None
    await cluster.stop()
    await successor.stop()


async def test_one_that_comes_back_with_less_and_has_counted_on_is_believed(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    """A watch from what we know would begin, and tell what happens next, and nothing of what is lost."""
    await cluster.write(Create(SERVICE, service()))
    known = api_server.store.revision
    port = int(api_server.url.rsplit(":", 1)[1])
    await api_server.stop()
    told = "Service: "
    await until(
        lambda: any(
            each.startswith(told) and "Cannot connect" in each for each in cluster.problems()
        )
    )
    successor = ApiServer(type(api_server.store)(), port=port)
    while successor.store.revision <= known:
        successor.store.create(SERVICE, service(f"web-{successor.store.revision}"))
    await successor.start()
    await until(lambda: cluster.get(WEB) is None)
    await successor.stop()


async def test_a_lease_is_passed_on(
    api_server: ApiServer, cluster: KubeCluster, tmp_path: Path
) -> None:
    name = Ref(LEASE, "default", "rollouts")
    first = Lease(cluster.connection, name, identity="one")
    second = Lease(cluster.connection, name, identity="two")
    async with first:
        cluster.seconds_left = first.seconds_left
        await cluster.write(Create(SERVICE, service()))
    async with second:
        assert second.is_leading()
        assert not first.is_leading()
        lease = api_server.store.get(LEASE, "default", "rollouts")
        assert lease is not None
        assert lease["spec"]["holderIdentity"] == "two"


def _ref(name: str) -> Ref:
    return Ref(SERVICE, "default", name)
