"""A probe is asked soon and often at first; only what its thresholds allow is believed."""

import asyncio
import time
from collections.abc import Sequence

import aiohttp
import pytest
from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.workloads.probes import ProbeResult, Rhythm, Target, ask, findings


async def found(rhythm: Rhythm, answers: Sequence[str], count: int) -> list[ProbeResult]:
    """Return the first findings when a probe is answered so; the last answer repeats."""
    left = list(answers)

    async def attempt() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    seen: list[ProbeResult] = []
    async with asyncio.timeout(10):
        async for finding in findings(rhythm, attempt):
            seen.append(finding)
            if len(seen) == count:
                break
    return seen


async def test_a_pod_is_ready_long_before_the_first_period_is_over() -> None:
    rhythm = Rhythm.of({"periodSeconds": 60}, eager=True)
    assert await found(rhythm, ["refused", "refused", ""], 1) == [
        ProbeResult(passed=True, settled=True)
    ]


async def test_failures_count_once_a_period() -> None:
    rhythm = Rhythm(initial_delay=0, period=0.05, successes=1, failures=3, eager=True)
    seen = await found(rhythm, ["no"], 3)
    assert [finding.settled for finding in seen] == [False, False, True]
    assert {finding.message for finding in seen} == {"no"}


async def test_one_success_forgives() -> None:
    rhythm = Rhythm(initial_delay=0, period=0.02, successes=1, failures=2, eager=False)
    seen = await found(rhythm, ["no", "", "no", "no"], 4)
    assert [finding.settled for finding in seen] == [False, True, False, True]


async def test_several_successes_may_be_wanted() -> None:
    rhythm = Rhythm(initial_delay=0, period=0.02, successes=2, failures=1, eager=True)
    seen = await found(rhythm, ["", ""], 2)
    assert [finding.settled for finding in seen] == [False, True]


async def asked(handler: JSON, timeout_seconds: float = 5, busy_seconds: float = 0) -> str:
    """
    Return what a probe says of a server that answers /ok, /moved, /bad and /slow.

    While it serves its first request, its process, which is the prober's too, is busy with something else.
    """
    busy = iter([busy_seconds])

    async def answer(request: web.Request) -> web.Response:
        until = time.monotonic() + next(busy, 0)
        while time.monotonic() < until:
            pass
        if request.path == "/slow":
            await asyncio.Event().wait()
        return web.Response(status={"/ok": 200, "/moved": 302}.get(request.path, 503))

    async def execute(command: list[str]) -> int:
        return int(command[-1])

    app = web.Application()
    app.router.add_get("/{path}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    spec = {"containers": [{"ports": [{"name": "web", "containerPort": port}]}]}
    try:
        async with aiohttp.ClientSession() as http:
            probe = {**handler, "timeoutSeconds": timeout_seconds}
            return await ask(probe, Target(spec, "127.0.0.1", http, execute))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ({"httpGet": {"path": "/ok", "port": "web"}}, ""),
        ({"httpGet": {"path": "moved", "port": "web"}}, ""),
        ({"httpGet": {"path": "/bad", "port": "web"}}, "HTTP probe failed with statuscode: 503"),
        ({"httpGet": {"path": "/ok", "port": "admin"}}, "the pod has no port admin"),
        ({"tcpSocket": {"port": "web"}}, ""),
        ({"exec": {"command": ["exit", "0"]}}, ""),
        ({"exec": {"command": ["exit", "4"]}}, "command exited with 4"),
    ],
)
async def test_handlers(handler: JSON, message: str) -> None:
    assert await asked(handler) == message


async def test_no_answer_in_time_is_a_failure() -> None:
    slow = {"httpGet": {"path": "/slow", "port": "web"}}
    assert await asked(slow, timeout_seconds=0.05) == "no answer within 0.05s"


async def test_an_answer_that_we_came_too_late_to_see_is_no_failure() -> None:
    ready = {"httpGet": {"path": "/ok", "port": "web"}}
    assert await asked(ready, timeout_seconds=0.1, busy_seconds=0.3) == ""


async def test_a_pod_that_hangs_fails_however_busy_we_were_at_first() -> None:
    slow = {"httpGet": {"path": "/slow", "port": "web"}}
    assert await asked(slow, timeout_seconds=0.1, busy_seconds=0.3) == "no answer within 0.1s"


async def test_a_closed_port_is_a_failure() -> None:
    assert "Connect" in await asked({"tcpSocket": {"port": 1}})
