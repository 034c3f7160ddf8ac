"""
The kubelet (and the scheduler: there is one node): pods run as processes on this machine.

Each pod has an address of its own, which is given to nobody else while a process may still
hold it. Init containers are not run, and volumes not mounted.
"""

import asyncio
from collections.abc import Iterable

import aiohttp
import structlog

from rollouts.backoff import Backoff
from rollouts.model.kinds import JSON, POD, FrozenJSON, Kind
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.objects import dig
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.forks import DemoApps
from rollouts.sandbox.processes import Processes
from rollouts.sandbox.workloads.addresses import Addresses
from rollouts.sandbox.workloads.container import Equipment
from rollouts.sandbox.workloads.control_loop import Key
from rollouts.sandbox.workloads.objects import is_going, uid_of
from rollouts.sandbox.workloads.pod import NODE_NAME, PodRun
from rollouts.sandbox.workloads.pod_status import Place
from rollouts.sandbox.workloads.recorder import Recorder

_log = structlog.get_logger(__name__)


class Kubelet:
    """See the module's promise."""

    name = "kubelet"
    kinds: tuple[Kind, ...] = (POD,)

    def __init__(
        self, store: Store, addresses: Addresses, processes: Processes, backoff: Backoff
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._scheduled = Recorder(store, "default-scheduler")
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._http = aiohttp.ClientSession(connector=connector)
        events = Recorder(store, self.name)
        self._demo_apps = DemoApps(processes)
        self._equipment = Equipment(store, processes, self._demo_apps, events, self._http, backoff)
        self._runs: dict[str, PodRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        meta = change.object["metadata"]
        return [(meta["namespace"], meta["name"])]

    def reconcile(self, key: Key) -> float | None:
        pod = self._store.get(POD, *key)
        for run in [run for run in self._runs.values() if run.key == key]:
            run.observe(pod)
        if pod is None or uid_of(pod) in self._runs:
            return None
        if is_going(pod):
            self._store.delete(POD, *key, grace_seconds=0)
        elif dig(pod, "status.phase") not in ("Succeeded", "Failed"):
            self._begin(pod)
        return None

    async def start(self) -> None:
        """Get ready to start pods."""
        await self._demo_apps.open()

    async def stop(self) -> None:
        """Kill every pod's processes and forget the pods; their objects stay as they are."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._demo_apps.stop()
        await self._http.close()

    def _begin(self, pod: JSON) -> None:
        address = self._addresses.take()
        uid = uid_of(pod)
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            pod = self._store.patch(POD, namespace, name, {"spec": {"nodeName": NODE_NAME}})
            message = f"Successfully assigned {namespace}/{name} to {NODE_NAME}"
            self._scheduled.normal(pod, "Scheduled", message)
        place = Place(address, _node_address(address), self._store.now())
        run = self._runs[uid] = PodRun(self._equipment, pod, place)
        self._tasks[uid] = asyncio.create_task(
            self._run(run, pod, address), name=f"pod {namespace}/{name}"
        )

    async def _run(self, run: PodRun, pod: FrozenJSON, address: str) -> None:
        try:
            await run.run()
        except Exception as error:  # noqa: BLE001 -- one pod never stops the others
            _log.error("pod given up", pod="/".join(run.key), exc_info=error)
            self._give_up(pod)
        finally:
            self._addresses.give_back(address)
            del self._runs[run.uid]
            del self._tasks[run.uid]

    def _give_up(self, pod: FrozenJSON) -> None:
        """Mark a pod that we could not look after as failed, so that another takes its place."""
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        present = self._store.get(POD, namespace, name)
        if present is None or uid_of(present) != uid_of(pod):
            return
        status = {"phase": "Failed", "reason": "KubeletError", "conditions": None}
        self._store.patch(POD, namespace, name, {"status": status}, "status")
        if is_going(present):
            self._store.delete(POD, namespace, name, grace_seconds=0)


def _node_address(pod_address: str) -> str:
    """Return the node's address: the first of the sandbox's network."""
    first, second, *_ = pod_address.split(".")
    return f"{first}.{second}.0.1"
