"""Somebody who is asked before a ConfigMap is made: an admission webhook of a test's."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP
from rollouts.sandbox.apiserver.errors import denied, webhook_failed
from rollouts.sandbox.apiserver.faults import Faults
from tests.contract.api_server.objects import config_map
from tests.contract.api_server.wire import Wire
from tests.waiting import answer

NAME = "gate.example.dev"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
LATE = "context deadline exceeded"
BROKEN = 'an error on the server ("boom") has prevented the request from succeeding'


class Webhook(Protocol):
    """What the webhook does with the next request; it says no until then."""

    def denies(self, **status: Any) -> None: ...
    def breaks(self) -> None: ...
    def hangs(self) -> None: ...


class ScriptedWebhook:
    """The sandbox asks no webhook: its refusals are ordered."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def denies(self, **status: Any) -> None:
        self._faults.refuse_writes(CONFIG_MAP.plural, denied(NAME, status))

    def breaks(self) -> None:
        self._faults.refuse_writes(CONFIG_MAP.plural, webhook_failed(NAME, BROKEN))

    def hangs(self) -> None:
        self._faults.refuse_writes(CONFIG_MAP.plural, webhook_failed(NAME, LATE))


@dataclass
class RealWebhook:
    """A webhook at which a real API server asks."""

    response: JSON = field(default_factory=lambda: {"allowed": False})
    status: int = 200
    silent: bool = False
    asked: int = 0

    def denies(self, **status: Any) -> None:
        self.response = {"allowed": False, **({"status": status} if status else {})}

    def breaks(self) -> None:
        self.status = 500

    def hangs(self) -> None:
        self.silent = True

    def changes(self, *operations: JSON) -> None:
        """Let objects pass, changed by a JSON patch."""
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        self.response = {"allowed": True, "patchType": "JSONPatch", "patch": patch}

    async def answered(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.status != 200:
            return web.Response(status=self.status, text="boom")
        review = await request.json()
        review["response"] = {"uid": review.pop("request")["uid"], **self.response}
        return web.json_response(review)


Answers = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def listening(answers: Answers, address: str, certificate: Path) -> AsyncIterator[JSON]:
    """
    Let reviews be answered at the API server's own address, with its certificate, beside which its key is.

    Yields how it reaches us.
    """
    key = certificate.with_suffix(".key")
    trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_post("/", answers)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address, 0, ssl_context=trusted).start()
    url = f"https://{address}:{runner.addresses[0][1]}/"
    yield {"url": url, "caBundle": _bundle(certificate)}
    await runner.cleanup()


def _bundle(certificate: Path) -> str:
    return base64.b64encode(certificate.read_bytes()).decode()


@asynccontextmanager
async def registered(
    wire: Wire,
    reached: JSON,
    failure_policy: str = "Fail",
    *,
    timeout_seconds: int = 1,
    kind: str = "validating",
) -> AsyncIterator[None]:
    """Have the API server ask before each ConfigMap of our namespace; it does so by now."""
    collection = f"{ADMISSION}/{kind}webhookconfigurations"
    path = f"{collection}/{wire.namespace}"
    rule = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": [CONFIG_MAP.plural],
    }
    webhook = {
        "name": NAME,
        "clientConfig": reached,
        "rules": [rule],
        "failurePolicy": failure_policy,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": timeout_seconds,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": wire.namespace}},
    }
    body = {"metadata": {"name": wire.namespace}, "webhooks": [webhook]}
    assert (await wire.post(collection, body)).status == 201

    async def is_asked() -> bool:
        tried = await wire.post(wire.of(CONFIG_MAP), config_map("one"), dryRun="All")
        return tried.status != 201

    await answer(is_asked)
    yield
    await wire.delete(path)
