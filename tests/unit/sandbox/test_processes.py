"""No process and no file outlives the sandbox process, however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.errors import UsageError
from rollouts.sandbox import sweep
from rollouts.sandbox.processes import Process, Processes, Sweeper
from tests.waiting import until

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
WITH_CHILD = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
PARENT = """
import asyncio, sys
from pathlib import Path
from rollouts.sandbox.processes import Processes, Sweeper
async def main():
    directory = Path(sys.argv[1])
    sweeper = Sweeper(directory)
    sweeper.start()
    processes = Processes(directory / "logs", sweeper)
    child = await processes.start("child", [sys.executable, "-c", sys.argv[2]])
    while not child.log.read_text():
        await asyncio.sleep(0.01)
    print(child.pid, child.log.read_text().strip(), sweeper.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    processes = Processes(tmp_path / "logs")
    yield processes
    await processes.stop_all(0)


def is_alive(pid: int) -> bool:
    entry = sweep.look_up(pid)
    return entry is not None and entry.state not in "ZX"


async def printed(process: Process) -> str:
    await until(lambda: process.log.read_text().endswith("\n"))
    return process.log.read_text().strip()


async def test_output_goes_to_a_log_named_after_the_process(processes: Processes) -> None:
    process = await processes.start(
        "greeter", ["sh", "-c", "echo $GREETING; exit 3"], {"GREETING": "hi"}
    )
    assert await process.wait() == 3
    assert process.log.name == "greeter.log"
    assert process.log.read_text() == "hi\n"


async def test_our_environment_is_not_inherited(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    process = await processes.start("env", ["env"])
    assert await process.wait() == 0
    assert "hunter2" not in process.log.read_text()


@pytest.mark.parametrize(
    ("program", "status"), [("/no/such/program", 127), (str(Path(__file__).parent), 126)]
)
async def test_a_program_that_cannot_run_says_so(
    processes: Processes, program: str, status: int
) -> None:
    process = await processes.start("broken", [program])
    assert await process.wait() == status
    assert f"cannot run {program}" in process.log.read_text()


async def test_stopping_asks_first(processes: Processes) -> None:
    process = await processes.start(
        "polite",
        ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"],
    )
    await printed(process)
    assert await processes.stop(process, 10) == 0
    assert process.log.read_text() == "up\nbye\n"
    assert processes.running == []


async def test_what_does_not_listen_is_killed_at_the_deadline(processes: Processes) -> None:
    process = await processes.start("stubborn", [sys.executable, "-c", STUBBORN])
    await printed(process)
    assert await processes.stop(process, 0.05) == -signal.SIGKILL


async def test_what_a_child_started_goes_with_it(processes: Processes) -> None:
    process = await processes.start("parent", [sys.executable, "-c", WITH_CHILD])
    grandchild = int(await printed(process))
    await processes.stop(process, 5)
    await until(lambda: not is_alive(grandchild))


async def test_stopping_all_leaves_nothing(processes: Processes) -> None:
    started = [await processes.start(f"sleeper-{n}", ["sleep", "60"]) for n in range(3)]
    await processes.stop_all(5)
    assert not any(is_alive(process.pid) for process in started)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_when_the_parent_dies_everything_goes(tmp_path: Path, how: signal.Signals) -> None:
    directory = tmp_path / "sandbox"
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(directory), WITH_CHILD),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    family = [int(word) for word in (await parent.stdout.readline()).split()]
    assert all(is_alive(pid) for pid in family)
    parent.send_signal(how)
    await parent.wait()
    await until(lambda: not any(is_alive(pid) for pid in family))
    assert not directory.exists()


async def test_the_sweeper_outlives_a_ctrl_c_and_cleans_up_when_told(tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    sweeper = Sweeper(directory)
    sweeper.start()
    processes = Processes(directory / "logs", sweeper)
    child = await processes.start("child", ["sleep", "60"])
    assert sweeper.pid is not None
    await until(lambda: "sweep.py" in Path(f"/proc/{sweeper.pid}/cmdline").read_text())
    await sweeper.stop()
    await child.wait()
    await until(lambda: not processes.running)
    assert not directory.exists()


def test_a_directory_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="choose an empty directory"):
        Sweeper(tmp_path).start()
    assert (tmp_path / "thesis.tex").exists()


def test_a_directory_without_our_mark_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert not sweep.remove(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


async def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(processes: Processes) -> None:
    process = await processes.start("innocent", ["sleep", "60"])
    assert not sweep.kill_group(process.pid, process.started - 1)
    assert is_alive(process.pid)


def test_a_line_cut_short_by_the_writers_death_is_ignored() -> None:
    assert sweep.told(["+ 7 100\n", "+ 8 200\n", "- 7\n", "+ 9"]) == {8: 200}


def test_the_kernel_is_asked_about_processes_by_pid() -> None:
    entry = sweep.look_up(os.getpid())
    assert entry is not None
    assert entry.started > 0
    assert sweep.look_up(0) is None
