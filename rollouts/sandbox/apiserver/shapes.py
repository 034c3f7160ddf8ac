"""
How the parts of an object are merged: which lists are maps with a key, which values are atomic.

A shape is read from a custom resource's schema; for the built-in kinds it is a table of
what differs from the rule "objects are merged field by field, lists are replaced".
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.registry import Resource

Item = TypeVar("Item")

_PROTOCOL = {"protocol": "TCP"}


@dataclass(frozen=True, slots=True)
class Shape:
    """
    How one value is merged.

    `keys` make a list a map; `patch_key` is the one key that a strategic merge patch goes by.
    `closed` means that fields which are not named here do not exist.
    """

    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    other: "Shape | None" = None
    item: "Shape | None" = None
    keys: tuple[str, ...] = ()
    patch_key: str = ""
    is_set: bool = False
    atomic: bool = False
    closed: bool = False

    def child(self, name: str) -> "Shape":
        return self.fields.get(name) or self.other or OPEN

    @property
    def items(self) -> "Shape":
        return self.item or OPEN

    def declares(self, name: str) -> bool:
        return not self.closed or name in self.fields or self.other is not None

    def key(self, item: Any) -> str:
        """Return what tells an item of a keyed list from the others, as canonical JSON."""
        parts = {name: item.get(name, _PROTOCOL.get(name)) for name in self.keys}
        return canonical({name: value for name, value in parts.items() if value is not None})


OPEN = Shape()
ATOMIC = Shape(atomic=True)
SET = Shape(is_set=True)


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def keyed(*keys: str, item: Shape = OPEN, patch_key: str = "") -> Shape:
    return Shape(keys=keys, patch_key=patch_key or keys[0], item=item)


def fields(**shapes: Shape) -> Shape:
    return Shape(fields=shapes)


METADATA = fields(ownerReferences=keyed("uid", item=ATOMIC), finalizers=SET)
_CONDITIONS = keyed("type")
_CONTAINERS = keyed(
    "name",
    item=fields(
        ports=keyed("containerPort", "protocol"),
        env=keyed("name"),
        volumeMounts=keyed("mountPath"),
        volumeDevices=keyed("devicePath"),
        resources=fields(claims=keyed("name")),
    ),
)
_POD_SPEC = fields(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_CONTAINERS,
    volumes=keyed("name"),
    imagePullSecrets=keyed("name"),
    hostAliases=keyed("ip"),
    topologySpreadConstraints=keyed("topologyKey", "whenUnsatisfiable"),
    nodeSelector=ATOMIC,
)
_TEMPLATE = fields(metadata=METADATA, spec=_POD_SPEC)
_WORKLOAD = fields(selector=ATOMIC, template=_TEMPLATE)
_WITH_CONDITIONS = fields(conditions=_CONDITIONS)

_SPECS: dict[str, dict[str, Shape]] = {
    "Pod": {"spec": _POD_SPEC, "status": fields(conditions=_CONDITIONS, podIPs=keyed("ip"))},
    "Deployment": {"spec": _WORKLOAD, "status": _WITH_CONDITIONS},
    "ReplicaSet": {"spec": _WORKLOAD, "status": _WITH_CONDITIONS},
    "Service": {
        "spec": fields(selector=ATOMIC, ports=keyed("port", "protocol")),
        "status": _WITH_CONDITIONS,
    },
    "ServiceAccount": {"secrets": keyed("name")},
    "Node": {"status": fields(conditions=_CONDITIONS, addresses=keyed("type"))},
    "Namespace": {"status": _WITH_CONDITIONS},
    "PodDisruptionBudget": {"spec": fields(selector=ATOMIC), "status": _WITH_CONDITIONS},
    "CustomResourceDefinition": {
        "spec": fields(versions=ATOMIC),
        "status": fields(conditions=_CONDITIONS),
    },
}


@functools.lru_cache(maxsize=256)
def shape_of(resource: Resource) -> Shape:
    """Return the shape of a kind's objects."""
    if resource.custom is None:
        return fields(metadata=METADATA, **_SPECS.get(resource.kind.name, {}))
    from_schema = _of_schema(resource.custom.schema)
    head = {"apiVersion": OPEN, "kind": OPEN, "metadata": METADATA}
    return Shape(fields={**from_schema.fields, **head}, closed=from_schema.closed)


def _of_schema(schema: JSON) -> Shape:
    if schema.get("type") == "array":
        return _of_list(schema)
    if schema.get("type") != "object":
        return OPEN
    named = {name: _of_schema(part) for name, part in schema.get("properties", {}).items()}
    if schema.get("x-kubernetes-embedded-resource"):
        named |= {"apiVersion": OPEN, "kind": OPEN, "metadata": METADATA}
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return Shape(
            fields=named,
            other=_of_schema(extra),
            atomic=schema.get("x-kubernetes-map-type") == "atomic",
        )
    return Shape(
        fields=named,
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        closed=not schema.get("x-kubernetes-preserve-unknown-fields") and extra is not True,
    )


def _of_list(schema: JSON) -> Shape:
    item = _of_schema(schema.get("items") or {})
    kind = schema.get("x-kubernetes-list-type")
    if kind == "map":
        return keyed(*schema.get("x-kubernetes-list-map-keys", ()), item=item)
    return Shape(item=item, is_set=kind == "set", atomic=kind == "atomic")


def in_order(
    ours: Sequence[Item], theirs: Sequence[Item], before: Sequence[str], name: Callable[[Item], str]
) -> list[Item]:
    """
    Return `ours` in their order with `theirs` woven in where they were.

    `before` is the order of all names before the merge.
    """
    index = {key: number for number, key in enumerate(before)}
    result: list[Item] = []
    left, right = list(ours), list(theirs)
    while left and right:
        position = index.get(name(left[0]), len(index))
        result.append(right.pop(0) if index.get(name(right[0]), 0) < position else left.pop(0))
    return result + left + right
