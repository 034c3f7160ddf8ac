"""
What a cluster does to pods, in virtual time: they start, crash, lose their nodes, are evicted.

ReplicaSets make and remove pods, Services find them, Deployments have their ReplicaSets, as the
real controllers do, at every `tick`. A pod does what the version does that its image names.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from rollouts.model.kinds import ENDPOINT_SLICE, HASH_LABEL, JSON, POD, REPLICA_SET, FrozenJSON, Ref
from tests.fakes.cluster import FakeCluster
from tests.fakes.deployments import Deployments
from tests.fakes.kubernetes import has_ended

NODES = 4
GONE_AFTER = timedelta(seconds=10)
"""How long the pods of a node that went are kept as unready before they are deleted."""
LONGEST_START = timedelta(seconds=120)
NO_PODS: JSON = {"replicas": 0, "readyReplicas": 0, "availableReplicas": 0}
"""What a ReplicaSet says that has none."""


@dataclass(frozen=True)
class Behaviour:
    """What a version of the app does: how long it takes to start, how often it fails, whether it crashes."""

    ready_after: float = 2.0
    error_rate: float = 0.0
    crashes: bool = False
    """It does as soon as it has users."""
    problem: str = ""
    """What its containers wait for, for ever."""


@dataclass
class Life:
    """What a kubelet knows of a pod."""

    node: int
    ready_at: datetime
    since: datetime
    lost_at: datetime | None = None
    crash_looping: bool = False
    restarts: int = 0
    told: tuple[JSON, object] | None = None
    """The pod as it was last given its status, and what that says."""

    def ready(self, now: datetime) -> bool:
        return not self.crash_looping and self.lost_at is None and now >= self.ready_at


class Kubelets(Deployments):
    """Pods on nodes. `quota` is the most pods that there may be; None: as many as are wanted."""

    def __init__(
        self, cluster: FakeCluster, now: Callable[[], datetime], dice: random.Random
    ) -> None:
        super().__init__(cluster)
        self.now, self.dice = now, dice
        self.behaviours: dict[str, Behaviour] = {}
        self.lives: dict[str, Life] = {}
        self.quota: int | None = None
        self.has_users: Callable[[str], bool] = lambda _: False
        self._owned: dict[str, list[JSON]] = {}
        self._settled: object = None

    @property
    def made(self) -> int:
        """How many pods have been made in all."""
        return self._pods_made

    def tick(self) -> None:
        """Bring pods, counts and endpoints to what they are now."""
        for name, life in list(self.lives.items()):
            if life.lost_at is not None and self.now() >= life.lost_at + GONE_AFTER:
                self.remove(name)
        self.settle()

    def settle(self) -> None:
        present = (self.cluster.told, self.now(), self.quota, dict(self.behaviours))
        if present == self._settled:
            return  # it has changed nothing by that a moment ago
        self._owned = self._by_owner()
        super().settle()
        self._settled = present

    def next_start(self) -> datetime | None:
        """Return when the next pod becomes ready, of those that do so soon."""
        now = self.now()
        starts = [
            each.ready_at
            for each in self.lives.values()
            if now < each.ready_at < now + LONGEST_START and not each.crash_looping
        ]
        return min(starts, default=None)

    def behaviour(self, pod: FrozenJSON) -> Behaviour:
        return self.behaviours[image_of(pod)]

    def _by_owner(self) -> dict[str, list[JSON]]:
        """Return the pods that have not ended, by their ReplicaSet's uid, the first to go at the end."""
        found = defaultdict(list)
        names = set()
        for pod in self.cluster.select(POD, self.namespace):
            if not has_ended(pod):
                found[pod["metadata"]["ownerReferences"][0]["uid"]].append(pod)
                names.add(pod["metadata"]["name"])
        for evicted in self.lives.keys() - names:
            del self.lives[evicted]
        for pods in found.values():
            pods.sort(key=lambda pod: not is_ready(pod))
        return found

    def _pods_of(self, replica_set: JSON) -> None:
        pods = self._owned.setdefault(replica_set["metadata"]["uid"], [])
        wanted = replica_set["spec"]["replicas"]
        if not pods and not wanted and replica_set.get("status") == NO_PODS:
            return  # as most of those are that a week leaves behind
        for pod in pods[wanted:]:
            self.remove(pod["metadata"]["name"])
        del pods[wanted:]
        while len(pods) < wanted and self._has_room():
            pods.append(self._made(replica_set))
        pods[:] = [self._lived(pod) for pod in pods]
        self._counted(replica_set, pods)

    def _has_room(self) -> bool:
        return self.quota is None or len(self.lives) < self.quota

    def _made(self, replica_set: JSON) -> JSON:
        pod = self._pod(replica_set)
        behaviour = self.behaviour(pod)
        delay = timedelta(seconds=behaviour.ready_after * self.dice.uniform(0.5, 1.5))
        node = self.dice.randrange(NODES)
        self.lives[pod["metadata"]["name"]] = Life(node, self.now() + delay, self.now())
        return pod

    def _lived(self, pod: JSON) -> JSON:
        """Return the pod with the status that its kubelet gives it now."""
        life, behaviour = self.lives[pod["metadata"]["name"]], self.behaviour(pod)
        if behaviour.crashes and is_ready(pod) and self.has_users(hash_of(pod)):
            life.crash_looping, life.restarts = True, life.restarts + 2
        elif life.crash_looping and not behaviour.crashes:
            life.crash_looping = False  # its next restart is one of a version that stays up
        ready = life.ready(self.now()) and not behaviour.problem
        if ready != is_ready(pod):
            life.since = self.now()
        says = (life.since, life.lost_at, life.crash_looping, behaviour.problem, ready)
        if life.told is not None and life.told[0] is pod and life.told[1] == says:
            return pod
        status = pod_status(life, behaviour, ready=ready)
        if pod["status"] != status:
            ref = Ref(POD, self.namespace, pod["metadata"]["name"])
            pod = self.cluster.edit(ref, {"status": status})
        life.told = (pod, says)
        return pod

    def _first_status(self, image: str) -> JSON:
        life = Life(0, self.now(), self.now())
        return pod_status(life, self.behaviours[image], ready=False)

    def _counted(self, replica_set: JSON, pods: list[JSON]) -> None:
        least = timedelta(seconds=replica_set["spec"].get("minReadySeconds") or 0)
        ready = [pod for pod in pods if is_ready(pod)]
        since = [self.lives[pod["metadata"]["name"]].since for pod in ready]
        status = {
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": sum(each + least <= self.now() for each in since),
        }
        if replica_set.get("status") != status:
            name = replica_set["metadata"]["name"]
            self.cluster.edit(Ref(REPLICA_SET, self.namespace, name), {"status": status})

    # What happens to pods.

    def remove(self, name: str) -> None:
        """Let a pod go: a kubelet has ended it."""
        self.lives.pop(name, None)
        ref = Ref(POD, self.namespace, name)
        if self.cluster.get(ref) is not None:
            self.cluster.drop(ref)

    def forget(self, service: str) -> None:
        """Remove the EndpointSlice of a Service that is gone."""
        self.cluster.drop(Ref(ENDPOINT_SLICE, self.namespace, f"{service}-abcde"))

    def pods(self, hash_: str | None = None) -> list[JSON]:
        """Return the pods that run, of one revision or of all."""
        labels = {HASH_LABEL: hash_} if hash_ is not None else {}
        found = self.cluster.select(POD, self.namespace, labels)
        return [pod for pod in found if pod["metadata"]["name"] in self.lives]

    def evict(self, pod: JSON) -> None:
        """End a pod as a kubelet does whose node runs out of memory: its object stays."""
        self.lives.pop(pod["metadata"]["name"], None)
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "lastTransitionTime": time_of(self.now()),
        }
        ready = {
            "type": "Ready",
            "status": "False",
            "reason": "PodFailed",
            "lastTransitionTime": time_of(self.now()),
        }
        status = {"phase": "Failed", "reason": "Evicted", "conditions": [ready, target]}
        self.cluster.edit(Ref(POD, self.namespace, pod["metadata"]["name"]), {"status": status})

    def lose_node(self, node: int) -> None:
        """Let a node go: its pods are not ready, and deleted after a while."""
        self._settled = None
        for life in self.lives.values():
            if life.node == node and life.lost_at is None:
                life.lost_at = self.now()

    def blink(self, pod: JSON, seconds: float) -> None:
        """Have a pod miss its readiness probe for so long."""
        self._settled = None
        life = self.lives[pod["metadata"]["name"]]
        life.ready_at = max(life.ready_at, self.now() + timedelta(seconds=seconds))


def pod_status(life: Life, behaviour: Behaviour, *, ready: bool) -> JSON:
    """Return what a kubelet says of a pod."""
    lost = life.lost_at is not None  # of the pods of such a node nothing else is known
    why: JSON = {"lastTransitionTime": time_of(life.since)}
    if not (ready or lost):
        why["reason"] = "ContainersNotReady"
    conditions = [
        {"type": "Ready", "status": str(ready), **why},
        {"type": "ContainersReady", "status": str(ready or lost), **why},
    ]
    state: JSON = {"running": {}}
    if life.crash_looping or behaviour.problem:
        state = {"waiting": {"reason": behaviour.problem or "CrashLoopBackOff"}}
    container = {"name": "web", "restartCount": life.restarts, "state": state}
    return {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}


@lru_cache(maxsize=1024)
def time_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def image_of(pod: FrozenJSON) -> str:
    """Return the version that a pod runs, or pods of a template will."""
    return str(pod["spec"]["containers"][0]["image"])


def hash_of(pod: FrozenJSON) -> str:
    """Return the revision that a pod is of; empty for one of a Deployment's own."""
    return str(pod["metadata"]["labels"].get(HASH_LABEL, ""))


def is_ready(pod: FrozenJSON) -> bool:
    for each in pod["status"].get("conditions") or ():
        if each["type"] == "Ready":
            return bool(each["status"] == "True")
    return False


def going(pods: list[JSON], wanted: int) -> Iterator[JSON]:
    """Yield the pods that a ReplicaSet of this size will remove: those that are not ready first."""
    yield from sorted(pods, key=lambda pod: not is_ready(pod))[wanted:]
