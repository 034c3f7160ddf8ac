"""Demo apps by the dozen: our side of the fork server, which starts one in milliseconds."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping

from rollouts.sandbox import sweep
from rollouts.sandbox.processes import Process, Processes, environment, spawn

_FORK_SERVER = (sys.executable, "-P", "-m", "rollouts.sandbox.forkserver")


class Fork:
    """A process that the fork server is the parent of, with what `Process` asks of a child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        entry = sweep.look_up(pid)
        self._started = entry.started if entry else 0
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the pid is another's by now."""
        entry = sweep.look_up(self.pid)
        if self.returncode is None and entry is not None and entry.started == self._started:
            os.kill(self.pid, number)

    def end(self, status: int) -> None:
        self.returncode = status
        self._ended.set()


class DemoApps:
    """
    Starts demo apps from a fork server: `open` starts it, or else the first app that is wanted.

    When the fork server dies, all its apps die with it (the kernel sees to that), and the
    next one wanted starts another.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._starting = asyncio.Lock()
        self._server: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._orders: deque[asyncio.Future[Fork]] = deque()
        self._forks: dict[int, Fork] = {}

    async def start(self, name: str, env: Mapping[str, str]) -> Process:
        """
        Start a demo app; as `Processes.start` does with its command, only sooner.

        Raises:
            OSError: it could not be forked.
        """
        log = self._processes.log_of(name)
        server = await self.open()
        assert server.stdin is not None
        born = asyncio.get_running_loop().create_future()
        self._orders.append(born)
        order = {"log": str(log.absolute()), "env": environment(env)}
        server.stdin.write(json.dumps(order).encode() + b"\n")
        return self._processes.adopt(name, log, await born)

    async def open(self) -> asyncio.subprocess.Process:
        """Start the fork server when it does not run, and return it; it takes a moment to answer."""
        async with self._starting:
            return self._server or await self._launch()

    async def stop(self) -> None:
        """End the fork server, and with it every app that still runs."""
        if self._server is None or self._reader is None:
            return
        assert self._server.stdin is not None
        self._server.stdin.close()
        await self._reader

    async def _launch(self) -> asyncio.subprocess.Process:
        log = self._processes.log_of("fork-server")
        pipe = asyncio.subprocess.PIPE
        with log.open("ab") as errors:
            server = await spawn(_FORK_SERVER, environment({}), (pipe, pipe, errors))
        self._processes.adopt("fork-server", log, server)
        self._server = server
        self._reader = asyncio.create_task(self._listen(server), name="fork server")
        return server

    async def _listen(self, server: asyncio.subprocess.Process) -> None:
        """Follow what the fork server says until it has ended."""
        assert server.stdout is not None
        async for line in server.stdout:
            message = json.loads(line)
            if "gone" in message:
                self._forks.pop(message["gone"]).end(message["status"])
            else:
                self._answer(message)
        self._server = None
        await server.wait()
        orders, self._orders = self._orders, deque()
        forks, self._forks = self._forks, {}
        for born in orders:
            if not born.done():
                born.set_exception(OSError("the fork server has ended; its log says why"))
        for fork in forks.values():
            fork.end(-signal.SIGKILL)

    def _answer(self, message: Mapping[str, object]) -> None:
        born = self._orders.popleft()
        if "error" in message:
            if not born.done():
                born.set_exception(OSError(str(message["error"])))
            return
        fork = Fork(int(str(message["born"])))
        self._forks[fork.pid] = fork
        if born.done():  # whoever wanted it does not any more
            fork.send_signal(signal.SIGKILL)
        else:
            born.set_result(fork)
