"""The few questions that several controllers ask of an object's JSON. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.moments import read_time
from rollouts.model.owners import controller_reference, owners_of


def uid_of(obj: FrozenJSON) -> str:
    return cast("str", obj["metadata"]["uid"])


def adopted(obj: FrozenJSON, owner: FrozenJSON, kind: Kind) -> JSON:
    """Return the patch that makes `owner`, which is of this kind, the controller of `obj`."""
    references = [*owners_of(obj), controller_reference(owner, kind)]
    return {"metadata": {"ownerReferences": references}}


def released(obj: FrozenJSON, owner: FrozenJSON) -> JSON:
    """Return the patch that takes `owner` out of the owners of `obj`."""
    kept = [reference for reference in owners_of(obj) if reference["uid"] != uid_of(owner)]
    return {"metadata": {"ownerReferences": kept or None}}


def is_terminating(obj: FrozenJSON) -> bool:
    """Return whether the object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def condition(obj: FrozenJSON, name: str) -> JSON | None:
    """Return the condition of that type in the object's status."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == name:
            return cast("JSON", found)
    return None


def is_true(obj: FrozenJSON, name: str) -> bool:
    found = condition(obj, name)
    return found is not None and found["status"] == "True"


def ready_since(pod: FrozenJSON) -> datetime | None:
    """Return when the pod became ready; None when it is not, or is being deleted."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True" or is_terminating(pod):
        return None
    return read_time(found.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def is_active(pod: FrozenJSON) -> bool:
    """Return whether the pod counts as a replica: it neither has ended nor is going."""
    phase = (pod.get("status") or {}).get("phase")
    return not is_terminating(pod) and phase not in ("Succeeded", "Failed")


def includes(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def merged_conditions(present: Iterable[FrozenJSON], ours: Iterable[JSON], now: str) -> list[JSON]:
    """
    Return the conditions with ours put in; others' stay.

    `lastTransitionTime` is `now` only where the status differs from what is present.
    """
    before = {found["type"]: dict(found) for found in present}
    for new in ours:
        old = before.get(new["type"])
        same = old is not None and old["status"] == new["status"]
        since = old.get("lastTransitionTime", now) if old and same else now
        before[new["type"]] = {**new, "lastTransitionTime": since}
    return list(before.values())
