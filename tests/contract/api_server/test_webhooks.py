"""What is said when an admission webhook refuses a write, or can't be asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import REQUEST_TIMEOUT_SECONDS, Connection
from rollouts.model.kinds import JSON, Ref
from rollouts.ports import Apply, Create, Scope
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP
from rollouts.sandbox.apiserver.server import ApiServer
from tests.contract.api_server.admission_webhook import (
    BROKEN,
    LATE,
    NAME,
    RealWebhook,
    ScriptedWebhook,
    Webhook,
    listening,
    registered,
)
from tests.contract.api_server.objects import config_map
from tests.contract.api_server.wire import Answer, Wire
from tests.contract.conftest import BORROWED
from tests.waiting import until


@pytest.fixture
def embedded_webhook(api_server: ApiServer) -> Webhook:
    return ScriptedWebhook(api_server.faults)


@pytest.fixture
async def way(request: pytest.FixtureRequest) -> AsyncIterator[tuple[RealWebhook, JSON]]:
    """A webhook, and how a real API server reaches it."""
    if BORROWED:
        pytest.skip("somebody's cluster does not reach us")
    webhook = RealWebhook()
    plane = request.getfixturevalue("control_plane")
    async with listening(webhook.answered, plane.address, plane.programs.authority) as reached:
        yield webhook, reached


@pytest.fixture
async def real_webhook(way: tuple[RealWebhook, JSON], real_wire: Wire) -> AsyncIterator[Webhook]:
    webhook, reached = way
    async with registered(real_wire, reached):
        yield webhook


@pytest.fixture
def webhook(request: pytest.FixtureRequest) -> Webhook:
    """What is asked before a ConfigMap is made in the namespace of `wire`."""
    server = request.node.callspec.params["wire"]
    found: Webhook = request.getfixturevalue(f"{server}_webhook")
    return found


async def made(wire: Wire) -> Answer:
    return await wire.post(wire.of(CONFIG_MAP), config_map("one"))


async def test_who_says_no_and_no_code_makes_it_a_bad_request(wire: Wire, webhook: Webhook) -> None:
    webhook.denies(message="no canaries on Fridays")
    refused = await made(wire)
    assert (refused.status, refused.body.get("reason")) == (400, None)
    why = "denied the request: no canaries on Fridays"
    assert refused.message == f'admission webhook "{NAME}" {why}'


async def test_who_says_no_and_nothing_else(wire: Wire, webhook: Webhook) -> None:
    webhook.denies()
    refused = await made(wire)
    assert refused.status == 400
    assert refused.message == f'admission webhook "{NAME}" denied the request without explanation'


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [
        ({"code": 403, "reason": "Forbidden", "message": "not yours"}, ""),
        ({"code": 409, "reason": "Conflict", "message": "be quicker"}, ""),
        ({"code": 422, "reason": "Invalid", "message": "odd"}, ""),
        ({"code": 429, "message": "later", "details": {"retryAfterSeconds": 7}}, "7"),
    ],
)
async def test_a_webhook_chooses_its_status(
    wire: Wire, webhook: Webhook, status: JSON, retry_after: str
) -> None:
    webhook.denies(**status)
    refused = await made(wire)
    assert (refused.status, refused.retry_after) == (status["code"], retry_after)
    assert refused.body.get("reason") == status.get("reason")
    assert refused.message == f'admission webhook "{NAME}" denied the request: {status["message"]}'


async def test_one_that_breaks_is_an_internal_error(wire: Wire, webhook: Webhook) -> None:
    webhook.breaks()
    refused = await made(wire)
    assert (refused.status, refused.body["reason"]) == (500, "InternalError")
    why = f'failed calling webhook "{NAME}": failed to call webhook: {BROKEN}'
    assert refused.message == f"Internal error occurred: {why}"
    assert refused.body["details"]["causes"] == [{"message": why}]


async def test_one_that_hangs_is_an_internal_error_after_its_time(
    wire: Wire, webhook: Webhook
) -> None:
    webhook.hangs()
    refused = await made(wire)
    assert refused.status == 500
    why = f'failed calling webhook "{NAME}": failed to call webhook: '
    assert refused.message.startswith(f"Internal error occurred: {why}")
    assert refused.message.endswith(LATE)


REAL = pytest.mark.parametrize("server", [pytest.param("real", marks=pytest.mark.control_plane)])


@REAL
async def test_a_failure_that_is_ignored_is_none(
    real_wire: Wire, way: tuple[RealWebhook, JSON], server: str
) -> None:
    webhook, reached = way
    async with registered(real_wire, reached, "Ignore"):
        webhook.breaks()
        assert (await made(real_wire)).status == 201


@pytest.mark.nightly
@REAL
async def test_what_hangs_and_is_ignored_holds_up_a_write_and_loses_none(
    real_wire: Wire, way: tuple[RealWebhook, JSON], real_kubeconfig: Path, server: str
) -> None:
    """It takes as long as the webhook may: more than what a read may take."""
    webhook, reached = way
    seconds = round(REQUEST_TIMEOUT_SECONDS) + 2
    async with registered(real_wire, reached, "Ignore", timeout_seconds=seconds):
        webhook.hangs()
        body = config_map("one", namespace=real_wire.namespace)
        cluster = KubeCluster(Connection(real_kubeconfig), [], {})
        await cluster.write(Create(CONFIG_MAP, body))
        await cluster.stop()
        assert (await real_wire.get(real_wire.of(CONFIG_MAP, "one"))).status == 200


@REAL
async def test_what_a_webhook_writes_in_another_way_is_applied_once(
    real_wire: Wire, way: tuple[RealWebhook, JSON], real_kubeconfig: Path, server: str
) -> None:
    webhook, reached = way
    body = config_map("one", namespace=real_wire.namespace)
    write = Apply(CONFIG_MAP, {**body, "data": {"cpu": "1000m"}})
    ours = Ref(CONFIG_MAP, real_wire.namespace, "one")
    kinds = {CONFIG_MAP: Scope()}
    cluster = KubeCluster(Connection(real_kubeconfig), [real_wire.namespace], kinds)
    await cluster.start()
    async with registered(real_wire, reached, kind="mutating"):
        webhook.changes({"op": "replace", "path": "/data/cpu", "value": "1"})
        await cluster.write(write)
        await until(lambda: (cluster.get(ours) or {}).get("data") == {"cpu": "1"})
        asked = webhook.asked
        await cluster.write(write)
        assert webhook.asked == asked
    await cluster.stop()
