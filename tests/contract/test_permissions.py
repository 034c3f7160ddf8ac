"""The permissions of the manifests are enough for what a controller reads and writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.controller.manifests import permissions
from rollouts.controller.watches import WATCHED
from rollouts.errors import Forbidden
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import Pace
from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, DEPLOYMENT, POD, SCALED_OBJECT, SERVICE, Kind, Ref
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Apply, Delete, Evict, Patch
from rollouts.sandbox.apiserver import builtins
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.credentials import Credentials, write_kubeconfig
from rollouts.traffic.gateway.policies import POLICIES
from tests.fakes.crds import VERSIONS, definition
from tests.waiting import until

WITH_CRD = (HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT, SCALED_OBJECT, *POLICIES)
ROLES = {
    each.name: each
    for each in (
        builtins.SERVICE_ACCOUNT,
        builtins.CLUSTER_ROLE,
        builtins.CLUSTER_ROLE_BINDING,
        builtins.ROLE,
        builtins.ROLE_BINDING,
    )
}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, KubeCluster]]:
    """An API server that knows the controller by its token, and the controller's view of it."""
    credentials = Credentials(permissions())
    store = Store()
    store.create(builtins.NAMESPACE, {"metadata": {"name": "rollouts"}})
    for each in permissions():
        store.create(ROLES[each["kind"]], each)
    store.create(CRD, crd())
    api = ApiServer(store, tokens=credentials.tokens)
    await api.start()
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, api.url, credentials.controller_token)
    pace = Pace(first_delay_seconds=0.02)
    made = KubeCluster(Connection(kubeconfig), [], WATCHED, pace=pace)
    await made.start()
    yield api, made
    await made.stop()
    await api.stop()


def named(kind: Kind, name: str = "web") -> Ref:
    return Ref(kind, "default", name)


async def test_every_kind_may_be_read_also_those_that_are_installed_later(
    cluster: tuple[ApiServer, KubeCluster],
) -> None:
    api, kube = cluster
    assert kube.problems() == []
    for kind in WITH_CRD:
        api.store.create(CRD, definition(kind, VERSIONS[kind][0]))
    await until(lambda: {kind.plural for kind in WITH_CRD} <= _watched(api))
    assert kube.problems() == []
    assert [entry for entry in api.audit if entry.status == 403] == []


async def test_what_a_release_writes_may_be_written(
    cluster: tuple[ApiServer, KubeCluster],
) -> None:
    api, kube = cluster
    for kind in WITH_CRD:
        api.store.create(CRD, definition(kind, VERSIONS[kind][0]))
    body = {"metadata": {"name": "web", "namespace": "default"}, "spec": {}}
    await until(lambda: {kind.plural for kind in WITH_CRD} <= _watched(api))
    for kind in (HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT):
        await kube.write(Apply(kind, body))
        await kube.write(Patch(named(kind), {"metadata": {"labels": {"a": "b"}}}))
        await kube.write(Delete(named(kind)))
    await kube.write(Apply(SERVICE, {**body, "spec": {"ports": [{"port": 80}]}}))
    template = {"metadata": {"labels": {"app": "web"}}, "spec": _containers()}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    api.store.create(DEPLOYMENT, {**body, "spec": spec})
    await kube.write(Patch(named(DEPLOYMENT), {"spec": {"replicas": 0}}))
    api.store.create(POD, {**body, "spec": _containers()})
    await kube.write(Patch(named(POD), {"metadata": {"labels": {"role": "canary"}}}))
    await kube.write(Evict(named(POD)))


@pytest.mark.parametrize("ref", [Ref(CRD, "", TRAFFIC_SPLIT.crd_name), named(SERVICE)], ids=str)
async def test_what_is_never_deleted_may_not_be(
    cluster: tuple[ApiServer, KubeCluster], ref: Ref
) -> None:
    _, kube = cluster
    with pytest.raises(Forbidden):
        await kube.write(Delete(ref))


def _containers() -> dict[str, object]:
    return {"containers": [{"name": "web", "image": "web:1"}]}


def _watched(api: ApiServer) -> set[str]:
    return {entry.resource for entry in api.audit if entry.verb == "watch"}
