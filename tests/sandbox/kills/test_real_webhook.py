"""A real API server asks a webhook that refuses every second write: a release ends as ever, and loses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.controller.manifests import manifests
from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.credentials import controller_account
from tests.contract.api_server.admission_webhook import listening
from tests.sandbox.kills.disasters import plane_of
from tests.sandbox.kills.proxied_controller import KillSandbox, proxied_controller
from tests.sandbox.kills.stories import CANARY
from tests.sandbox.kills.story_runner import StoryRunner

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]

WEBHOOKS = Kind(
    *("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
    "ValidatingWebhookConfiguration",
    is_namespaced=False,
)


class RefusingWebhook:
    """An admission webhook that refuses every second write of the controller's."""

    def __init__(self) -> None:
        self.asked = self.refused = 0

    async def answers(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.asked += 1
        response: JSON = {"uid": review.pop("request")["uid"], "allowed": bool(self.asked % 2)}
        if not response["allowed"]:
            self.refused += 1
            response["status"] = {"message": "not this one"}
        return web.json_response({**review, "response": response})


@asynccontextmanager
async def asked_of(webhook: RefusingWebhook, sandbox: KillSandbox) -> AsyncIterator[None]:
    """Have the API server ask before each write of the controller's, until left."""
    account = controller_account(manifests())
    assert account is not None
    programs = plane_of(sandbox).programs
    address = sandbox.network.control_plane
    async with listening(webhook.answers, address, programs.authority) as reached:
        rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
        user = f"system:serviceaccount:{':'.join(account)}"
        entry = {
            "name": "refusing.example.dev",
            "clientConfig": reached,
            "rules": [rule],
            "matchConditions": [
                {"name": "ours", "expression": f"request.userInfo.username == '{user}'"}
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        body = {"metadata": {"name": "refusing"}, "webhooks": [entry]}
        sandbox.objects.create(WEBHOOKS, body)
        yield
        sandbox.objects.delete(WEBHOOKS, "", "refusing")


@pytest.fixture
async def sandbox(control_plane_programs: Path, tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox", control_plane_programs) as made:
        yield made


async def test_a_webhook_that_refuses_every_second_write_holds_up_a_release_and_loses_nothing(
    sandbox: KillSandbox,
) -> None:
    webhook = RefusingWebhook()
    async with proxied_controller(sandbox, "shop") as controller:
        runner = StoryRunner(CANARY, sandbox.release("shop"), controller)
        await runner.opens()
        undisturbed = await runner.run()
        async with asked_of(webhook, sandbox):
            troubled = await runner.run()
    print(f"{webhook.refused} of {webhook.asked} writes refused, {troubled.sent} requests")
    assert webhook.refused >= len(troubled.writes) // 3
    assert (troubled.lost, troubled.failed) == ({}, 0)
    assert troubled.end == undisturbed.end
