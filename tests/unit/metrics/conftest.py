"""A Prometheus that answers as a test wants."""

import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
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
        self.methods: list[str] = []
        self.url = ""
        self.path = "/prom/api/v1/query"

    def result(self, kind: str, result: Any) -> Answer:
        return self.json({"status": "success", "data": {"resultType": kind, "result": result}})

    def json(self, body: Any, status: int = 200) -> Answer:
        return self.text(json.dumps(body), status)

    def text(self, body: str, status: int = 200) -> Answer:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(text=body, status=status)

        return answer

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.methods.append(request.method)
        form = await request.post() if request.method == "POST" else {}
        self.queries.append({**request.query, **{name: str(form[name]) for name in form}})
        self.headers.append(dict(request.headers))
        assert request.path == self.path
        return await self.answer(request)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[FakePrometheus]:
    """Serve one on loopback, with TLS if a context is given."""
    fake = FakePrometheus()
    app = web.Application()
    app.router.add_get("/{path:.*}", fake.serve)
    app.router.add_post("/{path:.*}", fake.serve)
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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate for 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    file, key = tmp_path / "server.pem", tmp_path / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(file)]
    subprocess.run([openssl, *options.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file
