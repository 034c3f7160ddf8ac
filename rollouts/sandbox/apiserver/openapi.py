"""
OpenAPI documents, as far as kubectl needs them: to explain custom resources, and to learn
that the server validates fields and knows dry runs.

Built-in kinds have no fields here. They name no strategic merge patch either: kubectl then
goes by the merge keys that it was built with.
"""

import hashlib
import json
from typing import Any

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.objects import clone
from rollouts.sandbox.apiserver.registry import Registry, Resource

PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTOBUF_V2_TYPE = PROTOBUF_V2.replace("@", ".")
"""What it is called in an answer, where clients parse it."""
WITHOUT_KINDS_V2 = b"\x0a\x032.0\x12\x0f\x0a\x0aKubernetes\x12\x011\x42\x00"
"""
A document of version 2 without any kind: swagger "2.0", info (title, version) and paths.

kubectl asks for it, in this form alone, when version 3 lacks a group that it is given. A kind that
it does not find in there it does not check, and then says that no such kind matches.
"""
_GVK = "x-kubernetes-group-version-kind"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
_CUSTOM_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)


def _text(description: str, kind: str = "string", **more: Any) -> JSON:
    return {"type": kind, "description": description, **more}


_STRINGS = {"type": "string"}
_OBJECT_META: JSON = {
    "type": "object",
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "properties": {
        "name": _text("Name, unique within a namespace. Cannot be updated."),
        "generateName": _text("Prefix of a name that the server makes, when name is not given."),
        "namespace": _text("Namespace within which each name must be unique."),
        "labels": _text("Labels to select objects by.", "object", additionalProperties=_STRINGS),
        "annotations": _text("Notes for tools.", "object", additionalProperties=_STRINGS),
        "uid": _text("What tells this object from all that ever were. Read-only."),
        "resourceVersion": _text("The version of this object, for optimistic concurrency."),
        "generation": _text("Counts the changes of the desired state. Read-only.", "integer"),
        "creationTimestamp": _text("When it was created. Read-only.", format="date-time"),
        "deletionTimestamp": _text("When it will be gone. Read-only.", format="date-time"),
        "deletionGracePeriodSeconds": _text("Seconds it has to end in. Read-only.", "integer"),
        "finalizers": _text("Who must agree before it goes.", "array", items=_STRINGS),
        "ownerReferences": _text(
            "What it depends on; it goes when all of them are gone.",
            "array",
            items={"type": "object"},
        ),
        "managedFields": _text("Who set which fields.", "array", items={"type": "object"}),
    },
}


def index(registry: Registry) -> JSON:
    """Return what /openapi/v3 says: where each group's document is, and its hash."""
    paths = {}
    for group, version in registry.group_versions():
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        url = f"/openapi/v3/{path}?hash={_hash(document(registry, group, version))}"
        paths[path] = {"serverRelativeURL": url}
    return {"paths": paths}


def _hash(body: JSON) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32].upper()


def document(registry: Registry, group: str, version: str) -> JSON:
    """Return the OpenAPI v3 document of one group and version."""
    found = [r for r in registry if (r.kind.group, r.kind.version) == (group, version)]
    paths: JSON = {}
    schemas: JSON = {_META: _OBJECT_META}
    for resource in found:
        paths |= _paths(resource)
        schemas[schema_name(resource.kind)] = _schema(resource, "#/components/schemas/")
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def document_v2(registry: Registry) -> JSON:
    """Return the OpenAPI v2 document of everything."""
    definitions: JSON = {_META: _OBJECT_META}
    for resource in registry:
        definitions[schema_name(resource.kind)] = _schema(resource, "#/definitions/")
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.37.1"},
        "paths": {},
        "definitions": definitions,
    }


def schema_name(kind: Kind) -> str:
    """Return `dev.rollouts.v1alpha1.Rollout` for rollouts.dev/v1alpha1 Rollout."""
    reversed_group = ".".join(reversed((kind.group or "api.k8s.io").split(".")))
    return f"{reversed_group}.{kind.version}.{kind.name}"


def _schema(resource: Resource, references: str) -> JSON:
    kind = resource.kind
    schema: JSON = clone(resource.custom.schema) if resource.custom else {"type": "object"}
    properties = schema.setdefault("properties", {})
    properties["apiVersion"] = _text("The versioned schema of this object.")
    properties["kind"] = _text("The kind of this object.")
    properties["metadata"] = {
        "description": "Standard object metadata.",
        "default": {},
        "allOf": [{"$ref": references + _META}],
    }
    schema[_GVK] = [_gvk(kind)]
    return schema


def _gvk(kind: Kind) -> JSON:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def _paths(resource: Resource) -> JSON:
    kind = resource.kind
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    collection = f"{root}/{kind.plural}"
    paths: JSON = {}
    if resource.namespaced:
        paths[collection] = {"get": _operation(resource, "list")}
        collection = f"{root}/namespaces/{{namespace}}/{kind.plural}"
    paths[collection] = {
        "get": _operation(resource, "list"),
        "post": _operation(resource, "post"),
    }
    paths[f"{collection}/{{name}}"] = {
        "get": _operation(resource, "get"),
        "put": _operation(resource, "put"),
        "patch": _operation(resource, "patch"),
        "delete": _operation(resource, "delete"),
    }
    return paths


def _operation(resource: Resource, action: str) -> JSON:
    operation: JSON = {
        "x-kubernetes-action": action,
        _GVK: _gvk(resource.kind),
        "responses": {"200": {"description": "OK"}},
    }
    if action in ("post", "put", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS
        ]
    if action == "patch" and resource.custom:
        content = {media: {"schema": {"type": "object"}} for media in _CUSTOM_PATCHES}
        operation["requestBody"] = {"content": content}
    return operation
