"""
How an object begins, is succeeded by its next version, and ends.

Functions take what is stored as read-only and return or complete a private copy.
"""

import random
import uuid
from datetime import timedelta

from rollouts.model.kinds import CRD, JSON, POD, FrozenJSON
from rollouts.model.merge_patch import without_nulls
from rollouts.sandbox.apiserver import custom_resources
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.apiserver.errors import ApiError, Cause, invalid, not_found
from rollouts.sandbox.apiserver.etcd import Etcd
from rollouts.sandbox.apiserver.objects import clone, get_path, metadata, timestamp
from rollouts.sandbox.apiserver.registry import Resource

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
"""The namespaces that nobody may delete (the admission plugin NamespaceLifecycle)."""
DEFAULT_GRACE_SECONDS = 30
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FIXED_AT_BIRTH = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)


def newborn(etcd: Etcd, resource: Resource, body: JSON) -> JSON:
    """
    Complete the metadata of a new object.

    Raises:
        ApiError: it has no name, or names a namespace that is not there or is going.
    """
    meta = without_nulls(body.get("metadata") or {})
    _check_namespace(etcd, resource, meta)
    _check_definition(etcd, resource, meta.get("name", ""))
    if not meta.get("name") and meta.get("generateName"):
        suffix = "".join(random.choices(_ALPHABET, k=5))
        meta["name"] = meta["generateName"] + suffix
    if not meta.get("name"):
        cause = Cause(
            "metadata.name",
            "Required value: name or generateName is required",
            "FieldValueRequired",
        )
        raise invalid(resource.kind.name, resource.kind.group, "", [cause])
    if meta.get("resourceVersion"):
        raise ApiError(500, "resourceVersion should not be set on objects to be created")
    for field in _FIXED_AT_BIRTH:
        meta.pop(field, None)
    meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp(etcd.now())}
    if resource.generation:
        meta["generation"] = 1
    head = {"apiVersion": resource.kind.api_version, "kind": resource.kind.name, "metadata": meta}
    drop = {"apiVersion", "kind", "metadata"} | ({"status"} if resource.status else set())
    return head | {key: value for key, value in body.items() if key not in drop}


def _check_namespace(etcd: Etcd, resource: Resource, meta: JSON) -> None:
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    name = meta.setdefault("namespace", "default")
    found = etcd.get(NAMESPACE, "", name)
    if found is None:
        raise not_found("namespaces", "", name)
    if "deletionTimestamp" in found["metadata"]:
        kind = resource.kind
        what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        raise ApiError(
            403,
            f'{what} "{meta.get("name", "")}" is forbidden: unable to create new content in '
            f"namespace {name} because it is being terminated",
            details={
                "causes": [
                    {
                        "reason": "NamespaceTerminating",
                        "message": f"namespace {name} is being terminated",
                        "field": "metadata.namespace",
                    }
                ]
            },
        )


def _check_definition(etcd: Etcd, resource: Resource, name: str) -> None:
    if resource.custom is None:
        return
    definition = etcd.stored(etcd.registry.of(CRD), "", resource.kind.crd_name)
    if "deletionTimestamp" in definition["metadata"]:
        kind = resource.kind
        raise ApiError(
            403,
            f'{kind.plural}.{kind.group} "{name}" is forbidden: create not allowed while custom'
            " resource definition is terminating",
        )


def successor(resource: Resource, current: FrozenJSON, body: JSON, subresource: str) -> JSON:
    """Return the next version of `current`: `body`, except for what it may not change."""
    if subresource == "status":
        obj: JSON = {**clone(current), "apiVersion": body["apiVersion"]}
        obj.pop("status", None)
        if body.get("status") is not None:
            obj["status"] = body["status"]
        given = metadata(body).get("managedFields")
        if given is not None:
            obj["metadata"]["managedFields"] = given
        return obj
    old = metadata(current)
    meta = without_nulls(body.get("metadata") or {})
    meta |= {"name": old["name"]} | ({"namespace": old["namespace"]} if "namespace" in old else {})
    for field in (*_FIXED_AT_BIRTH, "generateName"):
        meta.pop(field, None)
        if field in old:
            meta[field] = old[field]
    if "managedFields" not in meta and "managedFields" in old:
        meta["managedFields"] = clone(old["managedFields"])
    body |= {"kind": current["kind"], "metadata": meta}
    if resource.status:
        body.pop("status", None)
        if "status" in current:
            body["status"] = clone(current["status"])
    return body


def count_generation(resource: Resource, current: FrozenJSON, obj: JSON) -> None:
    """Count up metadata.generation when something else than metadata and status differs."""
    apart = {"metadata", "status"} if resource.status else {"metadata"}
    old = {key: value for key, value in current.items() if key not in apart}
    new = {key: value for key, value in obj.items() if key not in apart}
    if resource.generation and old != new:
        obj["metadata"]["generation"] = metadata(current).get("generation", 0) + 1


def equal(obj: FrozenJSON, current: FrozenJSON) -> bool:
    """Return whether two versions differ at most in when a manager last wrote."""
    return _timeless(obj) == _timeless(current)


def _timeless(obj: FrozenJSON) -> JSON:
    meta = {key: value for key, value in metadata(obj).items() if key != "resourceVersion"}
    if "managedFields" in meta:
        meta["managedFields"] = [
            {key: value for key, value in entry.items() if key != "time"}
            for entry in meta["managedFields"]
        ]
    return {**obj, "metadata": meta}


def is_finished(obj: FrozenJSON) -> bool:
    """Return whether nothing keeps a deleted object any longer."""
    meta = metadata(obj)
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if obj["kind"] == NAMESPACE.name and get_path(obj, "spec.finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def doomed(
    etcd: Etcd, resource: Resource, current: FrozenJSON, grace: int | None, propagation: str
) -> JSON:
    """
    Return the version of `current` that is marked for deletion; a grace period only shrinks.

    Raises:
        ApiError: 403, it is a namespace that every cluster has.
    """
    if resource.kind == NAMESPACE and current["metadata"]["name"] in IMMORTAL:
        name = current["metadata"]["name"]
        what = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        raise ApiError(403, what, details={"name": name, "kind": NAMESPACE.plural})
    obj: JSON = clone(current)
    meta = obj["metadata"]
    seconds = _grace_seconds(resource, current, grace)
    before = meta.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in meta:
        if "generation" in meta:
            meta["generation"] += 1
        meta["deletionTimestamp"] = timestamp(etcd.now() + timedelta(seconds=seconds))
        meta["deletionGracePeriodSeconds"] = seconds
    elif before and seconds < before:
        meta["deletionTimestamp"] = timestamp(etcd.now() + timedelta(seconds=seconds))
        meta["deletionGracePeriodSeconds"] = seconds
    dropped = (FOREGROUND, ORPHAN, CLEANUP)
    finalizers = [name for name in meta.get("finalizers", ()) if name not in dropped]
    if resource.kind == CRD:
        finalizers.append(CLEANUP)
    extra = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
    if finalizers + extra:
        meta["finalizers"] = finalizers + extra
    else:
        meta.pop("finalizers", None)
    if resource.kind == NAMESPACE:
        obj.setdefault("status", {})["phase"] = "Terminating"
    elif resource.kind == CRD:
        custom_resources.terminating(obj, timestamp(etcd.now()))
    return obj


def _grace_seconds(resource: Resource, current: FrozenJSON, grace: int | None) -> int:
    spec = current.get("spec") or {}
    if resource.kind != POD or not spec.get("nodeName"):
        return 0
    if get_path(current, "status.phase") in ("Succeeded", "Failed"):
        return 0
    own = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    return max(0, own if grace is None else grace)
