"""
The app that the sandbox's pods run: a small web server that behaves as its environment says.

    python -m rollouts.sandbox.demo_app

A "bad release" is a pod template with other values here; no image has to be built.

| variable | default | meaning |
| --- | --- | --- |
| POD_IP | 127.0.0.1 | the address to listen on |
| PORT | 8080 | the port to listen on; 0 is any free one |
| POD_NAME | demo | said in every answer; also seeds the random numbers of this pod |
| VERSION | v1 | said in every answer |
| REVISION | VERSION | the `revision` label of the metrics |
| ERROR_RATE | 0 | share of requests to `/` answered with 500: `8%` or `0.08` |
| LATENCY | 0s | how long an answer takes: `20ms`, `1.5s`, `1m30s`; a whole number is seconds |
| LATENCY_JITTER | 0s | each answer takes up to this much longer or shorter |
| START_DELAY | 0s | not ready, and `/` answers 503, until this long after the start |
| NEVER_READY | false | `true`: as if START_DELAY never ended |
| CRASH_AFTER | never | exit with status 1 this long after the start |
| CRASH_AFTER_REQUESTS | never | exit with status 1 instead of answering this request to `/` |
| DRAIN_SECONDS | 2s | how long it goes on serving after SIGTERM |

`/healthz` is alive, `/ready` is ready (200 or 503), `/metrics` is for Prometheus
(`http_requests_total{code,method,revision}`, `http_request_duration_seconds{revision}`); every
other path is the app itself. Probes and metrics are not counted: they are no user's requests.

On SIGTERM it is no longer ready but serves on, new connections too, for DRAIN_SECONDS:
that is how long a proxy may take to hear of it. Answers ask the client to close the
connection. Then it stops listening, finishes what it has begun, and exits with 0. A value
that can't be understood: one line, and exit status 2.
"""

import asyncio
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from aiohttp import web
from aiohttp.hdrs import METH_ALL
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)

from rollouts.model.durations import parse_duration

T = TypeVar("T")

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
_LONGEST_REQUEST_SECONDS = 3600.0  # the kubelet's grace period ends it before that


@dataclass(frozen=True)
class Behaviour:
    """What the environment asks for; durations in seconds; infinite means never."""

    address: str = "127.0.0.1"
    port: int = 8080
    pod: str = "demo"
    version: str = "v1"
    revision: str = "v1"
    error_rate: float = 0.0
    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    start_delay_seconds: float = 0.0
    crash_after_seconds: float = math.inf
    crash_after_requests: float = math.inf
    drain_seconds: float = 2.0


def share(text: str) -> float:
    """
    Return the fraction that `8%` or `0.08` says.

    Raises:
        ValueError: it is neither, or outside 0..1.
    """
    text = text.strip()
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError("should be a share such as 8% or 0.08")
    return value


def count(text: str) -> float:
    """
    Return a whole number that is not negative.

    Raises:
        ValueError: it is something else.
    """
    if not text.strip().isdecimal():
        raise ValueError("should be a whole number")
    return int(text)


def port(text: str) -> int:
    """
    Return a port's number.

    Raises:
        ValueError: it is not in 0..65535.
    """
    if not text.strip().isdecimal() or int(text) > 65535:
        raise ValueError("should be a port between 0 and 65535")
    return int(text)


def flag(text: str) -> bool:
    """
    Return whether `true`, and not `false`, is said.

    Raises:
        ValueError: it is neither.
    """
    word = text.strip().lower()
    if word not in _WORDS:
        raise ValueError("should be true or false")
    return _WORDS[word]


def read(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: T) -> T:
    """
    Return a variable's value; `default` when it is absent or empty.

    Raises:
        ValueError: it can't be understood; the message names the variable.
    """
    text = env.get(name, "")
    try:
        return parse(text) if text else default
    except ValueError as error:
        raise ValueError(f"{name}={text}: {error}") from None


def behaviour(env: Mapping[str, str]) -> Behaviour:
    """
    Return what the environment asks for.

    Raises:
        ValueError: a value can't be understood; the message names the variable.
    """
    version = env.get("VERSION") or Behaviour.version
    never_ready = read(env, "NEVER_READY", flag, default=False)
    return Behaviour(
        address=env.get("POD_IP") or Behaviour.address,
        port=read(env, "PORT", port, Behaviour.port),
        pod=env.get("POD_NAME") or Behaviour.pod,
        version=version,
        revision=env.get("REVISION") or version,
        error_rate=read(env, "ERROR_RATE", share, 0.0),
        latency_seconds=read(env, "LATENCY", parse_duration, 0.0),
        jitter_seconds=read(env, "LATENCY_JITTER", parse_duration, 0.0),
        start_delay_seconds=math.inf
        if never_ready
        else read(env, "START_DELAY", parse_duration, 0.0),
        crash_after_seconds=read(env, "CRASH_AFTER", parse_duration, math.inf),
        crash_after_requests=read(env, "CRASH_AFTER_REQUESTS", count, math.inf),
        drain_seconds=read(env, "DRAIN_SECONDS", parse_duration, Behaviour.drain_seconds),
    )


class DemoApp:
    """The app: `draining` is true from SIGTERM on."""

    def __init__(self, wanted: Behaviour) -> None:
        self._wanted = wanted
        self._ready_at = time.monotonic() + wanted.start_delay_seconds
        self._requests = 0
        self._random = random.Random(wanted.pod)
        self.draining = False
        self._registry = CollectorRegistry()
        self._count = Counter(
            "http_requests",
            "Requests answered.",
            ["code", "method", "revision"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "How long answers took.",
            ["revision"],
            registry=self._registry,
        ).labels(wanted.revision)

    def application(self) -> web.Application:
        """Return what serves the paths."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_route("*", "/{path:.*}", self._root)
        app.on_response_prepare.append(self._ask_to_close)
        return app

    @property
    def _started(self) -> bool:
        return time.monotonic() >= self._ready_at

    async def _ask_to_close(self, _: web.Request, response: web.StreamResponse) -> None:
        if self.draining:
            response.force_close()
            response.headers["Connection"] = "close"

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(status=503, text="draining\n")
        if not self._started:
            return web.Response(status=503, text="starting\n")
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _root(self, request: web.Request) -> web.Response:
        began = time.perf_counter()
        self._requests += 1
        if self._requests >= self._wanted.crash_after_requests:
            crash(f"CRASH_AFTER_REQUESTS={self._wanted.crash_after_requests}")
        code = self._code()
        await self._take_time()
        self._seconds.observe(time.perf_counter() - began)
        method = request.method if request.method in METH_ALL else "other"
        self._count.labels(str(code), method, self._wanted.revision).inc()
        said = {200: "hello", 500: "error", 503: "starting"}[code]
        wanted = self._wanted
        return web.Response(
            status=code,
            text=f"{said} from {wanted.pod}, version {wanted.version}\n",
            headers={"X-Version": wanted.version, "X-Pod": wanted.pod},
        )

    def _code(self) -> int:
        if not self._started:
            return 503
        return 500 if self._random.random() < self._wanted.error_rate else 200

    async def _take_time(self) -> None:
        jitter = self._wanted.jitter_seconds
        seconds = self._wanted.latency_seconds + self._random.uniform(-jitter, jitter)
        if seconds > 0:
            await asyncio.sleep(seconds)


def say(line: str) -> None:
    """Write a line to the log, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def crash(reason: str) -> NoReturn:
    """End as a crashing process does: now, without finishing anything."""
    say(f"crashing as told: {reason}")
    os._exit(1)


async def serve(wanted: Behaviour) -> None:
    """
    Serve until SIGTERM (or SIGINT), drain, and return when the last request is answered.

    Raises:
        OSError: the address can't be listened on.
    """
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_end.set)
    if wanted.crash_after_seconds < math.inf:
        seconds = wanted.crash_after_seconds
        loop.call_later(seconds, crash, f"CRASH_AFTER={seconds}s")
    app = DemoApp(wanted)
    runner = web.AppRunner(
        app.application(), access_log=None, shutdown_timeout=_LONGEST_REQUEST_SECONDS
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, wanted.address, wanted.port, backlog=1024).start()
        say(f"{wanted.pod} serves version {wanted.version} on {runner.addresses[0]}")
        await told_to_end.wait()
        app.draining = True
        say(f"draining for {wanted.drain_seconds}s")
        await asyncio.sleep(wanted.drain_seconds)
    finally:
        await runner.cleanup()


def main() -> int:
    """Run the app; return the exit status."""
    try:
        wanted = behaviour(os.environ)
    except ValueError as error:
        say(f"demo app: {error}")
        return 2
    try:
        asyncio.run(serve(wanted))
    except OSError as error:
        say(f"demo app: can't listen on {wanted.address}:{wanted.port}: {error.strerror}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
