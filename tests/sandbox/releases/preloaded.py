"""
Processes of `rollouts` that begin with all that they import.

Importing takes half a second of a core for a verb, and nearly a whole one for the controller: more
than most of them then use. That both begin from nothing as well is held by
`tests/sandbox/test_command_line.py` and `tests/sandbox/test_demo.py`.
"""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from rollouts.cli.main import main
from rollouts.kube import lease

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "pydantic.type_adapter",
        "rollouts.cli.list_table",
        "rollouts.cli.main",
        "rollouts.cli.template_source",
        "rollouts.controller.clock",
        "rollouts.controller.http_server",
        "rollouts.controller.loop",
        "rollouts.controller.watches",
        "rollouts.kube.cluster",
        "rollouts.kube.requests",
        "rollouts.metrics.prometheus",
        "rollouts.notify.absent",
    ]
)

_IN_TURN = ThreadPoolExecutor(max_workers=1)
"""
The one thread that starts processes, and asks how they ended.

Whoever starts one asks about all others, too; of two threads that read one answer the second finds the
end of the file, and says 255.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """
    `rollouts ARGUMENTS` with exactly this environment; what it says is appended to two files.

    `timing` is that of a controller's Lease, for tests that can't wait as long as people do.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    out: Path
    err: Path
    timing: lease.LeaseTiming | None = None


class Preloaded:
    """One of them, in a session of its own; a `rollouts.sandbox.processes.Child`."""

    def __init__(self, call: Call) -> None:
        self._announced, announce = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(target=_become, args=(call, announce), daemon=True)
        self._code: int | None = None
        self._ended = asyncio.Event()
        self._burial: asyncio.Task[None] | None = None

    @classmethod
    async def begin(cls, call: Call) -> Self:
        """Return it once it has a session. The loop, which may send traffic, never waits."""
        made = cls(call)
        await asyncio.get_running_loop().run_in_executor(_IN_TURN, made._start)
        made._burial = asyncio.create_task(made._bury())
        return made

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._code

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int, /) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _start(self) -> None:
        """Start it; the first of all waits until everything is imported."""
        self._process.start()
        self._announced.recv()

    async def _bury(self) -> None:
        """Let those who wait know how it has ended, once it has."""
        loop, sentinel = asyncio.get_running_loop(), self._process.sentinel
        gone = asyncio.Event()
        loop.add_reader(sentinel, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(sentinel)
        self._code = await loop.run_in_executor(_IN_TURN, lambda: self._process.exitcode)
        self._ended.set()


def _become(call: Call, announce: Connection) -> None:
    """Be that call from now on."""
    gc.freeze()  # a collection would copy all that is shared
    os.setsid()
    for number, path in ((1, call.out), (2, call.err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(call.environment)
    # On loopback nobody is asked for a certificate of an authority, and reading all takes long.
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)
    if call.timing is not None:
        timing = call.timing
        lease.LeaseTiming = lambda: timing  # type: ignore[misc, assignment]
    sys.argv = ["rollouts", *call.arguments]
    announce.send(None)
    main()
