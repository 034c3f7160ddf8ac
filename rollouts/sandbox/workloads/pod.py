"""One pod on the node: from binding to the moment when its object may go."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON, POD, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import utc_now
from rollouts.sandbox.cluster import RETRY, insist
from rollouts.sandbox.workloads.container import Container, PodRuntime
from rollouts.sandbox.workloads.objects import is_terminating, uid_of
from rollouts.sandbox.workloads.pod_status import ContainerState, Place, pod_status

NODE_NAME = "sandbox"


class PodRun:
    """
    Runs a pod's containers, keeps its status, and finalises it when it was deleted.

    All its tasks end with `run`; so do its processes, even when `run` is cancelled.
    """

    def __init__(self, runtime: PodRuntime, pod: FrozenJSON, place: Place) -> None:
        self.key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.uid = uid_of(pod)
        self._cluster = runtime.cluster
        self._logs = runtime.logs
        self._place = place.as_told(runtime.network)
        self._untold: deque[list[ContainerState]] = deque()
        self._has_changed = asyncio.Event()
        self._told_to_end = asyncio.Event()
        self._grace_seconds = 0.0
        placed: JSON = {**pod, "spec": {**pod["spec"], "nodeName": NODE_NAME}}
        placed["status"] = pod_status(placed, place, (), place.since)
        self._containers = [
            Container(runtime, placed, spec, self._note) for spec in pod["spec"]["containers"]
        ]
        self._gated = bool(pod["spec"].get("readinessGates"))

    def observe(self, pod: FrozenJSON | None) -> None:
        """Take note of the object as it is now; None when it is gone."""
        if pod is None or uid_of(pod) != self.uid:
            self._told_to_end.set()
        elif is_terminating(pod):
            if not self._told_to_end.is_set():
                grace = pod["metadata"].get("deletionGracePeriodSeconds")
                self._grace_seconds = 30.0 if grace is None else grace
            self._told_to_end.set()
        elif self._gated:
            self._note()

    async def run(self) -> None:
        """Run to the end: until the pod is deleted and every process has ended."""
        self._note()
        telling = asyncio.create_task(self._tell(), name=f"status of {'/'.join(self.key)}")
        try:
            async with asyncio.TaskGroup() as group:
                for container in self._containers:
                    group.create_task(container.run())
                group.create_task(self._end())
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        for container in self._containers:
            self._logs.pop((*self.key, container.state.name), None)
        pod = self._present()
        if pod is not None:
            self._note()
            await insist(lambda: self._write_status(self._untold[-1]))
            await insist(lambda: self._cluster.delete(POD, pod, 0))

    async def _end(self) -> None:
        await self._told_to_end.wait()
        await asyncio.gather(*(each.terminate(self._grace_seconds) for each in self._containers))

    def _note(self) -> None:
        """Have it told how the containers are now."""
        self._untold.append([replace(container.state) for container in self._containers])
        self._has_changed.set()

    async def _tell(self) -> None:
        """Write one status after the other; of those that nobody took, the last."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            while self._untold:
                try:
                    await self._write_status(self._untold[0])
                except ApiError:
                    pass  # the pod is gone, or another's by now
                except Unavailable:
                    await asyncio.sleep(RETRY.first_seconds)
                    self._untold = deque([self._untold[-1]])
                    continue
                self._untold.popleft()

    async def _write_status(self, states: Sequence[ContainerState]) -> None:
        """
        Write the status that the pod has when its containers are in these states.

        Raises:
            ApiError: it is refused.
            Unavailable: the API server does not answer.
        """
        pod = self._present()
        if pod is None:
            return
        status = pod_status(pod, self._place, states, utc_now())
        patch = {"metadata": {"uid": self.uid}, "status": status}
        await self._cluster.patch(POD, *self.key, patch, "status")

    def _present(self) -> JSON | None:
        pod = self._cluster.get(POD, *self.key)
        return pod if pod is not None and uid_of(pod) == self.uid else None
