"""What stands between the controller and Prometheus, and can be closed for one namespace."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

Fault = Callable[[str], Awaitable[web.Response | None]]
"""Takes a query; an answer of its own, or None for Prometheus'."""


class PrometheusProxy:
    """Passes queries on to Prometheus, but for those that name a namespace with a fault."""

    def __init__(self) -> None:
        self.prometheus_url = ""
        self.url = ""
        self._faults: dict[str, Fault] = {}
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._runner is not None and self._session is not None:
            await self._session.close()
            await self._runner.cleanup()

    def fault(self, namespace: str, fault: Fault | None) -> None:
        """Let `fault` see every query that names the namespace; None ends that."""
        if fault is None:
            self._faults.pop(namespace, None)
        else:
            self._faults[namespace] = fault

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        query = request.query.get("query") or str((await request.post()).get("query", ""))
        for namespace, fault in list(self._faults.items()):
            if f'"{namespace}"' in query:
                answer = await fault(query)
                if answer is not None:
                    return answer
        assert self._session is not None
        url = self.prometheus_url + request.path_qs
        try:
            async with self._session.request(
                request.method, url, data=await request.read(), allow_redirects=False
            ) as response:
                body = await response.read()
                return web.Response(
                    body=body, status=response.status, content_type=response.content_type
                )
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()  # as if nobody listened
            return web.Response(status=502)


def slow(seconds: float) -> Fault:
    """Answer right, but late."""

    async def wait(_query: str) -> None:
        await asyncio.sleep(seconds)

    return wait


def event(text: str, status: int = 200) -> Fault:
    """Answer with something else."""

    async def answer(_query: str) -> web.Response:
        return web.Response(text=text, status=status)

    return answer
