"""
The objects, and the only ways to change them.

Promises: every write is atomic, gets a resourceVersion larger than any before it, and is
seen by every watch in that order; what was stored is never changed in place. A write that
changes nothing is no write. Methods are synchronous and belong to the loop's thread.
"""

import asyncio
import dataclasses
import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver import lifecycle
from rollouts.sandbox.apiserver.admission import Admission
from rollouts.sandbox.apiserver.builtins import BUILTIN
from rollouts.sandbox.apiserver.conversion import as_served, converted, stored_form
from rollouts.sandbox.apiserver.errors import already_exists, conflict, not_found
from rollouts.sandbox.apiserver.feed import ChangeType, Entry, Feed
from rollouts.sandbox.apiserver.garbage import Garbage
from rollouts.sandbox.apiserver.objects import Key, clone, key_of, labels_of, metadata
from rollouts.sandbox.apiserver.ownership import Ownership, Writer
from rollouts.sandbox.apiserver.patches import merge_patch
from rollouts.sandbox.apiserver.registry import Registry, Resource
from rollouts.sandbox.apiserver.structures import check_structure

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = 10_000
IN_PROCESS = Writer("kube-controller-manager")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object; `object` is private to whoever receives it."""

    type: ChangeType
    kind: Kind
    object: JSON


class Store:
    """
    Everything the cluster knows; see the module's promise.

    `logs` is where pods' logs are found: (namespace, pod, container) → file.
    """

    def __init__(self, *, now: Callable[[], datetime] = utc_now, history: int = HISTORY) -> None:
        self.now = now
        self.registry = Registry(BUILTIN)
        self.logs: dict[tuple[str, str, str], Path] = {}
        self._history = history
        self._revision = 0
        self._addresses = itertools.count(2)
        self._objects: dict[Kind, dict[Key, JSON]] = {}
        self._feeds: dict[Kind, Feed] = {}
        self._subscribers: list[tuple[frozenset[Kind], asyncio.Queue[Entry]]] = []
        self._admission = Admission(self)
        self._garbage = Garbage(self)
        self._ownership = Ownership(now)
        lifecycle.furnish(self)

    # -- reading -----------------------------------------------------------------------------

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
        """Forget the past: a watch that begins before now gets 410."""
        for resource in self.registry:
            self.feed(resource).compact(self._revision)

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

    # -- writing -----------------------------------------------------------------------------

    def create(self, kind: Kind, body: FrozenJSON, writer: Writer = IN_PROCESS) -> JSON:
        """
        Store a new object and return it.

        Raises:
            ApiError: 409 it exists, 404 its namespace does not, 422 it is invalid.
        """
        resource = self.registry.of(kind)
        check_structure(resource, body)
        obj = stored_form(lifecycle.newborn(self, resource, clone(body)), resource)
        self._admission.admit(resource, obj, None)
        name = obj["metadata"]["name"]
        if key_of(obj) in self._bucket(resource):
            raise already_exists(kind.plural, kind.group, name)
        self._ownership.record(resource, obj, None, writer)
        if not writer.dry_run:
            self._commit(resource, "ADDED", obj, None)
            self._admission.admitted(resource, obj)
            self._garbage.born(resource, obj)
        return converted(clone(obj), resource)

    def replace(
        self, kind: Kind, body: FrozenJSON, subresource: str = "", writer: Writer = IN_PROCESS
    ) -> JSON:
        """
        Replace an object, or with `subresource` "status" its status alone; return the result.

        Raises:
            ApiError: 409 when `body` has a resourceVersion that is not the stored one,
                404 it is not there, 422 it would be invalid.
        """
        resource = self.registry.of(kind)
        check_structure(resource, body)
        current = self.stored(resource, *key_of(body))
        self._check_preconditions(resource, current, metadata(body))
        obj = lifecycle.successor(
            resource, current, stored_form(clone(body), resource), subresource
        )
        self._admission.admit(resource, obj, current, subresource)
        lifecycle.count_generation(resource, current, obj)
        author = dataclasses.replace(writer, subresource=subresource)
        self._ownership.record(resource, obj, current, author)
        if writer.dry_run or lifecycle.equal(obj, current):
            return converted(clone(obj if writer.dry_run else current), resource)
        if lifecycle.is_finished(obj):
            obj["metadata"]["resourceVersion"] = str(self._revision + 1)
            self._remove(resource, obj)
        else:
            self._commit(resource, "MODIFIED", obj, current)
            self._admission.admitted(resource, obj)
        return converted(clone(obj), resource)

    def patch(
        self, kind: Kind, namespace: str, name: str, merge: FrozenJSON, subresource: str = ""
    ) -> JSON:
        """Apply a JSON merge patch (RFC 7386) and return the result; raises as `replace`."""
        resource = self.registry.of(kind)
        current = converted(clone(self.stored(resource, namespace, name)), resource)
        current["metadata"].pop("resourceVersion")
        return self.replace(kind, merge_patch(current, merge), subresource)

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        grace_seconds: int | None = None,
        propagation: str = "Background",
    ) -> None:
        """
        Delete an object, or begin to: finalizers and a pod's grace period are honoured.

        Raises:
            ApiError: 404 it is not there.
        """
        resource = self.registry.of(kind)
        current = self.stored(resource, namespace, name)
        obj = lifecycle.doomed(self, resource, current, grace_seconds, propagation)
        if lifecycle.is_finished(obj):
            begun = "deletionTimestamp" in current["metadata"]
            self._remove(resource, obj if begun else clone(current))
            return
        if not lifecycle.equal(obj, current):
            self._commit(resource, "MODIFIED", obj, current)
        self._garbage.dying(resource, obj)

    # -- for the modules of this package --------------------------------------------------------

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

    def new_uid(self) -> str:
        return str(uuid.uuid4())

    def new_address(self) -> str:
        """Return a cluster address that no Service has had yet."""
        number = next(self._addresses)
        return f"10.96.{number // 256 % 256}.{number % 256}"

    def purge(self, resource: Resource) -> None:
        """Remove every object of a kind at once, finalizers or not."""
        for obj in self.scan(resource):
            self._remove(resource, clone(obj))

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

    def _remove(self, resource: Resource, obj: JSON) -> None:
        previous = self._bucket(resource)[key_of(obj)]
        self._commit(resource, "DELETED", obj, previous)
        self._admission.removed(resource, obj)
        self._garbage.gone(resource, obj)

    def _check_preconditions(
        self, resource: Resource, current: FrozenJSON, given: FrozenJSON
    ) -> None:
        kind, name = resource.kind, current["metadata"]["name"]
        uid = given.get("uid")
        if uid and uid != current["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current['metadata']['uid']}"
            raise conflict(kind.plural, kind.group, name, why)
        version = given.get("resourceVersion")
        if version and version != current["metadata"]["resourceVersion"]:
            raise conflict(kind.plural, kind.group, name)
