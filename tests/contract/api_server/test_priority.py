"""What who comes too often is told (API Priority and Fairness)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rollouts.errors import Unavailable
from rollouts.kube.connection import Connection
from rollouts.model.kinds import JSON, SERVICE
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, ROLE_BINDING, SERVICE_ACCOUNT
from rollouts.sandbox.apiserver.server import ApiServer
from tests.contract.api_server.wire import Wire
from tests.contract.conftest import BORROWED
from tests.contract.kubeconfigs import Access, with_token
from tests.waiting import answer

FLOW_CONTROL = "/apis/flowcontrol.apiserver.k8s.io/v1"
NO_SEATS: JSON = {
    "nominalConcurrencyShares": 0,
    "lendablePercent": 0,
    "borrowingLimitPercent": 0,
    "limitResponse": {"type": "Reject"},
}
"""One request at a time is let in all the same."""


async def account(wire: Wire, admins: Path, directory: Path) -> Path:
    """Return the kubeconfig of our namespace's default account, which may do anything there."""
    binding = {
        "metadata": {"name": "default"},
        "roleRef": {"apiGroup": ROLE_BINDING.group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": wire.namespace}],
    }
    await wire.post(wire.of(ROLE_BINDING), binding)
    asked: JSON = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await wire.post(wire.of(SERVICE_ACCOUNT, "default", "token"), asked)
    return with_token(admins, made.body["status"]["token"], directory)


@asynccontextmanager
async def without_seats(wire: Wire) -> AsyncIterator[None]:
    """Leave no seat to the accounts of our namespace."""
    name = wire.namespace
    level = {"type": "Limited", "limited": NO_SEATS}
    subject = {"kind": "Group", "group": {"name": f"system:serviceaccounts:{name}"}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
    schema = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": 50,
        "rules": [{"subjects": [subject], "resourceRules": [everything]}],
    }
    kinds = {"prioritylevelconfigurations": level, "flowschemas": schema}
    for plural, spec in kinds.items():
        body = {"metadata": {"name": name}, "spec": spec}
        assert (await wire.post(f"{FLOW_CONTROL}/{plural}", body)).status == 201
    yield
    for plural in reversed(kinds):
        await wire.delete(f"{FLOW_CONTROL}/{plural}/{name}")


@asynccontextmanager
async def unfinished(kubeconfig: Path, path: str) -> AsyncIterator[None]:
    """Take the only seat: begin to make an object, and send no body."""
    access = Access.of(kubeconfig)
    host, _, port = access.server.removeprefix("https://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=access.trusted)
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {access.token}",
        "Content-Type: application/json",
        "Content-Length: 100",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    await writer.drain()
    yield
    writer.transport.abort()


@pytest.fixture
async def embedded_crowd(api_server: ApiServer, embedded_wire: Wire) -> Path:
    api_server.faults.fail("list", SERVICE.plural, code=429)
    return embedded_wire.kubeconfig


@pytest.fixture
async def real_crowd(real_wire: Wire, real_kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Path]:
    if BORROWED:
        pytest.skip("somebody's cluster is not to be short of seats")
    kubeconfig = await account(real_wire, real_kubeconfig, tmp_path)
    path = real_wire.of(CONFIG_MAP)
    async with without_seats(real_wire), unfinished(kubeconfig, path):
        yield kubeconfig


@pytest.fixture
def crowd(request: pytest.FixtureRequest) -> Path:
    """The kubeconfig of somebody who finds no seat on the server of `wire`."""
    found: Path = request.getfixturevalue(f"{request.node.callspec.params['wire']}_crowd")
    return found


async def test_who_finds_no_seat_is_told_to_come_again_in_a_second(wire: Wire, crowd: Path) -> None:
    connection = Connection(crowd)

    async def refused() -> Unavailable | None:
        try:
            await connection.request("GET", wire.of(SERVICE))
        except Unavailable as error:
            return error
        return None

    said = await answer(refused)
    assert said.after_seconds == 1
    assert str(said).endswith("HTTP 429")
    await connection.close()
