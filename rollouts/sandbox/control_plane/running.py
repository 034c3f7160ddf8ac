"""
A real control plane that runs: etcd, kube-apiserver and kube-controller-manager, on one address.

Its programs are children of this process, and end with it.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import aiohttp

from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import SERVICE_ACCOUNT
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.users import ADMIN_NAME
from rollouts.sandbox.control_plane.client import Client, path_of
from rollouts.sandbox.control_plane.programs import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    PROGRAMS,
    Programs,
)
from rollouts.sandbox.processes import Process, Processes

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_ETCD_PATIENCE = aiohttp.ClientTimeout(total=5)


class ControlPlane:
    """`programs`, run as children among `processes`; it answers from `start` to `stop`."""

    def __init__(self, programs: Programs, processes: Processes) -> None:
        self.programs = programs
        self._processes = processes
        self.running: dict[str, Process] = {}
        self._admin = Client(programs.url, programs.tokens[ADMIN_NAME], programs.authority)

    async def start(self) -> None:
        """
        Return when the API server and the controllers answer.

        Raises:
            Unavailable: one of them does not; the message names the logs.
        """
        await asyncio.to_thread(self.programs.write_files)
        await self.run(ETCD)
        await self.run(API_SERVER)
        await self.run(CONTROLLER_MANAGER)

    async def stop(self) -> None:
        """Stop what runs, the last started first: without etcd the API server would wait for it."""
        await self._admin.close()
        for name in reversed(PROGRAMS):
            await self.end(name)

    async def run(self, name: str) -> None:
        """
        Start one of the programs, and return when it does its work.

        Raises:
            Unavailable: it does not; the message names the logs.
        """
        self.running[name] = await self._processes.start(name, self.programs.command(name))
        if name == API_SERVER:
            await self._until(self._is_ready, "the API server")
        elif name == CONTROLLER_MANAGER:
            await self._until(self._has_controllers, "the controller manager")

    async def end(self, name: str) -> None:
        """Stop one of the programs, if it runs."""
        process = self.running.pop(name, None)
        if process is not None:
            await self._processes.stop(process, STOP_SECONDS)

    async def compact(self) -> None:
        """
        Have etcd forget everything but the present, as an API server does every five minutes.

        It looks every few seconds how much is forgotten, and forgets what it has cached of that.
        """
        latest = (await self._etcd("range", {"key": _base64("\0")}))["header"]["revision"]
        await self._etcd("put", {"key": _base64("compact_rev_key"), "value": _base64(latest)})
        await self._etcd("compaction", {"revision": latest, "physical": True})

    async def _etcd(self, operation: str, question: JSON) -> JSON:
        """Ask etcd in JSON, over HTTP, where keys are in base64 and numbers are strings."""
        url = f"{self.programs.etcd_url}/v3/kv/{operation}"
        async with (
            aiohttp.ClientSession(timeout=_ETCD_PATIENCE) as http,
            http.post(url, json=question) as response,
        ):
            response.raise_for_status()
            found: JSON = await response.json()
            return found

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await condition():
                    if any(each.returncode is not None for each in self.running.values()):
                        raise self._silent(what)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._silent(what) from None

    def _silent(self, what: str) -> Unavailable:
        logs = ", ".join(str(each.log) for each in self.running.values())
        return Unavailable(f"{what} does not answer; see {logs}")

    async def _is_ready(self) -> bool:
        return await self._answers("/readyz")

    async def _has_controllers(self) -> bool:
        """Return whether they have begun: one of them makes this account in each namespace."""
        return await self._answers(path_of(SERVICE_ACCOUNT, "default", "default"))

    async def _answers(self, path: str) -> bool:
        try:
            await self._admin.get(path)
        except (ApiError, Unavailable):
            return False
        return True


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
