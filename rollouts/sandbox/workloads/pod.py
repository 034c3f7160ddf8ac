"""One pod on the node: from binding to the moment when its object may go."""

import asyncio
import contextlib

from rollouts.model.kinds import JSON, POD, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.workloads.container import Container, Equipment
from rollouts.sandbox.workloads.objects import is_going, uid_of
from rollouts.sandbox.workloads.pod_status import Place, pod_status

NODE_NAME = "sandbox"


class PodRun:
    """
    Runs a pod's containers, keeps its status, and finalises it when it was deleted.

    All its tasks end with `run`; so do its processes, even when `run` is cancelled.
    """

    def __init__(self, equipment: Equipment, pod: FrozenJSON, place: Place) -> None:
        self.key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.uid = uid_of(pod)
        self._store = equipment.store
        self._place = place
        self._told_to_end = asyncio.Event()
        self._grace_seconds = 0.0
        placed: JSON = {**pod, "spec": {**pod["spec"], "nodeName": NODE_NAME}}
        placed["status"] = pod_status(placed, place, (), place.since)
        self._containers = [
            Container(equipment, placed, spec, self.write_status)
            for spec in pod["spec"]["containers"]
        ]
        self._gated = bool(pod["spec"].get("readinessGates"))

    def observe(self, pod: FrozenJSON | None) -> None:
        """Take note of the object as it is now; None when it is gone."""
        if pod is None or uid_of(pod) != self.uid:
            self._told_to_end.set()
        elif is_going(pod):
            if not self._told_to_end.is_set():
                grace = pod["metadata"].get("deletionGracePeriodSeconds")
                self._grace_seconds = 30.0 if grace is None else grace
            self._told_to_end.set()
        elif self._gated:
            self.write_status()

    async def run(self) -> None:
        """Run to the end: until the pod is deleted and every process has ended."""
        self.write_status()
        async with asyncio.TaskGroup() as group:
            for container in self._containers:
                group.create_task(container.run())
            group.create_task(self._end())
        for container in self._containers:
            self._store.logs.pop((*self.key, container.state.name), None)
        with contextlib.suppress(ApiError):
            if self._present() is not None:
                self._store.delete(POD, *self.key, grace_seconds=0)

    async def _end(self) -> None:
        await self._told_to_end.wait()
        await asyncio.gather(*(each.terminate(self._grace_seconds) for each in self._containers))

    def write_status(self) -> None:
        """Write the status when it differs from what is stored."""
        pod = self._present()
        if pod is None:
            return
        states = [container.state for container in self._containers]
        status = pod_status(pod, self._place, states, self._store.now())
        meta = {key: value for key, value in pod["metadata"].items() if key != "resourceVersion"}
        with contextlib.suppress(ApiError):
            self._store.replace(POD, {**pod, "metadata": meta, "status": status}, "status")

    def _present(self) -> JSON | None:
        pod = self._store.get(POD, *self.key)
        return pod if pod is not None and uid_of(pod) == self.uid else None
