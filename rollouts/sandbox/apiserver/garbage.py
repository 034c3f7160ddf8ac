"""
What goes when something else has gone: dependents of an owner, the content of a namespace,
the objects of a kind that is defined no more.

Owners are known by uid. A dependent goes when the last of its owners is gone.
"""

import asyncio
from collections.abc import Callable, Iterator

from rollouts.model.kinds import CRD, FrozenJSON
from rollouts.model.owners import owners_of
from rollouts.sandbox.apiserver.builtins import NAMESPACE, SERVICE_ACCOUNT
from rollouts.sandbox.apiserver.custom_resources import resources_of, stored_resource
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.lifecycle import CLEANUP, FOREGROUND, ORPHAN
from rollouts.sandbox.apiserver.objects import clone, key_of, metadata
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.writes import Writes

Found = tuple[Resource, FrozenJSON]


class Garbage:
    """Told of every birth and death, it removes what must not outlive them."""

    def __init__(self, store: Writes) -> None:
        self._store = store
        self._uids: set[str] = set()

    def born(self, resource: Resource, obj: FrozenJSON) -> None:
        self._uids.add(obj["metadata"]["uid"])
        if resource.kind == NAMESPACE and obj["metadata"]["name"] != "default":
            body = {"metadata": {"name": "default", "namespace": obj["metadata"]["name"]}}
            self._store.create(SERVICE_ACCOUNT, body)
        if owners_of(obj) and not self._has_owner(obj):
            self._later(resource, obj)

    def dying(self, resource: Resource, obj: FrozenJSON) -> None:
        """Begin what has to happen before an object that is marked for deletion can go."""
        finalizers = metadata(obj).get("finalizers") or []
        if resource.kind == NAMESPACE:
            self._empty(obj["metadata"]["name"])
        if resource.kind == CRD:
            self._empty_kind(obj)
        if ORPHAN in finalizers:
            for child_resource, child in self._dependents(obj):
                self._disown(child_resource, child, obj["metadata"]["uid"])
            self._drop_finalizer(resource, obj, ORPHAN)
        elif FOREGROUND in finalizers and not _soon(lambda: self._take_along(resource, obj)):
            self._take_along(resource, obj)

    def _take_along(self, resource: Resource, owner: FrozenJSON) -> None:
        """Delete the dependents of what waits for them, and the owner when none blocks it."""
        for child_resource, child in self._dependents(owner):
            self._delete(child_resource, child, "Foreground")
        self._finish_foreground(resource, owner)

    def gone(self, resource: Resource, obj: FrozenJSON) -> None:
        """Follow an object's removal: its dependents, its waiting owner, its emptied namespace."""
        self._uids.discard(obj["metadata"]["uid"])
        for child_resource, child in self._dependents(obj):
            if not self._has_owner(child):
                self._delete(child_resource, child, "Background")
        for owner_resource, owner in self._owners(obj):
            if FOREGROUND in (metadata(owner).get("finalizers") or ()):
                self._finish_foreground(owner_resource, owner)
        if resource.namespaced:
            self._finish_namespace(obj["metadata"]["namespace"])
        if resource.custom is not None:
            self._finish_kind(resource)

    def _has_owner(self, obj: FrozenJSON) -> bool:
        return any(owner.get("uid") in self._uids for owner in owners_of(obj))

    def _everything(self, namespace: str = "") -> Iterator[Found]:
        seen = set()
        for resource in list(self._store.registry):
            if resource.storage not in seen and (resource.namespaced or not namespace):
                seen.add(resource.storage)
                for obj in self._store.scan(resource, namespace):
                    yield resource, obj

    def _dependents(self, owner: FrozenJSON) -> list[Found]:
        uid = owner["metadata"]["uid"]
        namespace = metadata(owner).get("namespace", "")
        return [
            (resource, obj)
            for resource, obj in self._everything(namespace)
            if any(reference.get("uid") == uid for reference in owners_of(obj))
        ]

    def _owners(self, obj: FrozenJSON) -> list[Found]:
        uids = {reference.get("uid") for reference in owners_of(obj)}
        if not uids & self._uids:
            return []
        return [found for found in self._everything() if found[1]["metadata"]["uid"] in uids]

    def _delete(self, resource: Resource, obj: FrozenJSON, propagation: str) -> None:
        if "deletionTimestamp" in metadata(obj):
            return
        try:
            self._store.delete(resource.kind, *key_of(obj), propagation=propagation)
        except ApiError as error:  # it went with its owner a moment ago
            if error.code != 404:
                raise

    def _later(self, resource: Resource, obj: FrozenJSON) -> None:
        """Delete an object that was born after its owners had gone, as soon as nobody is looking."""

        def collect() -> None:
            current = self._store.get(resource.kind, *key_of(obj))
            same = current and current["metadata"]["uid"] == obj["metadata"]["uid"]
            if current and same and owners_of(current) and not self._has_owner(current):
                self._delete(resource, current, "Background")

        _soon(collect)

    def _disown(self, resource: Resource, child: FrozenJSON, uid: str) -> None:
        body = clone(child)
        kept = [reference for reference in owners_of(body) if reference.get("uid") != uid]
        body["metadata"]["ownerReferences"] = kept
        if not kept:
            del body["metadata"]["ownerReferences"]
        self._store.replace(resource.kind, body)

    def _drop_finalizer(self, resource: Resource, obj: FrozenJSON, name: str) -> None:
        body = clone(self._store.stored(resource, *key_of(obj)))
        body["metadata"]["finalizers"] = [
            finalizer for finalizer in body["metadata"].get("finalizers", ()) if finalizer != name
        ]
        if not body["metadata"]["finalizers"]:
            del body["metadata"]["finalizers"]
        self._store.replace(resource.kind, body)

    def _finish_foreground(self, resource: Resource, owner: FrozenJSON) -> None:
        uid = owner["metadata"]["uid"]
        blocking = any(
            reference.get("uid") == uid and reference.get("blockOwnerDeletion")
            for _, child in self._dependents(owner)
            for reference in owners_of(child)
        )
        if not blocking:
            try:
                self._drop_finalizer(resource, owner, FOREGROUND)
            except ApiError as error:
                if error.code != 404:
                    raise

    def _empty(self, namespace: str) -> None:
        for resource, obj in list(self._everything(namespace)):
            self._delete(resource, obj, "Background")
        self._finish_namespace(namespace)

    def _empty_kind(self, definition: FrozenJSON) -> None:
        served = resources_of(definition)
        if not served:  # nobody can be asked to let go of its finalizers
            self._store.purge(stored_resource(definition))
        for resource in served[:1]:
            for obj in self._store.scan(resource):
                self._delete(resource, obj, "Background")
        self._finish_kind(stored_resource(definition))

    def _finish_kind(self, resource: Resource) -> None:
        definitions = self._store.registry.of(CRD)
        name = ("", resource.kind.crd_name)
        found = next((crd for crd in self._store.scan(definitions) if key_of(crd) == name), None)
        dying = found is not None and "deletionTimestamp" in metadata(found)
        if found is not None and dying and not self._store.scan(resource):
            self._drop_finalizer(definitions, found, CLEANUP)

    def _finish_namespace(self, name: str) -> None:
        namespace = self._store.get(NAMESPACE, "", name)
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            return
        if any(True for _ in self._everything(name)):
            return
        namespace["spec"]["finalizers"] = []
        self._store.replace(NAMESPACE, namespace)


def _soon(action: Callable[[], None]) -> bool:
    """
    Have something done once whoever writes now has got their answer, and return whether it will be.

    It won't where there is no loop: in a test of the store by itself.
    """
    try:
        asyncio.get_running_loop().call_soon(action)
    except RuntimeError:
        return False
    return True
