"""
The kubelet (and the scheduler: there is one node): pods run as processes on this machine.

Each pod has an address of its own, which is given to nobody else while a process may still
hold it. Init containers are not run, and volumes not mounted.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

from rollouts.model.kinds import POD, FrozenJSON, Kind
from rollouts.sandbox.apiserver.etcd import Change, utc_now
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.cluster import insist
from rollouts.sandbox.tasks import cancel_all
from rollouts.sandbox.workloads.addresses import Addresses
from rollouts.sandbox.workloads.container import PodRuntime
from rollouts.sandbox.workloads.control_loop import Key
from rollouts.sandbox.workloads.objects import is_terminating, uid_of
from rollouts.sandbox.workloads.pod import NODE_NAME, PodRun
from rollouts.sandbox.workloads.pod_status import Place
from rollouts.sandbox.workloads.recorder import Recorder

_log = structlog.get_logger(__name__)


class Kubelet:
    """See the module's promise."""

    name = "kubelet"
    kinds: tuple[Kind, ...] = (POD,)

    def __init__(self, runtime: PodRuntime, scheduled: Recorder) -> None:
        self._runtime = runtime
        self._cluster = runtime.cluster
        self._addresses = Addresses(runtime.network.number)
        self._scheduled = scheduled
        self._runs: dict[str, PodRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        meta = change.object["metadata"]
        return [(meta["namespace"], meta["name"])]

    def reconcile(self, key: Key) -> float | None:
        pod = self._cluster.get(POD, *key)
        for run in [run for run in self._runs.values() if run.key == key]:
            run.observe(pod)
        if pod is None or uid_of(pod) in self._tasks or not _is_ours(pod):
            return None
        if is_terminating(pod):
            self._do(pod, self._let_go(pod))
        elif get_path(pod, "status.phase") not in ("Succeeded", "Failed"):
            self._begin(pod)
        return None

    async def stop(self) -> None:
        """Kill every pod's processes and forget the pods; their objects stay as they are."""
        await cancel_all(self._tasks.values())

    def _begin(self, pod: FrozenJSON) -> None:
        address = self._addresses.take()
        place = Place(address, _node_address(address), utc_now())
        run = self._runs[uid_of(pod)] = PodRun(self._runtime, pod, place)
        self._do(pod, self._run(run, pod, address))

    def _do(self, pod: FrozenJSON, work: Coroutine[Any, Any, None]) -> None:
        """Do what there is to do about a pod, which is one thing at a time."""
        uid = uid_of(pod)
        task = asyncio.create_task(work, name=f"pod {uid}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uid))

    async def _run(self, run: PodRun, pod: FrozenJSON, address: str) -> None:
        try:
            if await self._is_bound(pod):
                await run.run()
        except Exception as error:  # noqa: BLE001 -- one pod never stops the others
            _log.error("pod given up", pod="/".join(run.key), exc_info=error)
            await self._give_up(pod)
        finally:
            self._addresses.give_back(address)
            del self._runs[run.uid]

    async def _is_bound(self, pod: FrozenJSON) -> bool:
        """Return whether the pod is on our node, where it is put unless it is somewhere."""
        if pod["spec"].get("nodeName"):
            return True
        if not await insist(lambda: self._cluster.bind(pod, NODE_NAME)):
            return False  # it is gone, or was bound when nobody answered: then we hear of it
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        message = f"Successfully assigned {name} to {NODE_NAME}"
        self._scheduled.normal(pod, "Scheduled", message)
        return True

    async def _give_up(self, pod: FrozenJSON) -> None:
        """Mark a pod that we could not look after as failed, so that another takes its place."""
        meta = pod["metadata"]
        status = {"phase": "Failed", "reason": "KubeletError", "conditions": None}
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        await insist(
            lambda: self._cluster.patch(POD, meta["namespace"], meta["name"], patch, "status")
        )
        present = self._cluster.get(POD, meta["namespace"], meta["name"])
        if present is not None and uid_of(present) == uid_of(pod) and is_terminating(present):
            await self._let_go(pod)

    async def _let_go(self, pod: FrozenJSON) -> None:
        await insist(lambda: self._cluster.delete(POD, pod, 0))


def _is_ours(pod: FrozenJSON) -> bool:
    return pod["spec"].get("nodeName", "") in ("", NODE_NAME)


def _node_address(pod_address: str) -> str:
    """Return the node's address: the first of the sandbox's network."""
    first, second, *_ = pod_address.split(".")
    return f"{first}.{second}.0.1"
