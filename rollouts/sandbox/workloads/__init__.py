"""
The workload controllers of the sandbox, in its process, over its store; and its node.

They do for the kinds that we use what kube-controller-manager, kube-scheduler and a kubelet
do, and write only when something changes.
"""

import asyncio

from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.tasks import cancel_all
from rollouts.sandbox.workloads.control_loop import Controller, ControlLoop
from rollouts.sandbox.workloads.deployments import Deployments
from rollouts.sandbox.workloads.disruptions import Disruptions
from rollouts.sandbox.workloads.endpoints import EndpointSlices
from rollouts.sandbox.workloads.node import Node
from rollouts.sandbox.workloads.replicasets import ReplicaSets

__all__ = ["Controllers", "Node"]


class Controllers:
    """ReplicaSets, Deployments, EndpointSlices and PodDisruptionBudgets, kept as their specs say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every controller; they begin with what the store already has."""
        controllers: tuple[Controller, ...] = (
            EndpointSlices(self._store),
            ReplicaSets(self._store),
            Deployments(self._store),
            Disruptions(self._store),
        )
        self._tasks = [
            asyncio.create_task(ControlLoop(self._store, controller).run(), name=controller.name)
            for controller in controllers
        ]

    async def stop(self) -> None:
        """Stop the controllers. Stopping again does nothing."""
        tasks, self._tasks = self._tasks, []
        await cancel_all(tasks)
