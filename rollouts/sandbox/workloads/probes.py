"""
Probes: asked in their rhythm, they say when a container is started, ready or no longer alive.

One deliberate difference from Kubernetes: until a startup or readiness probe passes for the
first time it is asked more often than its period says (a tenth of a second, then less and
less often, never more than a second apart), so that a pod is ready as soon as it can be.
Failures in between are not counted: thresholds and the time they allow are as written.
A gRPC probe only connects. A probe's time counts only while we are there to see it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from rollouts.model.kinds import FrozenJSON
from rollouts.proxies import is_loopback
from rollouts.sandbox.workloads.endpoints import port_number

QUICK_SECONDS, QUICK_GROWTH, QUICK_LIMIT_SECONDS = 0.1, 1.3, 1.0
LATE_SECONDS = 0.1
"""So much later than it was due we take up a task only when others keep us from the processor."""

Attempt = Callable[[], Awaitable[str]]
"""Asks once; returns why it failed, or nothing."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a probe is asked, and what it takes to be believed; times in seconds."""

    initial_delay: float
    period: float
    successes: int
    failures: int
    eager: bool

    @classmethod
    def of(cls, probe: FrozenJSON, *, eager: bool) -> "Rhythm":
        return cls(
            initial_delay=probe.get("initialDelaySeconds") or 0,
            period=probe.get("periodSeconds") or 10,
            successes=probe.get("successThreshold") or 1,
            failures=probe.get("failureThreshold") or 3,
            eager=eager,
        )


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one counted answer means; `settled` once the threshold is reached."""

    passed: bool
    settled: bool
    message: str = ""


async def findings(rhythm: Rhythm, attempt: Attempt) -> AsyncIterator[ProbeResult]:
    """Ask for ever; yield what each answer that counts means."""
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(rhythm.initial_delay)
    wait = min(QUICK_SECONDS, rhythm.period) if rhythm.eager else rhythm.period
    counted_at, passes, fails = clock(), 0, 0
    while True:
        await asyncio.sleep(wait)
        message = await attempt()
        if not message:
            passes, fails, wait, counted_at = passes + 1, 0, rhythm.period, clock()
            yield ProbeResult(passed=True, settled=passes >= rhythm.successes)
            continue
        passes = 0
        if clock() - counted_at >= rhythm.period * 0.99:
            fails, counted_at = fails + 1, clock()
            yield ProbeResult(passed=False, settled=fails >= rhythm.failures, message=message)
        if wait < rhythm.period:
            wait = min(wait * QUICK_GROWTH, QUICK_LIMIT_SECONDS, rhythm.period)


Execute = Callable[[list[str]], Awaitable[int]]
"""Runs a command as the container would; returns its exit status."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a handler (of a probe or a hook) is carried out on."""

    pod_spec: FrozenJSON
    address: str
    http: aiohttp.ClientSession
    execute: Execute


async def carry_out(handler: FrozenJSON, target: Target, timeout_seconds: float) -> str:
    """Carry out an httpGet, tcpSocket, grpc or exec once; return why it failed, or nothing."""
    try:
        async with asyncio.timeout(timeout_seconds):
            if "httpGet" in handler:
                return await _get(handler["httpGet"], target)
            if "exec" in handler:
                return await _execute(handler["exec"], target)
            return await _connect(handler.get("tcpSocket") or handler.get("grpc") or {}, target)
    except TimeoutError:
        return f"no answer within {timeout_seconds:g}s"
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return str(error) or type(error).__name__


async def ask(probe: FrozenJSON, target: Target) -> str:
    """
    Carry out a probe once; return why it failed, or nothing.

    When we ourselves came too late to see its time end, the answer may have been there: it is
    asked again. On a machine that is busy a pod would turn not ready because its kubelet, one of
    many tasks of this process, was kept waiting.
    """
    clock, seconds = asyncio.get_running_loop().time, probe.get("timeoutSeconds") or 1
    while True:
        begun = clock()
        failure = await carry_out(probe, target, seconds)
        if not failure or clock() - begun < seconds + LATE_SECONDS:
            return failure


async def _get(wanted: FrozenJSON, target: Target) -> str:
    port = _port(wanted, target)
    scheme = (wanted.get("scheme") or "HTTP").lower()
    path = wanted.get("path") or "/"
    host = _host(wanted, target)
    headers = {header["name"]: header["value"] for header in wanted.get("httpHeaders") or ()}
    url = f"{scheme}://{host}:{port}/{path.removeprefix('/')}"
    options: dict[str, Any] = {"headers": headers, "allow_redirects": False, "ssl": False}
    async with target.http.get(url, **options) as answer:
        if 200 <= answer.status < 400:
            return ""
        return f"HTTP probe failed with statuscode: {answer.status}"


async def _connect(wanted: FrozenJSON, target: Target) -> str:
    host = _host(wanted, target)
    _, writer = await asyncio.open_connection(host, _port(wanted, target))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


async def _execute(wanted: FrozenJSON, target: Target) -> str:
    status = await target.execute(list(wanted.get("command") or ()))
    return f"command exited with {status}" if status else ""


def _host(wanted: FrozenJSON, target: Target) -> str:
    """
    Return whom to ask: the pod, or somebody else on this machine.

    Raises:
        ValueError: it is neither.
    """
    host = wanted.get("host") or target.address
    if not is_loopback(host):
        raise ValueError(f"{host} is outside of the sandbox, which sends nothing out")
    return str(host)


def _port(wanted: FrozenJSON, target: Target) -> int:
    port = port_number(target.pod_spec, wanted.get("port") or 0)
    if not port:
        raise ValueError(f"the pod has no port {wanted.get('port')}")
    return port
