"""Which kinds the controller reads, and how much of each."""

from rollouts.model.kinds import (
    AUTOSCALER,
    CRD,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    GRPC_ROUTE,
    HASH_LABEL,
    HTTP_ROUTE,
    INGRESS,
    POD,
    POLICIES,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    SERVICE,
    TRAFFIC_SPLIT,
    TRAFFIC_SPLIT_VERSIONS,
    Kind,
)
from rollouts.ports import Scope

_ROUTE = Scope(versions=("v1",), owners=("spec.rules",), needed=False)
_TARGETS = ("metadata", "spec.targetRef", "spec.targetRefs", "spec.targetSelectors")
_WITH_CRD = {
    HTTP_ROUTE: _ROUTE,
    GRPC_ROUTE: _ROUTE,
    TRAFFIC_SPLIT: Scope(versions=TRAFFIC_SPLIT_VERSIONS, needed=False),
    SCALED_OBJECT: Scope(
        versions=("v1alpha1",), fields=("metadata", "spec", "status.conditions"), needed=False
    ),
    **{
        kind: Scope(versions=versions, fields=_TARGETS, needed=False)
        for kind, versions in POLICIES.items()
    },
}
WATCHED: dict[Kind, Scope] = {
    ROLLOUT: Scope(),
    REPLICA_SET: Scope(HASH_LABEL),
    DEPLOYMENT: Scope(fields=("metadata", "spec", "status"), owners=("spec.replicas",)),
    POD: Scope(
        HASH_LABEL,
        (
            "metadata.namespace",
            "metadata.name",
            "metadata.uid",
            "metadata.resourceVersion",
            "metadata.labels",
            "metadata.ownerReferences",
            "metadata.creationTimestamp",
            "metadata.deletionTimestamp",
            "status.phase",
            "status.conditions",
            "status.initContainerStatuses",
            "status.containerStatuses",
        ),
    ),
    SERVICE: Scope(owners=("spec.selector",)),
    ENDPOINT_SLICE: Scope(),
    INGRESS: Scope(),
    CRD: Scope(
        names=tuple(kind.crd_name for kind in _WITH_CRD),
        fields=(
            "metadata.name",
            "metadata.uid",
            "metadata.resourceVersion",
            "metadata.deletionTimestamp",
            "spec.versions.name",
            "spec.versions.served",
            "status.conditions.type",
            "status.conditions.status",
        ),
        needed=False,
    ),
    **_WITH_CRD,
    AUTOSCALER: Scope(
        fields=(
            "metadata",
            "spec.scaleTargetRef",
            "spec.minReplicas",
            "spec.maxReplicas",
            "spec.metrics",
            "spec.behavior",
            "status",
        ),
        needed=False,
    ),
    DISRUPTION_BUDGET: Scope(fields=("metadata", "spec", "status"), needed=False),
}
"""
The kinds that a controller has to have in its caches, and how much of each.

Of a cluster's pods and ReplicaSets only Rollouts' own carry the label, orphans included; all
the others would cost memory for nothing. Kinds that not every release needs do not hold up
the controller when it may not read them: the Rollouts that use them say that they are missing.
"""
