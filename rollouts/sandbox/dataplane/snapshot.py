"""
What the data plane reads of the store, as of one moment.

Kinds that come with a CustomResourceDefinition may be served in any version, or not at all:
then there are none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rollouts.model.kinds import CRD, ENDPOINT_SLICE, JSON, SERVICE, FrozenJSON, Kind
from rollouts.sandbox.apiserver.builtins import INGRESS, NAMESPACE
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS, GRPC_ROUTE, HTTP_ROUTE, TRAFFIC_SPLIT

_BUILT_IN = (INGRESS, SERVICE, ENDPOINT_SLICE, NAMESPACE, CRD)
_CUSTOM = (TRAFFIC_SPLIT, GATEWAY_CLASS, GATEWAY, HTTP_ROUTE, GRPC_ROUTE)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every object that routes are made of."""

    ingresses: Sequence[JSON] = ()
    services: Sequence[JSON] = ()
    slices: Sequence[JSON] = ()
    namespaces: Sequence[JSON] = ()
    traffic_splits: Sequence[JSON] = ()
    gateway_classes: Sequence[JSON] = ()
    gateways: Sequence[JSON] = ()
    http_routes: Sequence[JSON] = ()
    grpc_routes: Sequence[JSON] = ()


def snapshot(store: Store) -> Snapshot:
    """Return what the store holds now."""

    def custom(kind: Kind) -> Sequence[JSON]:
        version = served(store, kind)
        return store.select(version) if version else ()

    return Snapshot(
        ingresses=store.select(INGRESS),
        services=store.select(SERVICE),
        slices=store.select(ENDPOINT_SLICE),
        namespaces=store.select(NAMESPACE),
        traffic_splits=custom(TRAFFIC_SPLIT),
        gateway_classes=custom(GATEWAY_CLASS),
        gateways=custom(GATEWAY),
        http_routes=custom(HTTP_ROUTE),
        grpc_routes=custom(GRPC_ROUTE),
    )


def watched(store: Store) -> tuple[Kind, ...]:
    """Return the kinds that a snapshot is made of, as they are served now, and that of their definitions."""
    found = (served(store, kind) for kind in _CUSTOM)
    return (*_BUILT_IN, *(kind for kind in found if kind))


def served(store: Store, kind: Kind) -> Kind | None:
    """Return the kind as it is, or else in another version that is served; None when none is."""
    versions = [
        resource.kind
        for resource in store.registry
        if (resource.kind.group, resource.kind.plural) == (kind.group, kind.plural)
    ]
    return kind if kind in versions else next(iter(versions), None)


def age(obj: FrozenJSON) -> tuple[str, str, str]:
    """
    Return a key that sorts the oldest first.

    Of two objects that claim the same, the older goes first, then by namespace and name.
    """
    meta = obj["metadata"]
    return (
        str(meta.get("creationTimestamp", "")),
        str(meta.get("namespace", "")),
        str(meta["name"]),
    )
