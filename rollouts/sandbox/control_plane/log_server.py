"""
Where an API server asks a kubelet for its pods' output: `kubectl logs` on a real control plane.

Serves what it is asked for of the files that the node has named, and nothing else.
"""

import ssl
from pathlib import Path

from aiohttp import web

from rollouts.sandbox.apiserver.logs import LogFile, waiting_to_start
from rollouts.sandbox.workloads.container import Logs


class LogServer:
    """Answers on `address`:`port` with the certificate and key in `certificate`, from `start` to `stop`."""

    def __init__(self, address: str, port: int, logs: Logs) -> None:
        self._address = address
        self.port = port
        self._logs = logs
        self._runner: web.AppRunner | None = None

    async def start(self, certificate: Path, key: Path) -> None:
        trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trusted.load_cert_chain(certificate, key)
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._serve)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self.port, ssl_context=trusted).start()

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = request.match_info
        key = (asked["namespace"], asked["pod"], asked["container"])
        path = self._logs.get(key)
        if path is None or not path.exists():
            text = waiting_to_start(asked["pod"], asked["container"])
            return web.Response(status=400, text=text)
        return await LogFile(path, lambda: key in self._logs).serve(request)
