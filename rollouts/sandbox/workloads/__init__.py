"""
The workload controllers of the sandbox, in its process, over its store.

They do for the kinds that we use what kube-controller-manager, kube-scheduler and a kubelet
do, and write only when something changes.
"""

import asyncio

from rollouts.backoff import Backoff
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.workloads.addresses import Addresses
from rollouts.sandbox.workloads.container import RESTART
from rollouts.sandbox.workloads.control_loop import Controller, ControlLoop
from rollouts.sandbox.workloads.deployments import Deployments
from rollouts.sandbox.workloads.disruptions import Disruptions
from rollouts.sandbox.workloads.endpoints import EndpointSlices
from rollouts.sandbox.workloads.kubelet import Kubelet
from rollouts.sandbox.workloads.replicasets import ReplicaSets

__all__ = ["Addresses", "Workloads"]


class Workloads:
    """
    ReplicaSets, Deployments, EndpointSlices, PodDisruptionBudgets and pods, kept as their specs say.

    `processes` runs the pods, at addresses from `addresses`; `backoff` is how long a
    container that ended waits to be started again.
    """

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        processes: Processes,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._processes = processes
        self._backoff = backoff or RESTART
        self._kubelet: Kubelet | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every controller; they begin with what the store already has."""
        self._kubelet = Kubelet(self._store, self._addresses, self._processes, self._backoff)
        await self._kubelet.start()
        controllers: tuple[Controller, ...] = (
            EndpointSlices(self._store),
            self._kubelet,
            ReplicaSets(self._store),
            Deployments(self._store),
            Disruptions(self._store),
        )
        self._tasks = [
            asyncio.create_task(ControlLoop(self._store, controller).run(), name=controller.name)
            for controller in controllers
        ]

    async def stop(self) -> None:
        """Stop the controllers, and kill the pods at once. Stopping again does nothing."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._kubelet is not None:
            kubelet, self._kubelet = self._kubelet, None
            await kubelet.stop()
