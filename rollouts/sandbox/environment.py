"""
The embedded cluster as one thing: started in order, described, and ended without a trace.

One asyncio process holds the API server, the workload controllers, the kubelet, nginx's
configurator and the exporter; its children are nginx, Prometheus, the pods and the rollouts
controller. In place of its own API server and controllers it can have real ones, which are its
children too. All of it listens in a loopback network of its own, so several sandboxes run side
by side.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rollouts.errors import Permanent
from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.credentials import Kubeconfigs
from rollouts.sandbox.dataplane.data_plane import DataPlane
from rollouts.sandbox.dataplane.nginx import Listener
from rollouts.sandbox.dataplane.nginx_plane import NginxPlane
from rollouts.sandbox.dataplane.traefik_plane import TraefikPlane
from rollouts.sandbox.embedded import EmbeddedControlPlane
from rollouts.sandbox.network import Network, PodNetwork, free_port
from rollouts.sandbox.processes import Process, Processes, Sweeper
from rollouts.sandbox.prometheus import Job, Prometheus
from rollouts.sandbox.prometheus_package import Say, find_prometheus
from rollouts.sandbox.readiness import until_ready
from rollouts.sandbox.scrape_targets import ScrapeTargets
from rollouts.sandbox.state import SandboxState, member
from rollouts.sandbox.tasks import cancel
from rollouts.sandbox.workloads import Node

if TYPE_CHECKING:
    from rollouts.sandbox.cluster import Cluster
    from rollouts.sandbox.control_plane.real import RealControlPlane

CONTROLLER_READY_WITHIN_SECONDS = 30.0


_READINGS_PER_SECOND = 200.0


@dataclass(frozen=True, slots=True)
class ControllerArguments:
    """What the controller of a sandbox has to know; it answers /readyz on `address`:`port`."""

    kubeconfig: Path
    prometheus_url: str
    address: str
    port: int
    scrape_seconds: float
    readings_per_second: float = 0.0


ControllerCommand = Callable[[ControllerArguments], Sequence[str]]


def controller_command(settings: ControllerArguments) -> list[str]:
    """Return the command of the real controller."""
    return [
        *(sys.executable, "-m", "rollouts", "controller"),
        f"--kubeconfig={settings.kubeconfig}",
        f"--prometheus={settings.prometheus_url}",
        f"--address={settings.address}",
        f"--port={settings.port}",
        f"--interval={settings.scrape_seconds:g}s",
        f"--readings-per-second={settings.readings_per_second:g}",
    ]


class Sandbox:
    """
    One embedded cluster in `directory`, which must be new or empty, and is removed at the end.

        async with Sandbox(directory, manifests=…) as sandbox: …

    `manifests` (the CRD, the controller's service account and its permissions) are stored
    before anything runs, beside the kinds of SMI and the Gateway API. `controller` returns the controller's command, None starts none.
    `say` is told what takes time. `control_plane` is the directory of etcd, kube-apiserver and
    kube-controller-manager, which then take the place of the sandbox's own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        manifests: Sequence[JSON] = (),
        controller: ControllerCommand | None = controller_command,
        scrape_seconds: float = 1.0,
        say: Say = lambda _: None,
        control_plane: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.scrape_seconds = scrape_seconds
        self.network = Network.claim()
        self._controller_command = controller
        self._sweeper = Sweeper(self.directory)
        self._processes = Processes(self.directory / "logs", self._sweeper)
        self._controller: Process | None = None
        self._serving: Process | None = None
        self._ready = False
        self._stack = AsyncExitStack()
        here = self.network.control_plane
        self.prometheus = Prometheus(
            lambda: find_prometheus(say),
            self._processes,
            self.directory / "prometheus",
            address=here,
            port=free_port(here, 9090),
            scrape_seconds=scrape_seconds,
        )
        self.control = self._control_plane(control_plane, manifests)
        self.cluster: Cluster = self.control.cluster
        self._pods = PodNetwork(self.network.number, self.control.told_as)
        self.data_plane: DataPlane = self._data_plane()
        self.node = Node(self.cluster, self._pods, self._processes, logs=self.control.logs)
        self.controller_settings = ControllerArguments(
            kubeconfig=self.directory / "controller.kubeconfig",
            prometheus_url=self.prometheus.url,
            address=here,
            port=free_port(here, 8081),
            scrape_seconds=scrape_seconds,
            # A real API server has other addresses for pods than those at which they are.
            readings_per_second=_READINGS_PER_SECOND if control_plane is None else 0.0,
        )

    # -- what it runs on ---------------------------------------------------------------------

    @property
    def embedded(self) -> EmbeddedControlPlane:
        """
        Its own control plane.

        Raises:
            Permanent: it runs on a real one.
        """
        if isinstance(self.control, EmbeddedControlPlane):
            return self.control
        raise Permanent("this sandbox runs on a real control plane, which is asked over its API")

    @property
    def store(self) -> Store:
        """What its own API server has stored; raises as `embedded`."""
        return self.embedded.store

    @property
    def api(self) -> ApiServer:
        """Its own API server; raises as `embedded`."""
        return self.embedded.api

    # -- where things are --------------------------------------------------------------------

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig, for people, kubectl and tests."""
        return self.directory / "kubeconfig"

    @property
    def ingress_url(self) -> str:
        return self.data_plane.url

    @property
    def gateway_url(self) -> str:
        """Where the Gateways are served alone; at `ingress_url` they are served beside Ingresses."""
        return self.data_plane.gateway_url

    @property
    def prometheus_url(self) -> str:
        return self.prometheus.url

    @property
    def controller_url(self) -> str:
        return f"http://{self.controller_settings.address}:{self.controller_settings.port}"

    def describe(self) -> SandboxState:
        """Return what runs where, now; the same is in `sandbox.json`."""
        running: dict[str, Process | None] = {
            self.data_plane.name: self._serving,
            "prometheus": self.prometheus.process,
        }
        running |= {**self.control.processes, "controller": self._controller}
        processes = [
            member(name, process.pid)
            for name, process in running.items()
            if process and process.returncode is None
        ]
        return SandboxState(
            owner=member("sandbox", os.getpid()),
            ready=self._ready,
            network=str(self.network),
            kubeconfig=str(self.kubeconfig),
            urls={
                "api-server": self.control.url,
                "ingress": self.ingress_url,
                "gateway": self.gateway_url,
                "prometheus": self.prometheus_url,
                "exporter": f"http://{self.data_plane.job.targets[0]}/metrics",
                "controller": self.controller_url,
            },
            data_plane=self.data_plane.name,
            scrape_seconds=self.scrape_seconds,
            processes=processes,
        )

    # -- from beginning to end ----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """
        Return when everything answers. When something fails, all is ended before that is raised.

        Raises:
            UsageError: the directory holds something that is not a sandbox's.
            Permanent: nginx, Prometheus or the programs of a control plane can't be had here.
            Unavailable: a part did not get ready; the message names its log.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self.network.release)
            self._sweeper.start()
            stack.push_async_callback(self._sweeper.stop)
            stack.push_async_callback(self._processes.stop_all)
            self._publish()
            stack.push_async_callback(self.control.stop)
            await self.control.start(
                Kubeconfigs(self.kubeconfig, self.controller_settings.kubeconfig)
            )
            await self.node.start()
            stack.push_async_callback(self.node.stop)
            self._serving = await self.data_plane.start()
            stack.push_async_callback(self.data_plane.stop)
            await self._start_metrics(stack)
            if self._controller_command:
                await self.start_controller()
                stack.push_async_callback(self._stop_controller)
            self._ready = True
            self._publish()
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """End every process and remove the directory. Stopping again does nothing."""
        self._ready = False
        await self._stack.aclose()

    # -- faults that tests make ---------------------------------------------------------------

    async def start_controller(self) -> None:
        """
        Start the controller and return when it is ready. Nothing happens when it runs.

        Raises:
            Unavailable: it does not get ready; its log says why.
            Permanent: this sandbox was made without one.
        """
        if self._controller_command is None:
            raise Permanent(
                "this sandbox has no controller: it was started without one;"
                " give Sandbox a controller"
            )
        if self._controller and self._controller.returncode is None:
            return
        process = await self._launch(self._controller_command(self.controller_settings))
        self._controller = process
        self._publish()
        await until_ready(process, f"{self.controller_url}/readyz", CONTROLLER_READY_WITHIN_SECONDS)

    async def kill_controller(self) -> None:
        """Kill the controller (SIGKILL) and return when it is dead."""
        await self._stop_controller(grace_seconds=0)

    def strike_controller(self) -> None:
        """Kill the controller before it can do anything more; `kill_controller` waits for its end."""
        if self._controller and self._controller.returncode is None:
            os.killpg(self._controller.pid, signal.SIGKILL)

    async def stop_prometheus(self) -> None:
        """Stop Prometheus and keep its data."""
        await self.prometheus.stop()
        self._publish()

    async def start_prometheus(self) -> None:
        """Start Prometheus again, and return when it answers."""
        await self.prometheus.start()
        self._publish()

    # -- the parts ------------------------------------------------------------------------------

    async def _launch(self, command: Sequence[str]) -> Process:
        """Start the controller's command."""
        return await self._processes.start("controller", command)

    def _control_plane(
        self, home: Path | None, manifests: Sequence[JSON]
    ) -> "EmbeddedControlPlane | RealControlPlane":
        if home is None:
            address = self.network.control_plane
            return EmbeddedControlPlane(address, manifests, self.prometheus.url)
        from rollouts.sandbox.control_plane.real import (  # noqa: PLC0415 - most do without
            RealControlPlane,
        )

        directory = self.directory / "control-plane"
        return RealControlPlane(home, directory, self.network, self._processes, manifests)

    def _data_plane(self) -> DataPlane:
        here, edge = self.network.control_plane, self.network.data_plane
        return NginxPlane(
            self.cluster,
            self._pods,
            self._processes,
            self.directory / "nginx",
            listener=Listener(
                edge, free_port(edge, 8080), free_port(edge, 8079), free_port(edge, 8088)
            ),
            exporter=(here, free_port(here, 9113)),
        )

    async def _start_metrics(self, stack: AsyncExitStack) -> None:
        pods = self.directory / "prometheus" / "pods.json"
        targets = ScrapeTargets(self.cluster, self._pods, pods)
        targets.write()
        following = asyncio.create_task(targets.run(), name="scrape targets")
        stack.push_async_callback(cancel, following)
        self.prometheus.configure(
            [
                self.data_plane.job,
                Job("rollouts", (_authority(self.controller_url),)),
                Job("pods", targets_file=pods),
            ]
        )
        await self.prometheus.start()
        stack.push_async_callback(self.prometheus.stop)

    async def _stop_controller(self, grace_seconds: float = 5.0) -> None:
        if self._controller:
            await self._processes.stop(self._controller, grace_seconds)
            self._publish()

    def _publish(self) -> None:
        self.describe().write(self.directory)


def _authority(url: str) -> str:
    """Return the address:port of a URL."""
    return url.split("/")[2]


class TraefikSandbox(Sandbox):
    """A sandbox whose Ingresses, HTTPRoutes and GRPCRoutes Traefik serves, on the sandbox's own control plane."""

    def _data_plane(self) -> DataPlane:
        return TraefikPlane(
            self.embedded.cluster,
            self._processes,
            self.directory / "traefik",
            address=self.network.data_plane,
            kubeconfig=self.kubeconfig,
        )
