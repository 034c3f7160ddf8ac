"""
From nginx's access log to `/metrics`.

The log is a named pipe: nothing is stored, nothing rotated, and nothing lost, for nginx
waits when the pipe is full (about 3,000 lines) where a datagram would be dropped.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from pathlib import Path

import structlog
from aiohttp import web

from rollouts.sandbox.dataplane.ingress_metrics import IngressMetrics

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_CHUNK_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20  # what Linux allows without privilege


class AccessLog:
    """
    The reading end of nginx's access log. Call `open` before nginx starts.

    A line that is no JSON is said in our own log and left out.
    """

    def __init__(self, path: Path, metrics: IngressMetrics) -> None:
        self.path = path
        self._metrics = metrics
        self._rest = b""
        self._reading: int | None = None
        self._holding: int | None = None

    def open(self) -> None:
        """Make the pipe and read it from now on, in the running event loop."""
        os.mkfifo(self.path, 0o600)
        self._reading = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        # Our own writing end: without it, the pipe would end whenever nginx does.
        self._holding = os.open(self.path, os.O_WRONLY)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        asyncio.get_running_loop().add_reader(self._reading, self.read)

    def close(self) -> None:
        """Read what is left, stop reading and remove the pipe."""
        if self._reading is None or self._holding is None:
            return
        self.read()
        asyncio.get_running_loop().remove_reader(self._reading)
        os.close(self._reading)
        os.close(self._holding)
        self._reading = self._holding = None
        self.path.unlink(missing_ok=True)

    def read(self) -> None:
        """Count every line that is in the pipe now."""
        if self._reading is None:
            return
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._reading, _CHUNK_BYTES):
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._count(line)

    def _count(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            log.warning("unreadable line in nginx's access log", line=line[:200])
            return
        self._metrics.count(entry)


class Exporter:
    """Serves the metrics at `/metrics`, up to the last request that nginx has logged."""

    def __init__(self, access_log: AccessLog, metrics: IngressMetrics) -> None:
        self._access_log = access_log
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self, address: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, address, port).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, _request: web.Request) -> web.Response:
        self._access_log.read()
        return web.Response(
            body=self._metrics.render().encode(), headers={"Content-Type": CONTENT_TYPE}
        )
