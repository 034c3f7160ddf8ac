"""Events about objects, as `kubectl describe` shows them."""

import uuid
from typing import Literal

from rollouts.model.kinds import EVENT, JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.store import Store

_REMEMBERED = 2000
EventType = Literal["Normal", "Warning"]
_Same = tuple[str, str, str, str]


class Recorder:
    """
    Records events in the name of one component.

    The same event about the same object is counted up. Never raises what the store
    refuses: an event is worth no failure.
    """

    def __init__(self, store: Store, component: str) -> None:
        self._store = store
        self._component = component
        self._names: dict[_Same, str] = {}

    def normal(self, about: FrozenJSON, reason: str, message: str) -> None:
        self._record(about, "Normal", reason, message)

    def warning(self, about: FrozenJSON, reason: str, message: str) -> None:
        self._record(about, "Warning", reason, message)

    def _record(self, about: FrozenJSON, kind: EventType, reason: str, message: str) -> None:
        same = (about["metadata"]["uid"], kind, reason, message)
        try:
            if not self._count_up(about, same):
                self._create(about, same)
        except ApiError:
            return  # its namespace is going, or somebody removed the event meanwhile

    def _count_up(self, about: FrozenJSON, same: _Same) -> bool:
        namespace = about["metadata"].get("namespace") or "default"
        name = self._names.get(same)
        known = self._store.get(EVENT, namespace, name) if name else None
        if name is None or known is None:
            return False
        again = {
            "count": known.get("count", 1) + 1,
            "lastTimestamp": timestamp(self._store.now()),
        }
        self._store.patch(EVENT, namespace, name, again)
        return True

    def _create(self, about: FrozenJSON, same: _Same) -> None:
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        now = timestamp(self._store.now())
        name = f"{meta['name']}.{uuid.uuid4().hex[:16]}"
        body: JSON = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": _reference(about),
            "type": same[1],
            "reason": same[2],
            "message": same[3],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        self._store.create(EVENT, body)
        if len(self._names) >= _REMEMBERED:
            del self._names[next(iter(self._names))]
        self._names[same] = name


def _reference(about: FrozenJSON) -> JSON:
    meta = about["metadata"]
    return {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "uid": meta["uid"],
        "resourceVersion": meta.get("resourceVersion", ""),
    }
