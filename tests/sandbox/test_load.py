"""The load generator tells apart who failed, and hides nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from rollouts.sandbox.load import Load, Target
from tests.waiting import until

pytestmark = pytest.mark.sandbox

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Server = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:

        async def serve(handler: Handler) -> str:
            app = web.Application()
            app.router.add_route("*", "/{rest:.*}", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield serve


def answer(status: int, version: str | None = None) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"x-version": version} if version else {})

    return handler


async def test_the_pace_is_kept_and_every_request_accounted_for(server: Server) -> None:
    url = await server(answer(200, "v1"))
    report = await Load(Target(url), 200, duration_seconds=1.5).run()
    assert (report.sent, report.succeeded, report.lost, report.in_flight) == (300, 300, 0, 0)
    assert 1.4 < report.duration_seconds < 2.5
    assert sum(second.sent for second in report.seconds) == 300
    assert 0 < report.p50_seconds <= report.p99_seconds


async def test_an_error_of_the_app_is_a_failure_of_that_version(server: Server) -> None:
    async def every_third(request: web.Request) -> web.Response:
        bad = request.headers["x-n"] == "1"
        return web.Response(status=500 if bad else 200, headers={"x-version": "v2"})

    url = await server(every_third)
    report = await Load(
        Target(url, host="shop.example", headers={"x-n": "1"}), 50, duration_seconds=0.2
    ).run()
    assert (report.failed, report.succeeded, report.lost) == (10, 0, 0)
    version = report.versions["v2"]
    assert (version.responses, version.failed) == (10, 10)
    assert version.first_failed_at is not None
    assert version.last_failed_at is not None
    assert report.started_at <= version.first_failed_at <= version.last_failed_at
    assert version.last_failed_at == version.last_at


@pytest.mark.parametrize("status", [404, 502, 503, 504])
async def test_an_error_that_the_app_did_not_send_is_a_lost_request(
    server: Server, status: int
) -> None:
    report = await Load(Target(await server(answer(status))), 50, duration_seconds=0.2).run()
    assert (report.lost, report.failed) == (10, 0)
    assert report.lost_reasons == {f"HTTP {status} not from the app": 10}


async def test_a_503_of_the_app_itself_is_a_failure(server: Server) -> None:
    report = await Load(Target(await server(answer(503, "v1"))), 50, duration_seconds=0.2).run()
    assert (report.lost, report.failed) == (0, 10)


async def test_refused_and_reset_and_timed_out_requests_are_lost(server: Server) -> None:
    async def reset(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    refused = await Load(Target("http://127.0.0.1:9"), 50, duration_seconds=0.1).run()
    assert refused.lost_reasons == {"connection refused": 5}
    was_reset = await Load(Target(await server(reset)), 50, duration_seconds=0.1).run()
    assert was_reset.lost_reasons == {"connection reset": 5}
    hung = await Load(
        Target(await server(hang)), 50, duration_seconds=0.1, timeout_seconds=0.2
    ).run()
    assert hung.lost_reasons == {"timed out": 5}


async def test_an_answer_that_came_while_nobody_looked_is_not_lost(server: Server) -> None:
    """A machine that does not let us run is not a data plane that does not answer."""
    held = asyncio.Event()

    async def once_let_go(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response(headers={"x-version": "v1"})

    load = Load(Target(await server(once_let_go)), 50, duration_seconds=0.1, timeout_seconds=0.3)
    running = asyncio.create_task(load.run())
    await until(lambda: load.report().in_flight == 5)
    time.sleep(0.5)  # noqa: ASYNC251 -- the loop stands still: this is what is tested
    held.set()
    report = await running
    assert (report.succeeded, report.lost_reasons) == (5, {})


async def test_a_late_answer_is_told_from_a_late_request(server: Server) -> None:
    """Who asked last of all, and who was answered last, are not the same under load."""
    held = asyncio.Event()

    async def the_first_last(request: web.Request) -> web.Response:
        version = "v2" if begun else "v1"
        begun.append(version)
        if version == "v1":
            await held.wait()
        return web.Response(headers={"x-version": version})

    begun = list[str]()
    load = Load(Target(await server(the_first_last)), 100)
    running = asyncio.create_task(load.run())
    await until(lambda: load.report().succeeded >= 5)
    held.set()
    await until(lambda: "v1" in load.report().versions)
    load.stop()
    versions = (await running).versions
    assert versions["v1"].last_at > versions["v2"].first_at
    assert versions["v1"].last_sent_at < versions["v2"].first_at


async def test_what_can_not_be_sent_in_time_is_sent_late_and_said(server: Server) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)  # the app's own latency, not the test's
        return web.Response(headers={"x-version": "v1"})

    report = await Load(
        Target(await server(slow)), 100, duration_seconds=0.3, max_in_flight=4
    ).run()
    assert (report.sent, report.succeeded) == (30, 30)
    assert report.behind > 10
    assert report.lag_seconds > 0.1


async def test_it_can_be_watched_and_stopped(server: Server) -> None:
    load = Load(Target(await server(answer(200, "v1"))), 100)
    running = asyncio.create_task(load.run())
    await until(lambda: load.report().succeeded >= 5)
    load.stop()
    report = await running
    assert report.sent == report.succeeded >= 5
