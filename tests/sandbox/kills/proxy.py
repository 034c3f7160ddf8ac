"""
What stands between one controller and its API server, and sees each write before and after it.

It speaks plain HTTP on loopback with the controller, and whatever the kubeconfig says with the API
server. What it is told to do with a write is an `Interference`; everything else it passes on
as it comes, watches line by line.
"""

import json
import re
import ssl
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import yaml
from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.requests import Target, target_of, verb_of

READS = ("get", "list", "watch")
LEASES = "leases"
_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")
_GENERATED = {"replicasets": re.compile(r"(?<=-)[a-z0-9]+$"), "events": re.compile(r"(?<=\.).+$")}
"""What of a name is another one in each release."""
_NUMBER = re.compile(r"(bad-)?[\d.]+(-early)?")


@dataclass(frozen=True, slots=True)
class Write:
    """One write that the controller asked for, and when; `status` is 0 as long as it has no answer."""

    number: int
    verb: str
    target: Target
    body: bytes
    at: datetime
    status: int = 0

    @property
    def words(self) -> str:
        """
        Return what is written where, the same in each release: `patch services web-canary`.

        Of a status it is what it says, without its numbers. Whether an Event is created or counted
        up depends on what was said before.
        """
        target, name = self.target, self.name
        if generated := _GENERATED.get(target.plural):
            name = generated.sub("…", name)
        resource = "/".join(filter(None, [target.plural, target.subresource]))
        verb = "write" if target.plural == "events" else self.verb
        said = (self._json.get("status") or {}).get("message") or ""
        return f"{verb} {resource} {name} {_NUMBER.sub('…', said)}".strip()

    @property
    def succeeded(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def name(self) -> str:
        """Return the object's name, also of one that is created."""
        if self.target.name:
            return self.target.name
        return str((self._json.get("metadata") or {}).get("name", ""))

    @property
    def _json(self) -> JSON:
        read: JSON = json.loads(self.body or "{}")
        return read


class Severed(Exception):
    """The controller is not to hear of this write again: its connection breaks."""


class Interference(Protocol):
    """What happens to writes on their way."""

    async def before(self, write: Write) -> web.Response | None:
        """Return an answer in place of the API server's; None passes the write on. May raise `Severed`."""
        ...

    async def after(self, write: Write) -> None:
        """Know that the write was answered, which the controller has not heard yet. May raise `Severed`."""
        ...


class Undisturbed:
    """Passes on everything."""

    async def before(self, _write: Write) -> web.Response | None:
        return None

    async def after(self, _write: Write) -> None:
        return None


class ApiProxy:
    """
    The proxy of one controller: `kubeconfig` is what that one is to be given.

    `writes` are all writes that were asked for, in their order, but for those of its Lease.
    `asked_at` is the moment of the last request but for those about it, `watched` says that a watch has begun, which comes
    after the first lists; whoever starts a new process says that it has not.
    """

    def __init__(self, upstream: Path, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.writes: list[Write] = []
        self.interference: Interference = Undisturbed()
        self.asked_at = time.monotonic()
        self.watched = False
        self._document: dict[str, Any] = yaml.safe_load(upstream.read_text())
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._server = ""

    async def start(self) -> None:
        """Listen, and write the kubeconfig."""
        cluster = self._document["clusters"][0]["cluster"]
        self._server = str(cluster["server"])
        authority = cluster.pop("certificate-authority", None)
        trusted = ssl.create_default_context(cafile=authority) if authority else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        cluster["server"] = f"http://{host}:{port}"
        self.kubeconfig.write_text(yaml.safe_dump(self._document))

    async def stop(self) -> None:
        """Cut what is open, and listen no more."""
        if self._session is not None and self._runner is not None:
            await self._session.close()
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        target = target_of(request.path)
        verb = verb_of(request, target)
        try:
            if target.plural == LEASES:
                return await self._pass_on(request)
            self.asked_at = time.monotonic()
            self.watched |= verb == "watch"
            if verb in READS:
                return await self._pass_on(request)
            return await self._write(request, verb, target)
        except (Severed, aiohttp.ClientError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)

    async def _write(self, request: web.Request, verb: str, target: Target) -> web.StreamResponse:
        body, now = await request.read(), datetime.now(UTC)
        write = Write(len(self.writes), verb, target, body, now)
        self.writes.append(write)
        answer = await self.interference.before(write)
        if answer is None:
            answer = await self._answer(request)
            self.writes[write.number] = write = replace(write, status=answer.status)
            await self.interference.after(write)
        self.writes[write.number] = replace(write, status=answer.status)
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        """Return the whole of the API server's answer."""
        async with self._ask(request, await request.read()) as response:
            body = await response.read()
            return web.Response(body=body, status=response.status, headers=_kept(response.headers))

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        """Pass on the answer as it comes."""
        async with self._ask(request, await request.read()) as response:
            passed = web.StreamResponse(status=response.status, headers=_kept(response.headers))
            await passed.prepare(request)
            async for chunk in response.content.iter_any():
                await passed.write(chunk)
            await passed.write_eof()
            return passed

    def _ask(self, request: web.Request, body: bytes) -> Any:
        assert self._session is not None
        path = urlsplit(str(request.rel_url))
        url = f"{self._server}{path.path}{'?' * bool(path.query)}{path.query}"
        return self._session.request(
            request.method, url, data=body or None, headers=_kept(request.headers)
        )


def _kept(headers: Any) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name.lower() not in _HOP_BY_HOP}
