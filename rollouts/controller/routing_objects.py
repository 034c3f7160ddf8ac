"""The routing objects around a Rollout, as its routers see them. Reads caches only."""

from rollouts.model.kinds import (
    CRD,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    SERVICE,
    TRAFFIC_SPLIT,
    TRAFFIC_SPLIT_VERSIONS,
    FrozenJSON,
    Ref,
    served_version,
)
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
    """Return the objects of all the kinds that routers read and write, of those that a spec had before, too."""
    namespace = rollout["metadata"]["namespace"]
    kinds = {INGRESS, SERVICE} | VERSIONS.keys()
    served = {}
    for kind, versions in VERSIONS.items():
        crd = cluster.get(Ref(CRD, "", kind.crd_name))
        version = served_version(crd, versions) if crd is not None else None
        if version is not None:
            served[kind] = version
    objects = {
        kind: {each["metadata"]["name"]: each for each in cluster.select(kind, namespace)}
        for kind in kinds
    }
    return Scene(spec, rollout, objects, served)
