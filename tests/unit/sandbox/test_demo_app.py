"""The demo app does what its environment says."""

import asyncio
import math
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from rollouts.sandbox.demo_app import behaviour, share
from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.workloads.launch import DEMO_APP
from tests.waiting import until


@pytest.mark.parametrize(("text", "value"), [("8%", 0.08), ("0.08", 0.08), ("0", 0), ("100%", 1)])
def test_shares(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


def test_nothing_said_is_a_good_citizen() -> None:
    wanted = behaviour({"ERROR_RATE": ""})
    assert (wanted.error_rate, wanted.crash_after_seconds) == (0.0, math.inf)
    assert wanted.revision == wanted.version == "v1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ERROR_RATE", "130%"),
        ("ERROR_RATE", "often"),
        ("ERROR_RATE", "nan"),
        ("LATENCY", "-1s"),
        ("LATENCY", "soon"),
        ("NEVER_READY", "perhaps"),
        ("CRASH_AFTER_REQUESTS", "1.5"),
        ("PORT", "70000"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}={value}: (should be|expected) "):
        behaviour({name: value})


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    await processes.stop_all(0)


class Apps:
    """Starts demo apps, each on an address of its own."""

    def __init__(self, processes: Processes, network: int) -> None:
        self._processes = processes
        self._network = network
        self._started = 0

    async def start(self, **env: str) -> tuple[Process, str]:
        self._started += 1
        address = f"127.{self._network}.1.{self._started}"
        env = {"POD_IP": address, "POD_NAME": f"pod-{self._started}", **env}
        process = await self._processes.start(f"app-{self._started}", DEMO_APP, env)
        await until(lambda: process.returncode is not None or "serves" in process.log.read_text())
        return process, f"http://{address}:8080"


@pytest.fixture
def apps(processes: Processes) -> Iterator[Apps]:
    network = Network.claim()
    yield Apps(processes, network.number)
    network.release()


async def status(http: aiohttp.ClientSession, url: str) -> int:
    async with http.get(url) as answer:
        await answer.read()
        return answer.status


async def test_it_says_who_it_is(apps: Apps, http: aiohttp.ClientSession) -> None:
    _, url = await apps.start(VERSION="v7")
    async with http.get(f"{url}/any/path") as answer:
        assert await answer.text() == "hello from pod-1, version v7\n"
    assert await status(http, f"{url}/healthz") == 200
    assert await status(http, f"{url}/ready") == 200


async def test_errors_are_as_many_as_asked_for_and_counted(
    apps: Apps, http: aiohttp.ClientSession
) -> None:
    _, url = await apps.start(ERROR_RATE="50%", REVISION="abc", PORT="8080")
    seen = [await status(http, url) for _ in range(60)]
    assert {200, 500} == set(seen)
    async with http.get(f"{url}/metrics") as answer:
        text = await answer.text()
    errors = float(seen.count(500))
    assert f'http_requests_total{{code="500",method="GET",revision="abc"}} {errors}' in text
    assert 'http_request_duration_seconds_count{revision="abc"} 60.0' in text


async def test_never_ready_serves_nobody(apps: Apps, http: aiohttp.ClientSession) -> None:
    _, url = await apps.start(NEVER_READY="true")
    assert [await status(http, url + path) for path in ("/ready", "/", "/healthz")] == [
        503,
        503,
        200,
    ]


async def test_a_slow_start_becomes_ready(apps: Apps, http: aiohttp.ClientSession) -> None:
    _, url = await apps.start(START_DELAY="600ms")
    assert await status(http, f"{url}/ready") == 503
    async with asyncio.timeout(10):
        while await status(http, f"{url}/ready") != 200:
            pass
    assert await status(http, url) == 200


async def test_it_crashes_under_traffic_only(apps: Apps, http: aiohttp.ClientSession) -> None:
    process, url = await apps.start(CRASH_AFTER_REQUESTS="3")
    for path in ("/healthz", "/ready", "/metrics", "/", "/"):
        assert await status(http, url + path) == 200
    with pytest.raises(aiohttp.ClientError):
        await status(http, url)
    assert await process.wait() == 1


async def test_it_crashes_after_a_time(apps: Apps) -> None:
    process, _ = await apps.start(CRASH_AFTER="100ms")
    assert await process.wait() == 1
    assert "crashing as told: CRASH_AFTER=0.1s" in process.log.read_text()


async def test_a_wrong_value_ends_it_with_one_line(apps: Apps) -> None:
    process, _ = await apps.start(LATENCY="soon")
    assert await process.wait() == 2
    assert process.log.read_text() == (
        "demo app: LATENCY=soon: expected a duration such as 90s, 5m or 1h30m, got 'soon'\n"
    )


async def test_an_address_that_is_taken_ends_it_with_one_line(apps: Apps) -> None:
    _, url = await apps.start()
    process, _ = await apps.start(POD_IP=url.split(":")[1].strip("/"))
    assert await process.wait() == 1
    assert process.log.read_text().startswith("demo app: can't listen on ")
    assert len(process.log.read_text().splitlines()) == 1


async def test_sigterm_loses_no_request(apps: Apps, http: aiohttp.ClientSession) -> None:
    """One is in flight, one comes on a kept-alive connection, one on a new one."""
    process, url = await apps.start(LATENCY="400ms", DRAIN_SECONDS="1")
    before = asyncio.create_task(status(http, url))
    assert await status(http, f"{url}/ready") == 200
    process.signal(signal.SIGTERM)
    await until(lambda: "draining" in process.log.read_text())
    assert await status(http, f"{url}/ready") == 503
    assert await status(http, url) == 200
    async with http.get(url) as answer:
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
    assert await before == 200
    assert await process.wait() == 0


async def test_what_has_begun_is_finished_after_the_drain(
    apps: Apps, http: aiohttp.ClientSession
) -> None:
    process, url = await apps.start(LATENCY="500ms", DRAIN_SECONDS="0")
    slow = asyncio.create_task(status(http, url))
    assert await status(http, f"{url}/ready") == 200
    process.signal(signal.SIGTERM)
    assert await slow == 200
    assert await process.wait() == 0


def test_only_what_is_needed_is_imported() -> None:
    """Pods start by the dozen: the model, the log library and the client stay out."""
    code = "import sys, rollouts.sandbox.demo_app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "structlog", "kubernetes", "yaml"} & set(loaded)
