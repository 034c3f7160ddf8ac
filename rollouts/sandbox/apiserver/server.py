"""The HTTP server: who is it, what do they want, may they; then answer, and write it down."""

import dataclasses
import json
from collections.abc import Mapping

import structlog
from aiohttp import web

from rollouts.sandbox.apiserver.answers import answer, refusal
from rollouts.sandbox.apiserver.audit import AuditEntry, AuditLog, as_lines
from rollouts.sandbox.apiserver.binding import bound
from rollouts.sandbox.apiserver.builtins import REVIEWS
from rollouts.sandbox.apiserver.errors import ApiError, no_such_path
from rollouts.sandbox.apiserver.eviction import evicted
from rollouts.sandbox.apiserver.faults import Faults
from rollouts.sandbox.apiserver.logs import serve_log
from rollouts.sandbox.apiserver.non_resource_urls import answered
from rollouts.sandbox.apiserver.rbac import Attempt, Authorizer
from rollouts.sandbox.apiserver.requests import (
    Call,
    Target,
    attempt_of,
    body_of,
    target_of,
    verb_of,
)
from rollouts.sandbox.apiserver.rest import Rest
from rollouts.sandbox.apiserver.reviews import reviewed
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.users import User, Users
from rollouts.sandbox.apiserver.watch import Watches

log = structlog.get_logger()

_MAX_BODY_BYTES = 3 * 1024 * 1024


class ApiServer:
    """
    The API server of a sandbox.

    `tokens` maps bearer tokens to user names (`kubernetes-admin` may do everything, everybody
    else what RBAC objects in the store say); without it everybody is the admin. Port 0 takes
    a free one. `audit` has an entry per request; `faults` are what tests order to go wrong.
    """

    def __init__(
        self,
        store: Store,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.audit = AuditLog()
        self._host = host
        self._port = port
        self._users = Users(tokens)
        self.faults = Faults()
        self._authorizer = Authorizer(store)
        self._rest = Rest(store, self._authorizer)
        self._watches = Watches(store)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut what is open and stop listening."""
        if self._runner is not None:
            self._watches.cut()
            await self._runner.cleanup()
            self._runner = None

    def cut_watches(self) -> None:
        """Break every watch, as a restart of the API server does."""
        self._watches.cut()

    def compact(self) -> None:
        """Forget the past, as etcd does: who watches from before now is answered 410."""
        self.store.compact()

    @property
    def open_watches(self) -> int:
        """How many watches are open now."""
        return len(self._watches)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        target = target_of(request.path)
        verb = verb_of(request, target)
        user = User("system:anonymous")
        response: web.StreamResponse
        try:
            user = self._users.authenticate(request.headers.get("Authorization", ""))
            await self.faults.strike(verb, target)
            if verb == "watch":
                return await self._serve_watch(request, user, target)
            response = await self._answer(request, user, verb, target)
        except ApiError as error:
            response = refusal(error)
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            response = refusal(ApiError(500, "Internal error occurred: see the server's log"))
        if verb == "create" and isinstance(response, web.Response):
            target = dataclasses.replace(target, name=_created_name(response) or target.name)
        self._record(request, user, verb, target, response.status)
        return response

    async def _serve_watch(
        self, request: web.Request, user: User, target: Target
    ) -> web.StreamResponse:
        call = self._call(request, user, "watch", target)
        if "watch" not in call.resource.verbs:
            raise no_such_path()
        begun = self._watches.begin(call)
        self._record(request, user, "watch", target, begun.code)
        return await self._watches.serve(begun)

    async def _answer(
        self, request: web.Request, user: User, verb: str, target: Target
    ) -> web.StreamResponse:
        if not target.plural:
            attempt = Attempt(request.method.lower(), path=request.path)
            self._authorizer.require(user, attempt)
            return self._answer_other(request)
        call = self._call(request, user, verb, target)
        if target.subresource and target.subresource not in call.resource.subresources:
            raise no_such_path()
        if call.resource.kind in REVIEWS:
            return answer(reviewed(call, await body_of(request), self._authorizer), 201)
        if target.subresource == "eviction":
            return answer(evicted(call, await body_of(request), self.store), 201)
        if target.subresource == "binding":
            return answer(bound(call, await body_of(request), self.store), 201)
        if target.subresource == "log":
            return await serve_log(call, self.store)
        return await self._rest.serve(call)

    def _call(self, request: web.Request, user: User, verb: str, target: Target) -> Call:
        self._authorizer.require(
            user, attempt_of(verb, target, request.query.get("fieldSelector", ""))
        )
        resource = self.store.registry.find(target.group, target.version, target.plural)
        if bool(target.namespace) > resource.namespaced:
            raise no_such_path()
        return Call(request, user, verb, target, resource)

    def _answer_other(self, request: web.Request) -> web.Response:
        if request.path == "/debug/audit":
            return web.Response(text=as_lines(self.audit), content_type="application/jsonl")
        return answered(request, self.store.registry)

    def _record(
        self, request: web.Request, user: User, verb: str, target: Target, status: int
    ) -> None:
        self.audit.append(
            AuditEntry(
                at=self.store.now(),
                user=user.name,
                user_agent=request.headers.get("User-Agent", ""),
                verb=verb,
                group=target.group,
                resource=target.plural,
                subresource=target.subresource,
                namespace=target.namespace,
                name=target.name,
                status=status,
            )
        )


def _created_name(response: web.Response) -> str:
    """Return the name that a created object got, "" when nothing was created."""
    if response.status != 201:
        return ""
    body = json.loads(response.text or "{}")
    return str(body.get("metadata", {}).get("name", ""))
