"""The permissions of the manifests are those that a controller needs, on ours and on a real API server."""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollouts.controller.manifests import CLUSTER_RULES, LEASE_RULES, Installation, permissions
from rollouts.controller.watches import WATCHED
from rollouts.errors import Forbidden
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import REQUEST_TIMEOUT_SECONDS, Connection
from rollouts.kube.events import EventRecorder
from rollouts.kube.lease import LEASE, Lease
from rollouts.kube.paths import collection_path, object_path
from rollouts.kube.reflector import WatchTiming
from rollouts.kube.requests import KubeRequests
from rollouts.model.crd import crds
from rollouts.model.kinds import (
    CRD,
    DEPLOYMENT,
    EVENT,
    HASH_LABEL,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.owners import controller_reference
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Write
from rollouts.sandbox.apiserver import builtins
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.credentials import Credentials, write_kubeconfig
from rollouts.traffic.gateway.policies import POLICIES
from tests.contract.conftest import BORROWED, SERVERS, define, hung_up
from tests.contract.kubeconfigs import with_token
from tests.fakes.crds import VERSIONS, definition
from tests.fakes.kubernetes import rollout
from tests.waiting import answer, until

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
CONTAINERS = {"containers": [{"name": "web", "image": "web:1"}]}
LABELS = {"app": "web"}
WORKLOAD = {
    "replicas": 0,
    "selector": {"matchLabels": LABELS},
    "template": {"metadata": {"labels": LABELS}, "spec": CONTAINERS},
}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
OF_EVERYBODY = {"authorization.k8s.io", "authentication.k8s.io", "certificates.k8s.io"}
"""Groups in which everybody may ask what they may, and since 1.37 whom the cluster trusts."""


@dataclass
class Installed:
    """A controller on an API server that knows it by its token, and the server's admin."""

    admin: KubeRequests
    kubeconfig: Path
    connection: Connection
    namespace: str
    audit: Sequence[AuditEntry] = ()
    """What the server was asked, where it tells."""

    def of(self, kind: Kind, name: str = "web") -> Ref:
        return Ref(kind, self.namespace, name)

    async def granted(self, namespace: str) -> set[str]:
        """Return what it may do in a namespace, by the API server's own account."""
        review = builtins.SELF_RULES_REVIEW
        body = {"apiVersion": review.api_version, "kind": review.name}
        answered = await self.connection.request(
            "POST", collection_path(review), body={**body, "spec": {"namespace": namespace}}
        )
        found = answered["status"]["resourceRules"]
        return told(each for each in found if not set(each["apiGroups"]) & OF_EVERYBODY)


def told(rules: Iterable[FrozenJSON]) -> set[str]:
    """Return each thing that the rules permit."""
    return {
        f"{verb} {resource}.{group} {name}".strip()
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def installation() -> Installation:
    name = f"permissions-{uuid.uuid4().hex[:8]}"
    return Installation(name=name, namespace=name)


async def install(admin: KubeRequests, here: Installation) -> None:
    await admin.create(builtins.NAMESPACE, {"metadata": {"name": here.namespace}})
    for each in permissions(here):
        await admin.create(ROLES[each["kind"]], each)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Connection]:
    connection = Connection(kubeconfig)
    yield connection
    await connection.close()


@asynccontextmanager
async def watching(controller: Installed) -> AsyncIterator[KubeCluster]:
    """Let the controller see what there is, and write."""
    for each in crds():
        await define(controller.admin, each)
    timing = WatchTiming(first_delay_seconds=0.02)
    kube = KubeCluster(Connection(controller.kubeconfig), [], WATCHED, timing=timing)
    await kube.start()
    yield kube
    await kube.stop()


@pytest.fixture
async def embedded_controller(tmp_path: Path) -> AsyncIterator[Installed]:
    here = installation()
    credentials = Credentials(permissions(here))
    server = ApiServer(Store(), tokens=credentials.tokens)
    await server.start()
    admins, ours = tmp_path / "admin", tmp_path / "controller"
    write_kubeconfig(admins, server.url)
    write_kubeconfig(ours, server.url, credentials.controller_token)
    async with KubeRequests(admins) as admin:
        await install(admin, here)
        async with connected(ours) as connection:
            yield Installed(admin, ours, connection, here.namespace, server.audit)
    await server.stop()


@pytest.fixture
async def real_controller(real_kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Installed]:
    if BORROWED:
        pytest.skip("nobody is given roles in somebody's cluster")
    here = installation()
    async with KubeRequests(real_kubeconfig) as admin:
        await install(admin, here)
        account = Ref(builtins.SERVICE_ACCOUNT, here.namespace, here.name)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await admin.connection.request("POST", object_path(account, "token"), body=asked)
        ours = with_token(real_kubeconfig, made["status"]["token"], tmp_path)
        async with connected(ours) as connection:
            yield Installed(admin, ours, connection, here.namespace)
        for kind in (builtins.CLUSTER_ROLE_BINDING, builtins.CLUSTER_ROLE):
            await admin.delete(Ref(kind, "", here.name))
    await hung_up()


@pytest.fixture(params=SERVERS)
def controller(request: pytest.FixtureRequest) -> Installed:
    found: Installed = request.getfixturevalue(f"{request.param}_controller")
    return found


async def test_it_may_do_what_the_rules_say_and_nothing_else(controller: Installed) -> None:
    assert await controller.granted("default") == told(CLUSTER_RULES)
    assert await controller.granted(controller.namespace) == told([*CLUSTER_RULES, *LEASE_RULES])


async def define_all(controller: Installed) -> None:
    """Define every kind that comes with another's CRD, and return once each is watched."""

    def watched() -> set[str]:
        return {entry.resource for entry in controller.audit if entry.verb == "watch"}

    for kind in WITH_CRD:
        await controller.admin.create(CRD, definition(kind, VERSIONS[kind][0]))
    await until(lambda: {kind.plural for kind in WITH_CRD} <= watched())


async def test_every_kind_may_be_read_also_those_that_are_installed_later(
    embedded_controller: Installed,
) -> None:
    async with watching(embedded_controller) as kube:
        assert kube.problems() == []
        await define_all(embedded_controller)
        assert kube.problems() == []
    assert [entry for entry in embedded_controller.audit if entry.status == 403] == []


async def test_routes_of_kinds_that_are_installed_later_may_be_written(
    embedded_controller: Installed,
) -> None:
    metadata = {"name": "web", "namespace": embedded_controller.namespace}
    async with watching(embedded_controller) as kube:
        await define_all(embedded_controller)
        for kind in (HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT):
            for write in (
                Apply(kind, {"metadata": metadata, "spec": {}}),
                Patch(embedded_controller.of(kind), {"metadata": {"labels": {"a": "b"}}}),
                Delete(embedded_controller.of(kind)),
            ):
                await kube.write(write)


async def test_what_a_release_writes_may_be_written(controller: Installed) -> None:
    """Also where an owner that blocks deletion needs a permission of its own, as on the real server."""
    async with watching(controller) as kube:
        assert kube.problems() == []
        for write in await writes_of_a_release(controller):
            await kube.write(write)


async def writes_of_a_release(controller: Installed) -> list[Write]:
    """Return each kind of write, after what it is about was made."""
    metadata = {"name": "web", "namespace": controller.namespace}
    owner = {**rollout([{"setWeight": 5}]), "metadata": {**metadata}}
    ours: JSON = {**metadata, "labels": {HASH_LABEL: "abc"}}
    ours["ownerReferences"] = [controller_reference(await controller.admin.create(ROLLOUT, owner))]
    deployment = {"metadata": metadata, "spec": WORKLOAD}
    await controller.admin.create(DEPLOYMENT, deployment)
    await made_pod(controller, {"metadata": metadata, "spec": CONTAINERS})
    return [
        Create(REPLICA_SET, {"metadata": ours, "spec": WORKLOAD}),
        Patch(controller.of(REPLICA_SET), {"spec": {"replicas": 1}}),
        Delete(controller.of(REPLICA_SET)),
        Apply(SERVICE, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}}),
        Patch(controller.of(SERVICE), {"spec": {"selector": {"app": "web"}}}),
        Apply(INGRESS, {"metadata": metadata, "spec": {"defaultBackend": BACKEND}}),
        Patch(controller.of(INGRESS), {"metadata": {"labels": {"a": "b"}}}),
        Delete(controller.of(INGRESS)),
        Patch(controller.of(DEPLOYMENT), {"spec": {"replicas": 0, "paused": True}}),
        Patch(controller.of(POD), {"metadata": {"labels": {"role": "canary"}}}),
        Evict(controller.of(POD)),
        Patch(controller.of(ROLLOUT), {"metadata": {"labels": {"a": "b"}}}),
        Patch(controller.of(ROLLOUT), {"status": {"phase": "Healthy"}}, "status"),
    ]


async def made_pod(controller: Installed, body: FrozenJSON) -> None:
    """Make a pod, as soon as there is an account for it."""

    async def is_made() -> bool:
        try:
            await controller.admin.create(POD, body)
        except Forbidden:
            return False
        return True

    await answer(is_made)


async def test_equal_events_are_counted_by_one_controller_after_the_other(
    controller: Installed,
) -> None:
    about = await controller.admin.get(Ref(builtins.NAMESPACE, "", controller.namespace))
    regarding = {**about, "metadata": {**about["metadata"], "namespace": controller.namespace}}
    said = Record(regarding, "Normal", "Promoted", "revision 2 is stable")
    for _ in range(2):
        recorder = EventRecorder(controller.connection, lambda: REQUEST_TIMEOUT_SECONDS)
        await recorder.record(said)
    [event] = await controller.admin.select(EVENT, controller.namespace)
    assert event["count"] == 2


async def test_a_lease_may_be_taken_and_given_back(controller: Installed) -> None:
    lease = Lease(controller.connection, controller.of(LEASE, "rollouts"))
    async with lease:
        assert lease.is_leading()
    left = await controller.admin.get(controller.of(LEASE, "rollouts"))
    assert left["spec"]["holderIdentity"] == ""


async def test_what_is_never_deleted_may_not_be(controller: Installed) -> None:
    for kind in (SERVICE, DEPLOYMENT, POD, ROLLOUT, EVENT, LEASE, builtins.SECRET):
        with pytest.raises(Forbidden, match="cannot delete"):
            await controller.connection.request("DELETE", object_path(controller.of(kind)))


async def test_of_definitions_only_those_that_are_looked_for_may_be_read(
    controller: Installed,
) -> None:
    with pytest.raises(Forbidden):
        await controller.connection.request("GET", collection_path(CRD))
