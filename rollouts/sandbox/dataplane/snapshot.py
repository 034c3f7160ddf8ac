"""
What the data plane reads of a cluster, as of one moment.

Kinds that come with a CustomResourceDefinition may be served in any version, or not at all:
then there are none of them. Of endpoints only those are read that are pods of this sandbox, at
their own addresses: whoever writes an EndpointSlice can't have requests sent anywhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rollouts.model.kinds import CRD, ENDPOINT_SLICE, JSON, SERVICE, FrozenJSON, Kind
from rollouts.sandbox.apiserver.builtins import INGRESS, INGRESS_CLASS, NAMESPACE
from rollouts.sandbox.cluster import Objects
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS, GRPC_ROUTE, HTTP_ROUTE, TRAFFIC_SPLIT
from rollouts.sandbox.network import PodNetwork

_BUILT_IN = (INGRESS, SERVICE, ENDPOINT_SLICE, NAMESPACE, CRD)
_CUSTOM = (TRAFFIC_SPLIT, GATEWAY_CLASS, GATEWAY, HTTP_ROUTE, GRPC_ROUTE)
READ = (INGRESS_CLASS, INGRESS, SERVICE, ENDPOINT_SLICE, NAMESPACE, *_CUSTOM)
"""Whose objects a data plane has to see, besides the definitions of kinds."""


@dataclass(frozen=True, slots=True)
class RoutingSnapshot:
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


def snapshot(objects: Objects, network: PodNetwork) -> RoutingSnapshot:
    """Return what there is now."""

    def custom(kind: Kind) -> Sequence[JSON]:
        version = objects.served(kind)
        return objects.select(version) if version else ()

    return RoutingSnapshot(
        ingresses=objects.select(INGRESS),
        services=objects.select(SERVICE),
        slices=[reached(each, network) for each in objects.select(ENDPOINT_SLICE)],
        namespaces=objects.select(NAMESPACE),
        traffic_splits=custom(TRAFFIC_SPLIT),
        gateway_classes=custom(GATEWAY_CLASS),
        gateways=custom(GATEWAY),
        http_routes=custom(HTTP_ROUTE),
        grpc_routes=custom(GRPC_ROUTE),
    )


def reached(endpoint_slice: FrozenJSON, network: PodNetwork) -> JSON:
    """Return an EndpointSlice with the addresses at which its pods answer; without all others."""
    endpoints = [
        {
            **each,
            "addresses": [found for told in each["addresses"] if (found := network.reached(told))],
        }
        for each in endpoint_slice.get("endpoints") or ()
    ]
    return {**endpoint_slice, "endpoints": endpoints}


def watched(objects: Objects) -> tuple[Kind, ...]:
    """Return the kinds that a snapshot is made of, as they are served now, and that of their definitions."""
    found = (objects.served(kind) for kind in _CUSTOM)
    return (*_BUILT_IN, *(kind for kind in found if kind))


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
