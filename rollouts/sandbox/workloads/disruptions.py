"""
The disruption controller: how many pods each PodDisruptionBudget lets go now.

What a share is a share of, and what may be unavailable of, is the size that the pods'
controllers want, not the number of pods that there are. Source: "Specifying a Disruption
Budget for your Application" in the Kubernetes documentation.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from rollouts.model.kinds import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JSON,
    POD,
    REPLICA_SET,
    FrozenJSON,
    Kind,
)
from rollouts.model.moments import read_time
from rollouts.model.owners import controller_of
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.eviction import is_about
from rollouts.sandbox.apiserver.objects import get_path, timestamp
from rollouts.sandbox.workloads.control_loop import Key
from rollouts.sandbox.workloads.object_controllers import ObjectController
from rollouts.sandbox.workloads.objects import (
    is_terminating,
    is_true,
    merged_conditions,
)

_EVICTED_WITHIN = timedelta(minutes=2)


class Disruptions(ObjectController):
    """See the module's promise."""

    name = "disruption-controller"
    kinds: tuple[Kind, ...] = (DISRUPTION_BUDGET, POD, REPLICA_SET, DEPLOYMENT)

    def keys(self, change: Change) -> Iterable[Key]:
        namespace = change.object["metadata"]["namespace"]
        if change.kind == DISRUPTION_BUDGET:
            return [(namespace, change.object["metadata"]["name"])]
        budgets = self._store.scan(self._store.registry.of(DISRUPTION_BUDGET), namespace)
        return [(namespace, budget["metadata"]["name"]) for budget in budgets]

    def reconcile_object(self, budget: JSON) -> float | None:
        everybodys = self._store.select(POD, budget["metadata"]["namespace"])
        pods = [pod for pod in everybodys if is_about(budget, pod)]
        now = self._store.now()
        evicted = _still_there(budget, pods, now)
        healthy = [
            pod
            for pod in pods
            if is_true(pod, "Ready")
            and not is_terminating(pod)
            and pod["metadata"]["name"] not in evicted
        ]
        expected, desired = self._goal(budget, pods)
        allowed = max(len(healthy) - desired, 0) if expected else 0
        status: JSON = {
            "observedGeneration": budget["metadata"]["generation"],
            "expectedPods": expected,
            "desiredHealthy": desired,
            "currentHealthy": len(healthy),
            "disruptionsAllowed": allowed,
            "conditions": _conditions(budget, allowed, now),
        }
        if evicted:
            status["disruptedPods"] = evicted
        meta = {
            name: value for name, value in budget["metadata"].items() if name != "resourceVersion"
        }
        body = {**budget, "metadata": meta, "status": status}
        self._store.replace(DISRUPTION_BUDGET, body, "status")
        return _EVICTED_WITHIN.total_seconds() if evicted else None

    def _goal(self, budget: FrozenJSON, pods: list[JSON]) -> tuple[int, int]:
        """Return how many pods there should be, and how many of them healthy."""
        spec = budget["spec"]
        if spec.get("maxUnavailable") is not None:
            expected = self._wanted(pods)
            return expected, max(expected - amount(spec["maxUnavailable"], expected), 0)
        least = spec.get("minAvailable")
        if isinstance(least, str):
            expected = self._wanted(pods)
            return expected, amount(least, expected)
        return len(pods), least or 0

    def _wanted(self, pods: list[JSON]) -> int:
        """Return the sum of the sizes that the pods' controllers want."""
        sizes: dict[str, int] = {}
        for pod in pods:
            if (owner := self._controller(pod)) is not None:
                uid, size = owner
                sizes[uid] = size
        return sum(sizes.values())

    def _controller(self, pod: FrozenJSON) -> tuple[str, int] | None:
        """Return uid and size of what controls a pod; a Deployment is behind its ReplicaSets."""
        found, namespace = None, pod["metadata"]["namespace"]
        reference = controller_of(pod)
        for kind in (REPLICA_SET, DEPLOYMENT):
            if reference is None or reference["kind"] != kind.name:
                break
            found = self._store.get(kind, namespace, reference["name"]) or found
            reference = controller_of(found) if found else None
        return (found["metadata"]["uid"], get_path(found, "spec.replicas", 1)) if found else None


def amount(value: int | str, whole: int) -> int:
    """Return a number, or a percentage of `whole`, rounded up."""
    if isinstance(value, str):
        return math.ceil(whole * int(value.removesuffix("%")) / 100)
    return value


def _still_there(budget: FrozenJSON, pods: list[JSON], now: datetime) -> dict[str, str]:
    """Return the pods whose eviction was allowed a moment ago, and which nobody has deleted yet."""
    present = {pod["metadata"]["name"] for pod in pods if not is_terminating(pod)}
    marked: dict[str, str] = get_path(budget, "status.disruptedPods", {})
    return {
        name: since
        for name, since in marked.items()
        if name in present and now - read_time(since) < _EVICTED_WITHIN
    }


def _conditions(budget: FrozenJSON, allowed: int, now: datetime) -> list[JSON]:
    condition = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": budget["metadata"]["generation"],
    }
    return merged_conditions(get_path(budget, "status.conditions", []), [condition], timestamp(now))
