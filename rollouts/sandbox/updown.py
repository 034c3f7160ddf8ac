"""
A sandbox as a thing that stands by itself: up, and down again from another process.

`stand` is what the process of a standing sandbox runs; `up` starts such a process in the
background; `down` ends one, however it was started.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rollouts.errors import Unavailable, UsageError
from rollouts.sandbox import sweep
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.processes import claim
from rollouts.sandbox.state import SandboxState

READY_WITHIN_SECONDS = 600.0  # the first one may have to download Prometheus
STOPPED_WITHIN_SECONDS = 30.0
SWEPT_WITHIN_SECONDS = 15.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up_command(directory: Path, *options: str) -> list[str]:
    """Return the command that stands a sandbox up in the foreground."""
    return [sys.executable, "-m", "rollouts", "sandbox", "up", "--dir", str(directory), *options]


async def stand(sandbox: Sandbox, ready: Callable[[SandboxState], None]) -> None:
    """
    Run a sandbox until this process is told to end (Ctrl-C, SIGTERM, SIGHUP).

    `ready` is called once, when everything answers. Raises what `Sandbox.start` raises.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, told.set)
    try:
        starting = asyncio.create_task(sandbox.start())
        telling = asyncio.create_task(told.wait())
        await asyncio.wait((starting, telling), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            ready(sandbox.describe())
            await telling
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    finally:
        telling.cancel()
        await sandbox.stop()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)


def up(
    directory: Path,
    *,
    command: Sequence[str] = (),
    within_seconds: float = READY_WITHIN_SECONDS,
) -> SandboxState:
    """
    Stand a sandbox up in a process and session of its own, and return when it is ready.

    `command` is what that process runs, `up_command(directory)` by default. Its output goes
    to `logs/sandbox.log` in the directory.

    Raises:
        UsageError: the directory holds something else, or a running sandbox.
        Unavailable: it ended, or was not ready in time; the message has its last words.
    """
    directory = directory.absolute()
    found = SandboxState.read(directory)
    if found and found.owner.alive:
        raise UsageError(
            f"a sandbox is running in {directory} already (pid {found.owner.pid}); end it by"
            f" `rollouts sandbox down --dir {directory}`, or choose another --dir"
        )
    claim(directory)
    log = directory / "logs" / "sandbox.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command) or up_command(directory),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with log.open("rb") as words:  # readable to the end, though the directory may go
        return _await_ready(child, directory, within_seconds, lambda: _last_words(words.read()))


def down(directory: Path, within_seconds: float = STOPPED_WITHIN_SECONDS) -> bool:
    """
    End the sandbox in `directory`; return False when there was none.

    It is asked first, and killed when it has not ended in time. When this returns, no
    process of it runs and the directory is gone.

    Raises:
        Unavailable: something could not be removed.
    """
    directory = directory.absolute()
    state = SandboxState.read(directory)
    if state is None and not (directory / sweep.MARKER).exists():
        return False
    if state:
        if state.owner.alive:
            os.kill(state.owner.pid, signal.SIGTERM)
            if not _wait(lambda: not state.owner.alive, within_seconds):
                os.kill(state.owner.pid, signal.SIGKILL)
        # Its sweeper cleans up after it; these are for when that is dead too.
        _wait(lambda: not directory.exists(), SWEPT_WITHIN_SECONDS)
        for process in state.processes:
            sweep.kill_group(process.pid, process.started)
    if not sweep.remove(directory):
        raise Unavailable(
            f"{directory} could not be removed; see who may write there, and remove it by hand"
        )
    return True


def _await_ready(
    child: "subprocess.Popen[bytes]",
    directory: Path,
    within_seconds: float,
    last_words: Callable[[], str],
) -> SandboxState:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        state = SandboxState.read(directory)
        if state and state.ready and state.owner.pid == child.pid:
            child.returncode = 0  # it is nobody's child from here on: no warning, no wait
            return state
        if child.poll() is not None:
            raise Unavailable(f"the sandbox ended with status {child.returncode}: {last_words()}")
        time.sleep(0.05)
    child.terminate()
    child.wait()
    raise Unavailable(
        f"the sandbox is not ready after {within_seconds:g} s (start it without --detach to see more):"
        f" {last_words()}"
    )


def _last_words(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-5:]) or "its log is empty"


def _wait(holds: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
