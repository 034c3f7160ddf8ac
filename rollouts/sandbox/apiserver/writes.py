"""
The only ways to change what is stored.

Promises: every write is atomic, and passes admission. A write that changes nothing is no write.
Followers are told of every birth and death before the write returns.
"""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver import lifecycle
from rollouts.sandbox.apiserver.admission import Admission
from rollouts.sandbox.apiserver.conversion import converted, stored_form
from rollouts.sandbox.apiserver.errors import already_exists, conflict
from rollouts.sandbox.apiserver.etcd import Etcd
from rollouts.sandbox.apiserver.field_types import check_field_types
from rollouts.sandbox.apiserver.objects import clone, key_of, metadata
from rollouts.sandbox.apiserver.ownership import Ownership, Writer
from rollouts.sandbox.apiserver.patches import merge_patch
from rollouts.sandbox.apiserver.quotas import check_quotas
from rollouts.sandbox.apiserver.registry import Resource

IN_PROCESS = Writer("kube-controller-manager")


class Follower(Protocol):
    """Who has something to do when an object begins, begins to end, or has ended."""

    def born(self, resource: Resource, obj: FrozenJSON) -> None: ...
    def dying(self, resource: Resource, obj: FrozenJSON) -> None: ...
    def gone(self, resource: Resource, obj: FrozenJSON) -> None: ...


class Writes(Etcd):
    """What is stored, and its writes; see the module's promise."""

    def __init__(self, now: Callable[[], datetime], history: int) -> None:
        super().__init__(now, history)
        self.followers: list[Follower] = []
        self._admission = Admission(self)
        self._ownership = Ownership(now)

    def create(self, kind: Kind, body: FrozenJSON, writer: Writer = IN_PROCESS) -> JSON:
        """
        Store a new object and return it.

        Raises:
            ApiError: 409 it exists, 404 its namespace does not, 422 it is invalid, 403 a quota is full.
        """
        resource = self.registry.of(kind)
        check_field_types(resource, body)
        obj = stored_form(lifecycle.newborn(self, resource, clone(body)), resource)
        self._admission.admit(resource, obj, None, writer)
        check_quotas(self, resource, obj)
        name = obj["metadata"]["name"]
        if key_of(obj) in self._bucket(resource):
            raise already_exists(kind.plural, kind.group, name)
        self._ownership.record(resource, obj, None, writer)
        if not writer.dry_run:
            self._commit(resource, "ADDED", obj, None)
            self._admission.admitted(resource, obj)
            for follower in self.followers:
                follower.born(resource, obj)
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
        check_field_types(resource, body)
        current = self.stored(resource, *key_of(body))
        self._check_preconditions(resource, current, metadata(body))
        obj = lifecycle.successor(
            resource, current, stored_form(clone(body), resource), subresource
        )
        author = dataclasses.replace(writer, subresource=subresource)
        self._admission.admit(resource, obj, current, author)
        lifecycle.count_generation(resource, current, obj)
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
        for follower in self.followers:
            follower.dying(resource, obj)

    def purge(self, resource: Resource) -> None:
        """Remove every object of a kind at once, finalizers or not."""
        for obj in self.scan(resource):
            self._remove(resource, clone(obj))

    def _remove(self, resource: Resource, obj: JSON) -> None:
        previous = self._bucket(resource)[key_of(obj)]
        self._commit(resource, "DELETED", obj, previous)
        self._admission.removed(resource, obj)
        for follower in self.followers:
            follower.gone(resource, obj)

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
