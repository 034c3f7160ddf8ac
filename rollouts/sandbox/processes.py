"""
Child processes: started with a log file, stopped with a deadline, and never left behind.

Three nets hold what the sandbox starts. `Processes.stop_all` is the ordinary way. When the
sandbox process dies without it, the kernel kills each child (see `parent_death`), and the
`Sweeper` kills what those children had started themselves and removes the directory.

Every child has a session of its own: a Ctrl-C in the terminal reaches the sandbox process
alone, which then stops its children in order. A child that leaves its session (a daemon)
is outside of what is promised here; start programs in the foreground.

The kernel ties a child to the *thread* that started it, so `Processes.start` is to be
called from a thread that lives as long as the sandbox does (the main thread).
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from rollouts.errors import UsageError
from rollouts.sandbox import parent_death, sweep

_ISOLATED_PYTHON = (sys.executable, "-I", "-S")
_PARENT_DEATH = str(Path(parent_death.__file__))
_SWEEP = str(Path(sweep.__file__))


Streams = tuple[int | IO[bytes], int | IO[bytes], int | IO[bytes]]
"""Standard input, output and error, as subprocess takes them."""


class Child(Protocol):
    """What is asked of a process; asyncio's own have it."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...

    def send_signal(self, signal: int, /) -> None: ...


class Process:
    """One child: `pid` is also its process group; `log` is where its output goes."""

    def __init__(self, name: str, log: Path, child: Child) -> None:
        self.name = name
        self.log = log
        self.pid = child.pid
        entry = sweep.look_up(child.pid)
        self.started = entry.started if entry else 0
        self._child = child

    @property
    def returncode(self) -> int | None:
        """Return the exit status, minus the signal's number when one ended it; None while alive."""
        return self._child.returncode

    async def wait(self) -> int:
        """Return the exit status once the process has ended."""
        return await self._child.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself; one that has ended is left alone."""
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)

    async def stop(self, grace_seconds: float) -> int:
        """
        Ask it to end (SIGTERM), and kill it when it has not after `grace_seconds`.

        What it has started itself and left running is killed too. Returns the exit status.
        """
        if self.returncode is None and grace_seconds > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await self.wait()
        sweep.kill_group(self.pid, self.started)
        return await self.wait()


class Sweeper:
    """
    Cleans up when this process dies: kills what it was told of, removes `directory`.

    A child process that waits for the end of a pipe whose writing end only we hold.
    `directory` must be new, empty, or another sandbox's left-over (it carries a marker
    file): nothing of a user's is ever removed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory.absolute() if directory else None
        self._child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def start(self) -> None:
        """
        Make the directory, mark it as ours, and start the watch.

        Raises:
            UsageError: the directory holds something that is not a sandbox's.
        """
        if self._directory:
            claim(self._directory)
        self._child = subprocess.Popen(
            [*_ISOLATED_PYTHON, _SWEEP, *([str(self._directory)] if self._directory else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            bufsize=1,
        )

    def watch(self, process: Process) -> None:
        """From now on, `process` goes when we go."""
        self._tell(f"+ {process.pid} {process.started}\n")

    def forget(self, process: Process) -> None:
        """Take a process off the list: it has ended."""
        self._tell(f"- {process.pid}\n")

    async def stop(self) -> None:
        """Let it clean up now, and return when it has: no process and no directory is left."""
        if self._child is None:
            return
        child, self._child = self._child, None
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        await asyncio.to_thread(child.wait)

    def _tell(self, line: str) -> None:
        if self._child is None:
            return
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: the other nets hold
            self._child.stdin.write(line)


class Processes:
    """
    The children of a sandbox; logs go to one file per name under `logs`.

    A child does not inherit our environment, only PATH (with our interpreter's directory
    first), HOME, LANG and TMPDIR, and what `env` gives it.
    """

    def __init__(self, logs: Path, sweeper: Sweeper | None = None) -> None:
        self._logs = logs
        self._sweeper = sweeper or Sweeper()
        self._running: dict[Process, asyncio.Task[None]] = {}

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Process:
        """
        Start a program and return at once; its output is appended to `log` or `logs/NAME.log`.

        A program that can't be run is a process that ends with 127 or 126.
        """
        path = log or self.log_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as output:
            streams = (subprocess.DEVNULL, output, subprocess.STDOUT)
            child = await spawn(argv, environment(env or {}), streams)
        return self.adopt(name, path, child)

    def log_of(self, name: str) -> Path:
        """Return where the output of a process of that name goes; its directory is there."""
        path = self._logs / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def adopt(self, name: str, log: Path, child: Child) -> Process:
        """Look after a process that somebody else started, in a session of its own."""
        process = Process(name, log, child)
        self._sweeper.watch(process)
        self._running[process] = asyncio.create_task(self._follow(process), name=f"follow {name}")
        return process

    async def stop(self, process: Process, grace_seconds: float = 5.0) -> int:
        """Stop one child as `Process.stop` does, and return its exit status."""
        status = await process.stop(grace_seconds)
        if (follower := self._running.get(process)) is not None:
            await follower
        return status

    async def stop_all(self, grace_seconds: float = 5.0) -> None:
        """Stop every child that still runs, all at once, each with the same deadline."""
        running = list(self._running)
        await asyncio.gather(*(self.stop(process, grace_seconds) for process in running))

    @property
    def running(self) -> list[Process]:
        """Return the children that have not ended, oldest first."""
        return [process for process in self._running if process.returncode is None]

    async def _follow(self, process: Process) -> None:
        await process.wait()
        sweep.kill_group(process.pid, process.started)
        self._sweeper.forget(process)
        del self._running[process]


async def spawn(
    argv: Sequence[str], env: Mapping[str, str], streams: Streams
) -> asyncio.subprocess.Process:
    """Start a program in a session of its own, tied to this process's life."""
    stdin, stdout, stderr = streams
    return await asyncio.create_subprocess_exec(
        *(*_ISOLATED_PYTHON, _PARENT_DEATH, str(os.getpid()), *argv),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        start_new_session=True,
    )


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: `env`, and the little that it inherits."""
    inherited = {key: os.environ[key] for key in ("HOME", "LANG", "TMPDIR") if key in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {"PATH": path, **inherited, **env}


def claim(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    marker = directory / sweep.MARKER
    if not marker.exists() and any(directory.iterdir()):
        raise UsageError(
            f"{directory} holds other files than a sandbox's; choose an empty directory"
        )
    marker.touch()
