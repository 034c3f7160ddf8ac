"""A release with a controller of its own behind a proxy: where one dies, the next one takes over at once."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rollouts.kube.lease import LeaseTiming
from rollouts.sandbox.control_plane.programs import ETCD
from rollouts.sandbox.control_plane.real import RealControlPlane
from rollouts.sandbox.environment import ControllerArguments, controller_command
from tests.sandbox.kills.proxy import ApiProxy
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.sandbox import ReleaseSandbox

if TYPE_CHECKING:
    from rollouts.sandbox.processes import Process

QUIET_SECONDS = 2.0
"""Who has written nothing for so long is done: longer than the delays and the rounds of measurements here."""

LEASE_NAMESPACE = "rollouts"
"""That of the controller's service account, which may write its Lease nowhere else."""


class KillSandbox(ReleaseSandbox):
    """A sandbox without a controller of its own: each story has one."""

    def __init__(self, directory: Path, control_plane: Path | None = None) -> None:
        super().__init__(directory, control_plane)
        self._restarting = asyncio.Lock()

    async def restart_api_server(self) -> None:
        """Stop its own API server and start it again; of several who want that, one after the other."""
        async with self._restarting:
            await self.api.stop()
            await self.api.start()

    def take_quorum(self, seconds: float) -> None:
        """Have a real control plane's etcd answer nothing for so long, as one that lost its quorum."""
        assert isinstance(self.control, RealControlPlane)
        etcd = self.control.processes[ETCD]
        etcd.signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(seconds, etcd.signal, signal.SIGCONT)

    async def start_controller(self) -> None:
        """Start none."""


class ProxiedController:
    """The place of one controller: its proxy, and whichever process has it now."""

    def __init__(
        self,
        sandbox: ReleaseSandbox,
        namespace: str,
        *,
        name: str = "controller",
        timing: LeaseTiming | None = None,
    ) -> None:
        settings, directory = sandbox.controller_settings, sandbox.directory
        self.proxy = ApiProxy(settings.kubeconfig, directory / f"{namespace}-{name}.kubeconfig")
        self.process: Process | None = None
        self._sandbox = sandbox
        self._timing = timing
        own = ControllerArguments(
            self.proxy.kubeconfig,
            settings.prometheus_url,
            settings.address,
            0,
            settings.scrape_seconds,
        )
        election = ["--leader-elect", f"--lease-namespace={LEASE_NAMESPACE}"] if timing else []
        self._command = [*controller_command(own), f"--namespace={namespace}", *election]

    async def start(self) -> None:
        """Start the next process, whatever became of the one before."""
        self.proxy.watched = False
        self.process = await self._sandbox.launch(self._command, self._timing)

    async def stop(self) -> None:
        """Kill the process, and close the proxy."""
        if self.process is not None:
            await self.process.stop(grace_seconds=0)
        await self.proxy.stop()

    def signals(self, number: signal.Signals) -> None:
        """Send a signal to the process, such as SIGKILL, after which it can't do anything more."""
        if self.process is not None:
            self.process.signal(number)

    async def is_quiet(self, release: Release, seconds: float = QUIET_SECONDS) -> None:
        """Wait until the controller follows everything, and has had nothing to do for a while."""
        proxy = self.proxy
        await release.until(
            lambda: proxy.watched and time.monotonic() - proxy.asked_at > seconds, "quiet"
        )


@asynccontextmanager
async def proxied_controller(
    sandbox: ReleaseSandbox,
    namespace: str,
    *,
    name: str = "controller",
    timing: LeaseTiming | None = None,
) -> AsyncIterator[ProxiedController]:
    """Have a controller for a namespace, until left."""
    controller = ProxiedController(sandbox, namespace, name=name, timing=timing)
    await controller.proxy.start()
    await controller.start()
    try:
        yield controller
    finally:
        await controller.stop()
