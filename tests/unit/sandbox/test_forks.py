"""A forked demo app is a process like any other: its own session, log and environment."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.sandbox import sweep
from rollouts.sandbox.forks import DemoApps
from rollouts.sandbox.processes import Process, Processes
from tests.waiting import until

BAD = {"PORT": "none"}
"""Makes the app say one line and end."""


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    await processes.stop_all(0)


@pytest.fixture
async def apps(processes: Processes) -> AsyncIterator[DemoApps]:
    apps = DemoApps(processes)
    yield apps
    await apps.stop()


def is_alive(process: Process) -> bool:
    entry = sweep.look_up(process.pid)
    return entry is not None and entry.state not in "ZX"


async def serving(apps: DemoApps, name: str) -> Process:
    """Start an app on any free port and wait until it serves."""
    process = await apps.start(name, {"PORT": "0", "POD_NAME": name, "DRAIN_SECONDS": "0"})
    await until(lambda: "serves" in process.log.read_text())
    return process


async def test_each_has_its_own_session_log_and_environment(apps: DemoApps, tmp_path: Path) -> None:
    one, two = await asyncio.gather(serving(apps, "one"), serving(apps, "two"))
    for process in (one, two):
        entry = sweep.look_up(process.pid)
        assert entry is not None
        assert entry.session == entry.group == process.pid
        assert process.log == tmp_path / f"{process.name}.log"
        assert process.log.read_text().startswith(f"{process.name} serves")
        assert len(process.log.read_text().splitlines()) == 1


async def test_the_exit_status_is_known(apps: DemoApps) -> None:
    assert await (await apps.start("bad", BAD)).wait() == 2
    good = await serving(apps, "good")
    assert await good.stop(10) == 0
    killed = await serving(apps, "killed")
    assert await killed.stop(0) == -signal.SIGKILL


async def test_many_at_once_are_told_apart(apps: DemoApps) -> None:
    started = await asyncio.gather(*(serving(apps, f"app-{number}") for number in range(12)))
    assert len({process.pid for process in started}) == 12


async def test_all_end_with_the_fork_server_and_the_next_starts_another(apps: DemoApps) -> None:
    process = await serving(apps, "first")
    server = await apps.open()
    server.kill()
    assert await process.wait() == -signal.SIGKILL
    await until(lambda: not is_alive(process))
    assert is_alive(await serving(apps, "second"))


async def test_stopping_ends_all(apps: DemoApps, processes: Processes) -> None:
    process = await serving(apps, "app")
    await apps.stop()
    await until(lambda: not is_alive(process))
    await until(lambda: not processes.running)


async def test_an_app_that_nobody_wants_any_more_is_killed(
    apps: DemoApps, processes: Processes
) -> None:
    await serving(apps, "wanted")
    unwanted = asyncio.create_task(apps.start("unwanted", {"PORT": "0"}))
    await asyncio.sleep(0)
    assert len(apps._orders) == 1
    unwanted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await unwanted
    last = await serving(apps, "last")
    assert {each.name for each in processes.running} == {"fork-server", "wanted", "last"}
    assert is_alive(last)


async def test_a_log_that_cannot_be_written_is_the_apps_end(apps: DemoApps, tmp_path: Path) -> None:
    (tmp_path / "app.log").mkdir()
    process = await apps.start("app", {"PORT": "0"})
    assert await process.wait() == 1
    assert "IsADirectoryError" in (tmp_path / "fork-server.log").read_text()
