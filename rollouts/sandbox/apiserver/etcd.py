"""
What is stored, and the log of what happened to it: what etcd is to an API server.

Promises: every commit gets a resourceVersion larger than any before it, and is seen by every
watch in that order; what was stored is never changed in place. Nothing here knows which
commits a cluster allows. Methods are synchronous and belong to the loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.builtins import BUILTIN
from rollouts.sandbox.apiserver.conversion import as_served, converted
from rollouts.sandbox.apiserver.errors import not_found
from rollouts.sandbox.apiserver.feed import ChangeType, Entry, Feed
from rollouts.sandbox.apiserver.objects import Key, clone, key_of, labels_of
from rollouts.sandbox.apiserver.registry import Registry, Resource

HISTORY = 10_000


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object; `object` is private to whoever receives it."""

    type: ChangeType
    kind: Kind
    object: JSON


class Etcd:
    """The objects by kind, namespace and name, and the kinds that are served; see the module's promise."""

    def __init__(self, now: Callable[[], datetime], history: int) -> None:
        self.now = now
        self.registry = Registry(BUILTIN)
        self._history = history
        self._revision = 0
        self.compacted = 0
        """The revision before which nothing is remembered."""
        self._objects: dict[Kind, dict[Key, JSON]] = {}
        self._feeds: dict[Kind, Feed] = {}
        self._subscribers: list[tuple[frozenset[Kind], asyncio.Queue[Entry]]] = []

    @property
    def revision(self) -> int:
        """The resourceVersion of the last write."""
        return self._revision

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        """Return a copy of the object, or None."""
        resource = self.registry.of(kind)
        found = self._bucket(resource).get((namespace, name))
        return None if found is None else converted(clone(found), resource)

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        """Return copies of a namespace's objects (of all, for "") that carry all of `labels`."""
        resource = self.registry.of(kind)
        return [
            converted(clone(obj), resource)
            for obj in self.scan(resource, namespace)
            if not labels or labels.items() <= labels_of(obj).items()
        ]

    def scan(self, resource: Resource, namespace: str = "") -> list[FrozenJSON]:
        """Return the stored objects themselves, by namespace and name. Not to be changed."""
        return self._kept(resource.storage, namespace)

    def _kept(self, place: Kind, namespace: str = "") -> list[FrozenJSON]:
        bucket = self._objects.get(place, {})
        keys = sorted(key for key in bucket if not namespace or key[0] == namespace)
        return [bucket[key] for key in keys]

    def feed(self, resource: Resource) -> Feed:
        """Return the log of changes of a kind."""
        if resource.storage not in self._feeds:
            self._feeds[resource.storage] = Feed(self._history)
        return self._feeds[resource.storage]

    def compact(self) -> None:
        """Forget the past: a watch, or the next page of a list, that begins before now gets 410."""
        self.compacted = self._revision
        for resource in self.registry:
            self.feed(resource).compact(self._revision)

    def served(self, kind: Kind) -> Kind | None:
        """Return the kind as it is, or else in another version that is served; None when none is."""
        versions = [
            resource.kind
            for resource in self.registry
            if (resource.kind.group, resource.kind.plural) == (kind.group, kind.plural)
        ]
        return kind if kind in versions else next(iter(versions), None)

    async def changes(self, *kinds: Kind) -> AsyncGenerator[Change]:
        """
        Yield what exists as ADDED, then every change as it happens, for ever.

        A kind may come and go with its definition. While its version is not served, its
        objects come in the version in which they are kept.
        """
        places = {self.registry.place(kind): kind for kind in kinds}
        queue: asyncio.Queue[Entry] = asyncio.Queue()
        subscription = (frozenset(places), queue)
        self._subscribers.append(subscription)
        existing = [
            Change("ADDED", kind, as_served(clone(obj), kind, self.registry))
            for place, kind in places.items()
            for obj in self._kept(place)
        ]
        try:
            for change in existing:
                yield change
            while True:
                entry = await queue.get()
                kind = places[entry.kind]
                yield Change(entry.type, kind, as_served(clone(entry.object), kind, self.registry))
        finally:
            self._subscribers.remove(subscription)

    def stored(self, resource: Resource, namespace: str, name: str) -> JSON:
        """
        Return the stored object itself. Not to be changed.

        Raises:
            ApiError: 404 it is not there.
        """
        found = self._bucket(resource).get((namespace, name))
        if found is None:
            raise not_found(resource.kind.plural, resource.kind.group, name)
        return found

    def _bucket(self, resource: Resource) -> dict[Key, JSON]:
        return self._objects.setdefault(resource.storage, {})

    def _commit(
        self, resource: Resource, change: ChangeType, obj: JSON, previous: JSON | None
    ) -> None:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        if change == "DELETED":
            del self._bucket(resource)[key_of(obj)]
        else:
            self._bucket(resource)[key_of(obj)] = obj
        entry = Entry(resource.storage, self._revision, change, obj, previous)
        self.feed(resource).append(entry)
        for kinds, queue in self._subscribers:
            if resource.storage in kinds:
                queue.put_nowait(entry)
