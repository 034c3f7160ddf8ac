"""The HTTP server: who is it, what do they want, may they; then answer, and write it down."""

from collections.abc import Mapping

from aiohttp import web

from rollouts.sandbox.apiserver.answers import refusal
from rollouts.sandbox.apiserver.audit import AuditEntry, as_lines
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.frontdoor import answered
from rollouts.sandbox.apiserver.requests import Call, Target, target_of, verb_of
from rollouts.sandbox.apiserver.rest import Rest
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.users import User, Users
from rollouts.sandbox.apiserver.watch import Watches

_MAX_BODY_BYTES = 3 * 1024 * 1024


class ApiServer:
    """
    The API server of a sandbox.

    `tokens` maps bearer tokens to user names (`kubernetes-admin` may do everything, everybody
    else what RBAC objects in the store say); without it everybody is the admin. Port 0 takes
    a free one. `audit` has an entry per request.
    """

    def __init__(
        self,
        store: Store,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.audit: list[AuditEntry] = []
        self._host = host
        self._port = port
        self._users = Users(tokens)
        self._rest = Rest(store)
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

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        target = target_of(request.path)
        verb = verb_of(request, target)
        user = User("system:anonymous")
        try:
            user = self._users.authenticate(request.headers.get("Authorization", ""))
            if verb == "watch":
                self._record(request, user, verb, target, 200)
                return await self._answer(request, user, verb, target)
            response = await self._answer(request, user, verb, target)
        except ApiError as error:
            response = refusal(error)
        self._record(request, user, verb, target, response.status)
        return response

    async def _answer(
        self, request: web.Request, user: User, verb: str, target: Target
    ) -> web.StreamResponse:
        if not target.plural:
            return self._answer_other(request)
        resource = self.store.registry.find(target.group, target.version, target.plural)
        call = Call(request, user, verb, target, resource)
        if verb == "watch":
            return await self._watches.serve(call)
        return await self._rest.serve(call)

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
