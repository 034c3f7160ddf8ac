"""
What is known of a real API server's objects: by kind, from lists, watches and answers to writes.

Promises: an object is never replaced by an older version of itself, and one that is gone does
not come back by an answer that was on its way. Does no I/O.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.feed import ChangeType
from rollouts.sandbox.apiserver.objects import Key, clone, key_of, labels_of

Place = str
"""A kind in whatever version: `pods.`, `scaledobjects.keda.sh`."""


class Cache:
    """See the module's promise."""

    def __init__(self) -> None:
        self.revision = 0
        """How many changes there were; whoever remembers something asks whether it has moved."""
        self._objects: dict[Place, dict[Key, JSON]] = {}
        self._heard: dict[Place, int] = {}
        self._subscribers: list[tuple[frozenset[Place], asyncio.Queue[tuple[Place, Change]]]] = []

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        found = self._objects.get(kind.crd_name, {}).get((namespace, name))
        return None if found is None else clone(found)

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        kept = self._objects.get(kind.crd_name, {})
        return [
            clone(kept[key])
            for key in sorted(kept)
            if (not namespace or key[0] == namespace)
            and (not labels or labels.items() <= labels_of(kept[key]).items())
        ]

    async def changes(self, *kinds: Kind) -> AsyncGenerator[Change]:
        """Yield what is known as ADDED, then every change as it is heard of, for ever."""
        asked = {kind.crd_name: kind for kind in kinds}
        queue: asyncio.Queue[tuple[Place, Change]] = asyncio.Queue()
        subscription = (frozenset(asked), queue)
        self._subscribers.append(subscription)
        existing = [(kind, obj) for kind in kinds for obj in self.select(kind)]
        try:
            for kind, obj in existing:
                yield Change("ADDED", kind, obj)
            while True:
                place, change = await queue.get()
                yield Change(change.type, asked[place], clone(change.object))
        finally:
            self._subscribers.remove(subscription)

    # -- what is heard ------------------------------------------------------------------------

    def listed(self, kind: Kind, objects: Iterable[JSON], version: int) -> None:
        """Take in all objects of a kind, as of a version: what is not among them is gone."""
        kept = self._objects.setdefault(kind.crd_name, {})
        found = {key_of(obj): named(obj, kind) for obj in objects}
        self._heard[kind.crd_name] = version
        for key in kept.keys() - found.keys():
            self._tell("DELETED", kind, kept.pop(key))
        for key, obj in found.items():
            if key not in kept:
                self._keep("ADDED", kind, obj)
            elif _version(kept[key]) != _version(obj):
                self._keep("MODIFIED", kind, obj)

    def happened(self, kind: Kind, event: str, obj: JSON) -> None:
        """Take in an event of a watch."""
        self._heard[kind.crd_name] = max(self._heard.get(kind.crd_name, 0), _version(obj))
        if event == "DELETED":
            if self._objects.get(kind.crd_name, {}).pop(key_of(obj), None) is not None:
                self._tell("DELETED", kind, named(obj, kind))
        elif event in ("ADDED", "MODIFIED"):
            self._take(kind, obj)

    def answered(self, kind: Kind, obj: JSON) -> None:
        """Take in what a write was answered, unless a watch has told it, or more, already."""
        if _version(obj) > self._heard.get(kind.crd_name, 0):
            self._take(kind, obj)

    def _take(self, kind: Kind, obj: JSON) -> None:
        before = self._objects.setdefault(kind.crd_name, {}).get(key_of(obj))
        if before is None:
            self._keep("ADDED", kind, named(obj, kind))
        elif _version(before) < _version(obj):
            self._keep("MODIFIED", kind, named(obj, kind))

    def _keep(self, change: ChangeType, kind: Kind, obj: JSON) -> None:
        self._objects[kind.crd_name][key_of(obj)] = obj
        self._tell(change, kind, obj)

    def _tell(self, change: ChangeType, kind: Kind, obj: JSON) -> None:
        self.revision += 1
        for places, queue in self._subscribers:
            if kind.crd_name in places:
                queue.put_nowait((kind.crd_name, Change(change, kind, obj)))


def named(obj: JSON, kind: Kind) -> JSON:
    """Return the object with its kind, which the items of a list do not say."""
    return {"apiVersion": kind.api_version, "kind": kind.name, **obj}


def _version(obj: FrozenJSON) -> int:
    """Return what an object is compared by: since Kubernetes 1.35 versions are numbers for everybody."""
    return int(obj["metadata"].get("resourceVersion") or 0)
