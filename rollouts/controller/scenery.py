"""The routing objects around a Rollout, as its routers see them. Reads caches only."""

from collections.abc import Iterator

from rollouts.model.kinds import (
    CRD,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    SERVICE,
    TRAFFIC_SPLIT,
    TRAFFIC_SPLIT_VERSIONS,
    FrozenJSON,
    Kind,
    Ref,
    served_version,
)
from rollouts.model.routing import TrafficRouting
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Cluster
from rollouts.traffic.scene import Scene

VERSIONS = {
    HTTP_ROUTE: (HTTP_ROUTE.version,),
    GRPC_ROUTE: (GRPC_ROUTE.version,),
    TRAFFIC_SPLIT: TRAFFIC_SPLIT_VERSIONS,
}
"""The routing kinds that come with a CRD, and the versions of them that we write, the best first."""


def scenery(cluster: Cluster, rollout: FrozenJSON, spec: RolloutSpec) -> Scene:
    """Return the objects of the kinds that the Rollout's routers read and write."""
    namespace = rollout["metadata"]["namespace"]
    kinds = set(routing_kinds(spec.routing)) | {SERVICE}
    served = {}
    for kind in kinds & VERSIONS.keys():
        crd = cluster.get(Ref(CRD, "", kind.crd_name))
        version = served_version(crd, VERSIONS[kind]) if crd is not None else None
        if version is not None:
            served[kind] = version
    objects = {
        kind: {each["metadata"]["name"]: each for each in cluster.select(kind, namespace)}
        for kind in kinds
    }
    return Scene(spec, rollout, objects, served)


def routing_kinds(routing: TrafficRouting | None) -> Iterator[Kind]:
    """Yield the kinds of the routing objects that these routers read and write."""
    if routing is None:
        return
    if routing.nginx is not None:
        yield INGRESS
    if routing.smi is not None:
        yield TRAFFIC_SPLIT
    if routing.gateway_api is not None:
        yield HTTP_ROUTE
        yield GRPC_ROUTE
