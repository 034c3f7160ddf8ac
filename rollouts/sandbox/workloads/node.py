"""The sandbox's one node: its kubelet, and what that needs to run pods as processes here."""

import asyncio

import aiohttp

from rollouts.backoff import Backoff
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.forks import DemoApps
from rollouts.sandbox.network import PodNetwork
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.tasks import cancel_all
from rollouts.sandbox.workloads.container import RESTART, Logs, PodRuntime
from rollouts.sandbox.workloads.control_loop import ControlLoop
from rollouts.sandbox.workloads.kubelet import Kubelet
from rollouts.sandbox.workloads.recorder import PostedEvents, Recorder


class Node:
    """
    Runs the pods of `cluster` among `processes`, at addresses of `network`.

    `logs` is told where their output is. `backoff` is how long a container that ended waits to be
    started again.
    """

    def __init__(
        self,
        cluster: Cluster,
        network: PodNetwork,
        processes: Processes,
        *,
        logs: Logs | None = None,
        backoff: Backoff = RESTART,
    ) -> None:
        self._cluster = cluster
        self._network = network
        self._processes = processes
        self._logs = {} if logs is None else logs
        self._backoff = backoff
        self._demo_apps = DemoApps(processes)
        self._http: aiohttp.ClientSession | None = None
        self._kubelet: Kubelet | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin with the pods that are there."""
        await self._demo_apps.open()
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._http = aiohttp.ClientSession(connector=connector)
        events = PostedEvents(self._cluster)
        runtime = PodRuntime(
            cluster=self._cluster,
            network=self._network,
            logs=self._logs,
            processes=self._processes,
            demo_apps=self._demo_apps,
            events=Recorder(events, Kubelet.name),
            http=self._http,
            backoff=self._backoff,
        )
        self._kubelet = Kubelet(runtime, Recorder(events, "default-scheduler"))
        self._tasks = [
            asyncio.create_task(ControlLoop(self._cluster, self._kubelet).run(), name="kubelet"),
            asyncio.create_task(events.run(), name="events of the kubelet"),
        ]

    async def stop(self) -> None:
        """Kill the pods at once. Stopping again does nothing."""
        tasks, self._tasks = self._tasks, []
        await cancel_all(tasks)
        if self._kubelet is not None and self._http is not None:
            kubelet, self._kubelet = self._kubelet, None
            await kubelet.stop()
            await self._demo_apps.stop()
            await self._http.close()
