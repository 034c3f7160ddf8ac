"""
The ReplicaSet controller: as many pods as `spec.replicas` says, and a status that counts them.

Pods that the selector selects and nobody controls are adopted; pods that it no longer
selects are released. When there are too many, those go first that are worth least: not yet
bound, not running, not ready, of a low pod-deletion-cost, ready for less long, restarted more
often, younger.
"""

import re
from datetime import datetime

from rollouts.model.kinds import JSON, POD, REPLICA_SET, FrozenJSON, Kind
from rollouts.model.moments import read_time
from rollouts.model.owners import controller_reference, is_controlled_by
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path, labels_of, timestamp
from rollouts.sandbox.workloads.object_controllers import OwningController
from rollouts.sandbox.workloads.objects import (
    condition,
    includes,
    is_active,
    ready_since,
)

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_RETRY_CREATE_SECONDS = 1.0


class ReplicaSets(OwningController):
    """See the module's promise."""

    name = "replicaset-controller"
    kinds: tuple[Kind, ...] = (REPLICA_SET, POD)

    def reconcile_object(self, owner: JSON) -> float | None:
        pods = [pod for pod in self.claim(owner) if is_active(pod)]
        failure = self._scale(owner, pods)
        pods = [pod for pod in self._owned(owner) if is_active(pod)]
        now = self._store.now()
        self._write_status(owner, pods, failure)
        again = soonest_available(owner, pods, now)
        return _RETRY_CREATE_SECONDS if failure else again

    def _owned(self, owner: FrozenJSON) -> list[JSON]:
        pods = self._store.select(POD, owner["metadata"]["namespace"])
        return [pod for pod in pods if is_controlled_by(pod, owner)]

    def can_be_adopted(self, obj: FrozenJSON) -> bool:
        return is_active(obj)

    def _scale(self, owner: FrozenJSON, pods: list[JSON]) -> str:
        """Create or delete pods; return why one could not be created."""
        missing = owner["spec"].get("replicas", 1) - len(pods)
        for _ in range(missing):
            try:
                pod = self._store.create(POD, new_pod(owner))
            except ApiError as error:
                self._events.warning(owner, "FailedCreate", f"Error creating: {error.message}")
                return error.message
            message = f"Created pod: {pod['metadata']['name']}"
            self._events.normal(owner, "SuccessfulCreate", message)
        for pod in sorted(pods, key=worth)[: max(-missing, 0)]:
            name = pod["metadata"]["name"]
            self._store.delete(POD, pod["metadata"]["namespace"], name)
            self._events.normal(owner, "SuccessfulDelete", f"Deleted pod: {name}")
        return ""

    def _write_status(self, owner: FrozenJSON, pods: list[JSON], failure: str) -> None:
        now = self._store.now()
        status = counted(owner, pods, now)
        if failure:
            status["conditions"] = [_replica_failure(owner, failure, now)]
        meta = {key: value for key, value in owner["metadata"].items() if key != "resourceVersion"}
        self._store.replace(REPLICA_SET, {**owner, "metadata": meta, "status": status}, "status")


def new_pod(owner: FrozenJSON) -> JSON:
    """Return a pod made from a ReplicaSet's template."""
    template = owner["spec"]["template"]
    meta = template.get("metadata") or {}
    return {
        "metadata": {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "ownerReferences": [controller_reference(owner, REPLICA_SET)],
        },
        "spec": template["spec"],
    }


def worth(pod: FrozenJSON) -> tuple[float, ...]:
    """
    Return what pods are sorted by when some have to go: the first goes first.

    Source: the order that ReplicaSet's page in the Kubernetes documentation gives. There is
    one node, so nothing is spread; and times are compared as they are, not by magnitude.
    """
    ready = ready_since(pod)
    restarts = [
        each.get("restartCount", 0) for each in get_path(pod, "status.containerStatuses", [])
    ]
    return (
        bool(get_path(pod, "spec.nodeName")),
        _PHASES.get(get_path(pod, "status.phase", ""), 1),
        ready is not None,
        _deletion_cost(pod),
        -ready.timestamp() if ready else 0,
        -max(restarts, default=0),
        -read_time(pod["metadata"]["creationTimestamp"]).timestamp(),
    )


def _deletion_cost(pod: FrozenJSON) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    return int(text) if re.fullmatch(r"-?\d{1,10}", text) else 0


def counted(owner: FrozenJSON, pods: list[JSON], now: datetime) -> JSON:
    """Return the numbers of a ReplicaSet's status; as in Kubernetes, a zero is left out."""
    labels = get_path(owner, "spec.template.metadata.labels", {})
    wait = owner["spec"].get("minReadySeconds", 0)
    ready = [since for pod in pods if (since := ready_since(pod)) is not None]
    numbers = {
        "fullyLabeledReplicas": sum(includes(labels_of(pod), labels) for pod in pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum((now - since).total_seconds() >= wait for since in ready),
    }
    status: JSON = {name: number for name, number in numbers.items() if number}
    generation = owner["metadata"].get("generation", 1)
    return {"replicas": len(pods), "observedGeneration": generation, **status}


def soonest_available(owner: FrozenJSON, pods: list[JSON], now: datetime) -> float | None:
    """Return in how many seconds the next ready pod will have been ready long enough."""
    wait = owner["spec"].get("minReadySeconds", 0)
    left = [
        wait - (now - since).total_seconds()
        for pod in pods
        if (since := ready_since(pod)) is not None
    ]
    return min((seconds for seconds in left if seconds > 0), default=None)


def _replica_failure(owner: FrozenJSON, failure: str, now: datetime) -> JSON:
    before = condition(owner, "ReplicaFailure")
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": failure,
        "lastTransitionTime": before["lastTransitionTime"] if before else timestamp(now),
    }
