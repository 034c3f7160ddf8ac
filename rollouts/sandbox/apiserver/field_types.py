"""
The types of the fields that this server looks at, so that it never has to guess.

A structure is a type's name, `[structure]` for a list, a mapping of field names for an
object (fields that are not named may be anything), or `{"*": structure}` for a map. A real
API server decodes into Go structs and refuses what does not fit with 400; so does this one.
"""

import re
from typing import Any

from rollouts.model.kinds import FrozenJSON
from rollouts.model.quantities import is_quantity
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.schema import join

Fields = dict[str, Any]
Structure = str | list[Any] | Fields

_STRINGS: Fields = {"*": "string"}
_SELECTOR: Fields = {
    "matchLabels": _STRINGS,
    "matchExpressions": [{"key": "string", "operator": "string", "values": ["string"]}],
}
_OWNER = {"apiVersion": "string", "kind": "string", "name": "string", "uid": "string"}
METADATA: Fields = {
    "name": "string",
    "generateName": "string",
    "namespace": "string",
    "labels": _STRINGS,
    "annotations": _STRINGS,
    "finalizers": ["string"],
    "resourceVersion": "string",
    "uid": "string",
    "ownerReferences": [_OWNER],
    "managedFields": [{"manager": "string", "operation": "string", "fieldsV1": "object"}],
}
_PROBE: Fields = {"httpGet": {"port": "integer or string"}, "periodSeconds": "integer"}
_QUANTITIES: Fields = {"*": "quantity"}
_CONTAINER: Fields = {
    "name": "string",
    "image": "string",
    "command": ["string"],
    "args": ["string"],
    "ports": [{"name": "string", "containerPort": "integer", "protocol": "string"}],
    "env": [{"name": "string", "value": "string", "valueFrom": {"fieldRef": "object"}}],
    "resources": {"limits": _QUANTITIES, "requests": _QUANTITIES},
    "volumeMounts": [{"name": "string", "mountPath": "string"}],
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
}
_VOLUME: Fields = {
    "name": "string",
    "configMap": "object",
    "secret": "object",
    "projected": "object",
    "downwardAPI": "object",
}
_POD_SPEC: Fields = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "volumes": [_VOLUME],
    "nodeName": "string",
    "restartPolicy": "string",
    "terminationGracePeriodSeconds": "integer",
}
_TEMPLATE: Fields = {"metadata": METADATA, "spec": _POD_SPEC}
_REPLICATED: Fields = {
    "replicas": "integer",
    "minReadySeconds": "integer",
    "selector": _SELECTOR,
    "template": _TEMPLATE,
}
_BALANCER: Fields = {"loadBalancer": {"ingress": [{"ip": "string", "hostname": "string"}]}}
_BACKEND: Fields = {
    "service": {"name": "string", "port": {"name": "string", "number": "integer"}},
    "resource": "object",
}
_INGRESS_PATH: Fields = {"path": "string", "pathType": "string", "backend": _BACKEND}
_CONDITIONS: Fields = {"conditions": [{"type": "string", "status": "string"}]}
_PATHS = {"specReplicasPath": "string", "statusReplicasPath": "string"}
_COLUMN: Fields = {
    "name": "string",
    "type": "string",
    "jsonPath": "string",
    "priority": "integer",
}
_VERSION: Fields = {
    "name": "string",
    "served": "boolean",
    "storage": "boolean",
    "schema": {"openAPIV3Schema": "schema"},
    "subresources": {"status": "object", "scale": _PATHS | {"labelSelectorPath": "string"}},
    "additionalPrinterColumns": [_COLUMN],
}
_NAMES: Fields = {
    "plural": "string",
    "singular": "string",
    "kind": "string",
    "listKind": "string",
    "shortNames": ["string"],
    "categories": ["string"],
}
_RULE: Fields = {
    name: ["string"]
    for name in ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
}
_ROLE: Fields = {"rules": [_RULE]}
_SUBJECT = {"kind": "string", "name": "string", "namespace": "string"}
_BINDING: Fields = {
    "roleRef": {"apiGroup": "string", "kind": "string", "name": "string"},
    "subjects": [_SUBJECT],
}
_SCHEMA: Fields = {
    "type": "string",
    "properties": {"*": "schema"},
    "items": "schema",
    "required": ["string"],
    "enum": ["anything"],
    "pattern": "string",
    "format": "string",
    **{key: ["schema"] for key in ("allOf", "anyOf", "oneOf")},
    "not": "schema",
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), "number"),
    **{f"{end}{what}": "integer" for end in ("min", "max") for what in ("Length", "Items", "Properties")},
    "x-kubernetes-list-type": "string",
    "x-kubernetes-list-map-keys": ["string"],
    "x-kubernetes-validations": [
        {"rule": "string", "message": "string", "messageExpression": "string", "reason": "string", "fieldPath": "string"}
    ],
}  # fmt: skip

_METRIC: Fields = {
    "name": "string",
    "metric": {"name": "string", "selector": _SELECTOR},
    "target": {
        "type": "string",
        "averageUtilization": "integer",
        "averageValue": "integer or string",
        "value": "integer or string",
    },
}
_RULES: Fields = {
    "stabilizationWindowSeconds": "integer",
    "selectPolicy": "string",
    "policies": [{"type": "string", "value": "integer", "periodSeconds": "integer"}],
}
_KINDS: dict[str, Fields] = {
    "Pod": {"spec": _POD_SPEC, "status": {"phase": "string", "containerStatuses": ["object"]}},
    "ReplicaSet": {"spec": _REPLICATED, "status": {"replicas": "integer"}},
    "Deployment": {
        "spec": _REPLICATED | {"strategy": {"type": "string", "rollingUpdate": "object"}},
        "status": _CONDITIONS,
    },
    "Service": {
        "spec": {
            "selector": _STRINGS,
            "type": "string",
            "clusterIP": "string",
            "clusterIPs": ["string"],
            "externalName": "string",
            "ports": [{"name": "string", "port": "integer", "targetPort": "integer or string", "nodePort": "integer"}],
        },
        "status": _BALANCER,
    },
    "Ingress": {
        "spec": {
            "ingressClassName": "string",
            "defaultBackend": _BACKEND,
            "rules": [{"host": "string", "http": {"paths": [_INGRESS_PATH]}}],
            "tls": ["object"],
        },
        "status": _BALANCER,
    },
    "EndpointSlice": {
        "addressType": "string",
        "endpoints": [{"addresses": ["string"], "conditions": "object"}],
        "ports": [{"name": "string", "port": "integer"}],
    },
    "Event": {"involvedObject": _OWNER, "regarding": _OWNER, "source": "object", "series": "object"},
    "ConfigMap": {"data": _STRINGS, "binaryData": _STRINGS},
    "ResourceQuota": {"spec": {"hard": _QUANTITIES}},
    "Secret": {"data": _STRINGS, "stringData": _STRINGS, "type": "string"},
    "Namespace": {"spec": {"finalizers": ["string"]}, "status": {"phase": "string"}},
    "Node": {"spec": "object", "status": _CONDITIONS},
    "ClusterRole": _ROLE,
    "Role": _ROLE,
    "ClusterRoleBinding": _BINDING,
    "RoleBinding": _BINDING,
    "CustomResourceDefinition": {
        "spec": {"group": "string", "scope": "string", "names": _NAMES, "versions": [_VERSION]},
        "status": _CONDITIONS | {"storedVersions": ["string"]},
    },
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "string", "kind": "string", "name": "string"},
            "minReplicas": "integer",
            "maxReplicas": "integer",
            "metrics": [{"type": "string", "resource": _METRIC, "external": _METRIC}],
            "behavior": {"scaleUp": _RULES, "scaleDown": _RULES},
        },
        "status": _CONDITIONS,
    },
    "PodDisruptionBudget": {
        "spec": {
            "selector": _SELECTOR,
            "minAvailable": "integer or string",
            "maxUnavailable": "integer or string",
        },
        "status": _CONDITIONS,
    },
    "IngressClass": {"spec": {"controller": "string", "parameters": "object"}},
    "Scale": {"spec": {"replicas": "integer"}},
    "Lease": {
        "spec": {
            "holderIdentity": "string",
            "leaseDurationSeconds": "integer",
            "leaseTransitions": "integer",
            "acquireTime": "microseconds",
            "renewTime": "microseconds",
        }
    },
}  # fmt: skip

_QUANTITY_TEXT = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_NUMBERS = (int, float)
_MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
"""A moment as a Lease has it (MicroTime): with six digits behind the point."""


def type_error(body: FrozenJSON, kind: str) -> str:
    """
    Return which field of a body can't be decoded, in words; "" when all can.

    `kind` is the name of a built-in kind, "" for any other: of that only the metadata is known.
    """
    return _misfit(body, {"metadata": METADATA, **_KINDS.get(kind, {})}, "")


def check_field_types(resource: Resource, body: FrozenJSON) -> None:
    """
    Let a body pass that has the types its kind's fields are decoded into.

    Raises:
        ApiError: 400, one field does not fit.
    """
    wrong = type_error(body, "" if resource.custom else resource.kind.name)
    if wrong:
        kind = resource.kind
        raise ApiError(
            400,
            f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {wrong}',
        )


def _misfit(value: Any, structure: Structure, path: str) -> str:
    """Return which field has the wrong type, in words; "" when all fit. A null always fits."""
    if value is None or structure == "anything":
        return ""
    if structure == "schema":
        return _schema_misfit(value, path)
    if isinstance(structure, str):
        return "" if _fits(value, structure) else _said(value, path, structure)
    if isinstance(structure, list):
        if not isinstance(value, list):
            return _said(value, path, "list")
        found = (_misfit(item, structure[0], f"{path}[{n}]") for n, item in enumerate(value))
        return next(filter(None, found), "") or _null_item(value, path)
    if not isinstance(value, dict):
        return _said(value, path, "object")
    every = structure.get("*")
    parts = ((key, every or structure.get(key, "anything")) for key in value)
    found = (_misfit(value[key], part, join(path, key)) for key, part in parts)
    return next(filter(None, found), "")


def _null_item(value: list[Any], path: str) -> str:
    return _said(None, f"{path}[{value.index(None)}]", "object") if None in value else ""


def _schema_misfit(value: Any, path: str) -> str:
    structure = dict(_SCHEMA)
    if isinstance(value, dict) and isinstance(value.get("additionalProperties"), dict):
        structure["additionalProperties"] = "schema"
    return _misfit(value, structure, path)


def _fits(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "string":
        return isinstance(value, str)
    if name == "quantity":
        return not isinstance(value, str) or is_quantity(value)
    if name == "microseconds":
        return isinstance(value, str) and bool(_MICROSECONDS.fullmatch(value))
    if name == "object":
        return isinstance(value, dict)
    if name == "number":
        return isinstance(value, _NUMBERS)
    if name == "integer or string":
        return isinstance(value, int | str)
    return isinstance(value, int) if name == "integer" else False


def _said(value: Any, path: str, wanted: str) -> str:
    if wanted == "quantity":
        return f"quantities must match the regular expression '{_QUANTITY_TEXT}'"
    if wanted == "microseconds" and isinstance(value, str):
        return f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00"'
    words = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}
    what = words.get(type(value), "number")
    return f"json: cannot unmarshal {what} into Go struct field {path} of type {wanted}"
