"""What a Deployment's status says, from its ReplicaSets. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.moments import read_time
from rollouts.sandbox.apiserver.objects import get_path, timestamp
from rollouts.sandbox.workloads.objects import condition
from rollouts.sandbox.workloads.rolling_update import limits

_COMPLETE, _TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"


def status_of(
    owner: FrozenJSON, new: FrozenJSON | None, sets: Sequence[FrozenJSON], now: datetime
) -> JSON:
    """Return the status; as in Kubernetes, a count of zero is left out."""
    spec = owner["spec"]
    replicas = _sum(sets, "replicas")
    available = _sum(sets, "availableReplicas")
    numbers = {
        "replicas": replicas,
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(_wanted(sets) - available, 0),
    }
    status: JSON = {name: number for name, number in numbers.items() if number}
    status["observedGeneration"] = owner["metadata"].get("generation", 1)
    available_enough = available >= limits(spec).replicas - limits(spec).unavailable
    status["conditions"] = [
        _dated(owner, _available(enough=available_enough), now),
        *_progressing(owner, new, status, now),
    ]
    return status


def until_deadline(owner: FrozenJSON, now: datetime) -> float | None:
    """Return in how many seconds the progress deadline is over; None when none is running."""
    found = condition(owner, "Progressing")
    if found is None or found["reason"] in (_COMPLETE, _TIMED_OUT) or owner["spec"].get("paused"):
        return None
    since = read_time(found["lastUpdateTime"])
    deadline = since + timedelta(seconds=owner["spec"].get("progressDeadlineSeconds", 600))
    return max((deadline - now).total_seconds(), 0.0) + 1.0


def _sum(sets: Sequence[FrozenJSON], field: str) -> int:
    return sum(get_path(found, f"status.{field}", 0) for found in sets)


def _wanted(sets: Sequence[FrozenJSON]) -> int:
    return sum(found["spec"].get("replicas", 1) for found in sets)


def _available(*, enough: bool) -> JSON:
    if enough:
        return {
            "type": "Available",
            "status": "True",
            "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        }
    return {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "Deployment does not have minimum availability.",
    }


def _progressing(
    owner: FrozenJSON, new: FrozenJSON | None, status: FrozenJSON, now: datetime
) -> list[JSON]:
    before = condition(owner, "Progressing")
    if new is None:
        return [before] if before else []
    name = new["metadata"]["name"]
    if _complete(owner, status):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return [_dated(owner, _progress("True", _COMPLETE, message), now)]
    if before is None or _progressed(owner, status) or before["reason"] == _COMPLETE:
        message = f'ReplicaSet "{name}" is progressing.'
        fresh = _dated(owner, _progress("True", "ReplicaSetUpdated", message), now)
        return [{**fresh, "lastUpdateTime": timestamp(now)}]
    if owner["spec"].get("paused"):
        return [before]
    limit = timedelta(seconds=owner["spec"].get("progressDeadlineSeconds", 600))
    if read_time(before["lastUpdateTime"]) + limit < now:
        message = f'ReplicaSet "{name}" has timed out progressing.'
        return [_dated(owner, _progress("False", _TIMED_OUT, message), now)]
    return [before]


def _progress(status: str, reason: str, message: str) -> JSON:
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


def _complete(owner: FrozenJSON, status: FrozenJSON) -> bool:
    wanted = owner["spec"].get("replicas", 1)
    return all(
        status.get(field, 0) == wanted
        for field in ("updatedReplicas", "replicas", "availableReplicas")
    )


def _progressed(owner: FrozenJSON, status: FrozenJSON) -> bool:
    """Return whether more of the new is there, or less of the old, than at the last look."""
    before = owner.get("status") or {}

    def old(seen: FrozenJSON) -> int:
        return int(seen.get("replicas", 0)) - int(seen.get("updatedReplicas", 0))

    return (
        status.get("updatedReplicas", 0) > before.get("updatedReplicas", 0)
        or old(status) < old(before)
        or status.get("readyReplicas", 0) > before.get("readyReplicas", 0)
        or status.get("availableReplicas", 0) > before.get("availableReplicas", 0)
        or before.get("observedGeneration") != status["observedGeneration"]
    )


def _dated(owner: FrozenJSON, new: JSON, now: datetime) -> JSON:
    """Return the condition with its times: both stay as long as nothing changes."""
    before = condition(owner, new["type"])
    moment = timestamp(now)
    if before is None:
        return {**new, "lastUpdateTime": moment, "lastTransitionTime": moment}
    same = all(before.get(field) == new[field] for field in ("status", "reason", "message"))
    turned = before["status"] != new["status"]
    return {
        **new,
        "lastUpdateTime": before["lastUpdateTime"] if same else moment,
        "lastTransitionTime": moment if turned else before["lastTransitionTime"],
    }
