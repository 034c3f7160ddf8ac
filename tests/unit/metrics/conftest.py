"""A Prometheus that answers as a test wants."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakePrometheus:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = self.result("vector", [])
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def result(self, kind: str, result: Any) -> Answer:
        return self.json({"status": "success", "data": {"resultType": kind, "result": result}})

    def json(self, body: Any, status: int = 200) -> Answer:
        return self.text(json.dumps(body), status)

    def text(self, body: str, status: int = 200) -> Answer:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(text=body, status=status)

        return answer

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        self.headers.append(dict(request.headers))
        assert request.path == "/prom/api/v1/query"
        return await self.answer(request)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[FakePrometheus]:
    """Serve one on loopback, with TLS if a context is given."""
    fake = FakePrometheus()
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    scheme = "https" if context is not None else "http"
    fake.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/prom/"
    try:
        yield fake
    finally:
        await runner.cleanup()


@pytest.fixture
async def prometheus() -> AsyncIterator[FakePrometheus]:
    async with serving() as fake:
        yield fake
