"""What the kubelet and Prometheus ask of the controller: /healthz, /readyz and /metrics."""

from collections.abc import Callable

from aiohttp import web

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HttpServer:
    """
    The controller's own HTTP server.

    `findings` says what keeps it from being ready, in sentences; a standby that waits to
    lead is ready. Alive is whoever answers.
    """

    def __init__(self, render: Callable[[], bytes], findings: Callable[[], list[str]]) -> None:
        self._render = render
        self._problems = findings
        self._runner: web.AppRunner | None = None

    async def start(self, address: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, address, port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        findings = self._problems()
        if findings:
            return web.Response(status=503, text="".join(f"{each}\n" for each in findings))
        return web.Response(text="ok\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": CONTENT_TYPE})
