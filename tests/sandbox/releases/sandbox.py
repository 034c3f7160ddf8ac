"""One sandbox for many releases: each has a namespace and a host of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rollouts.controller.manifests import without_controller
from rollouts.kube.lease import LeaseTiming
from rollouts.sandbox.apiserver.audit import AuditEntry, AuditLog
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.control_plane.audit_file import AuditFile
from rollouts.sandbox.control_plane.programs import API_SERVER
from rollouts.sandbox.control_plane.real import RealControlPlane
from rollouts.sandbox.crashes import is_write
from rollouts.sandbox.environment import ControllerArguments, Sandbox, controller_command
from rollouts.sandbox.processes import Process, environment
from tests import permissions
from tests.sandbox.releases.objects import Objects, RealObjects
from tests.sandbox.releases.preloaded import Call, Preloaded
from tests.sandbox.releases.prometheus_proxy import PrometheusProxy
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.verbs import Ended, run_verb

COMMAND_SECONDS = 120.0


class Audit(AuditLog):
    """The API server's audit log."""

    def writes(self, namespace: str, begin: int = 0) -> list[AuditEntry]:
        """Return what the controller has tried to write there."""
        return [each for each in self[begin:] if is_write(each) and each.namespace == namespace]


class ReleaseSandbox(Sandbox):
    """
    A whole sandbox for releases; its controller asks Prometheus through `prometheus_proxy`.

    It runs on the real control plane whose programs are in `control_plane`, or else on its own.
    """

    def __init__(self, directory: Path, control_plane: Path | None = None) -> None:
        installed = without_controller()
        self.prometheus_proxy = PrometheusProxy()
        super().__init__(
            directory,
            manifests=installed,
            controller=self._through_the_proxy,
            control_plane=control_plane,
        )
        self._audit = Audit()
        self._audit_file: AuditFile | None = None
        self.objects: Objects
        if isinstance(self.control, RealControlPlane):
            self._audit_file = AuditFile(self.control.programs.audit_log, self._audit)
            self.objects = RealObjects(self.control)
        else:
            self.api.audit = self._audit
            self.objects = self.store

    @property
    def is_real(self) -> bool:
        """Whether it runs on a real control plane."""
        return self._audit_file is not None

    @property
    def audit(self) -> Audit:
        """What was asked of the API server so far."""
        if self._audit_file is not None:
            self._audit_file.read()
        return self._audit

    async def start(self) -> None:
        await self.prometheus_proxy.start()
        await super().start()

    async def stop(self) -> None:
        asked = self.audit  # a real server's log goes with the directory
        await super().stop()
        await self.prometheus_proxy.stop()
        if isinstance(self.objects, RealObjects):
            self.objects.close()
        permissions.note(asked)

    def release(self, namespace: str) -> Release:
        """Return a release in a namespace that is new."""
        self.objects.create(NAMESPACE, {"metadata": {"name": namespace}})
        return Release(self, namespace)

    def hang_api_server(self) -> None:
        """Let whoever asks the API server wait, until it is resumed."""
        if isinstance(self.control, RealControlPlane):
            os.kill(self.control.processes[API_SERVER].pid, signal.SIGSTOP)
        else:
            self.api.faults.hang()

    def resume_api_server(self) -> None:
        if isinstance(self.control, RealControlPlane):
            os.kill(self.control.processes[API_SERVER].pid, signal.SIGCONT)
        else:
            self.api.faults.resume()

    def controller_log(self) -> str:
        return (self.directory / "logs" / "controller.log").read_text()

    async def kubectl(self, *arguments: str, given: str = "") -> Ended:
        program = str(Path(sys.executable).with_name("kubectl"))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(program, *arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **self._environment},
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def rollouts(self, *arguments: str) -> Ended:
        return await run_verb(arguments, self._environment, COMMAND_SECONDS)

    @property
    def _environment(self) -> dict[str, str]:
        """What a command needs to know of this sandbox."""
        return {"KUBECONFIG": str(self.kubeconfig), "COLUMNS": "200"}

    async def launch(self, command: Sequence[str], timing: LeaseTiming | None = None) -> Process:
        """Start a controller's command; `timing` is that of its Lease, where it has one."""
        log = self._processes.log_of("controller")
        arguments = command[command.index("rollouts") + 1 :]
        begun = await Preloaded.begin(Call(arguments, environment({}), log, log, timing))
        return self._processes.adopt("controller", log, begun)

    async def _launch(self, command: Sequence[str]) -> Process:
        return await self.launch(command)

    def _through_the_proxy(self, settings: ControllerArguments) -> Sequence[str]:
        self.prometheus_proxy.prometheus_url = settings.prometheus_url
        # What these releases count, and say, is what was scraped.
        command = controller_command(replace(settings, readings_per_second=0.0))
        return [
            f"--prometheus={self.prometheus_proxy.url}"
            if part.startswith("--prometheus=")
            else part
            for part in command
        ]
