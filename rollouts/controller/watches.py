"""Which kinds the controller reads, and how much of each."""

from collections.abc import Iterable

from rollouts.controller.definition import STATUS_SCHEMA
from rollouts.model.kinds import (
    AUTOSCALER,
    CRD,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    HASH_LABEL,
    POD,
    RELEASE_RECORD,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    SERVICE,
    Kind,
)
from rollouts.ports import Scope
from rollouts.traffic.router import RoutingKind
from rollouts.traffic.routers import kinds


def _by_group(each: RoutingKind) -> str:
    return each.kind.group


ROUTING = sorted((each for each in kinds() if each.is_written), key=_by_group)
"""The routing objects, in an order that tells nothing of the routers' own: the permissions have it too."""
BESIDE_ROUTING = [each for each in kinds() if not each.is_written]
"""What routers read besides."""


def _scope(each: RoutingKind) -> Scope:
    """Return how much of a routing kind is read; one that comes with a CRD may not be there."""
    needed = not each.versions
    return Scope(
        fields=each.fields, versions=each.versions, owners=each.users_fields, needed=needed
    )


def _scopes(found: Iterable[RoutingKind]) -> dict[Kind, Scope]:
    return {each.kind: _scope(each) for each in found}


_WITH_CRD = {
    **_scopes(each for each in ROUTING if each.versions),
    SCALED_OBJECT: Scope(versions=("v1alpha1",), fields=("metadata", "spec"), needed=False),
    **_scopes(BESIDE_ROUTING),
}
_WHOSE = (
    "metadata.namespace",
    "metadata.name",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.labels",
    "metadata.ownerReferences",
)
"""What tells an object apart, and whose it is."""
WATCHED: dict[Kind, Scope] = {
    ROLLOUT: Scope(),
    RELEASE_RECORD: Scope(
        fields=(*_WHOSE, "metadata.deletionTimestamp"),
        needed=False,
    ),
    REPLICA_SET: Scope(HASH_LABEL),
    DEPLOYMENT: Scope(fields=("metadata", "spec", "status"), owners=("spec.replicas",)),
    POD: Scope(
        HASH_LABEL,
        (
            *_WHOSE,
            "metadata.creationTimestamp",
            "metadata.deletionTimestamp",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.conditions",
            "status.initContainerStatuses",
            "status.containerStatuses",
        ),
    ),
    SERVICE: Scope(owners=("spec.selector",)),
    ENDPOINT_SLICE: Scope(),
    **_scopes(each for each in ROUTING if not each.versions),
    CRD: Scope(
        names=tuple(kind.crd_name for kind in (ROLLOUT, RELEASE_RECORD, *_WITH_CRD)),
        fields=(
            "metadata.name",
            "metadata.uid",
            "metadata.resourceVersion",
            "metadata.deletionTimestamp",
            "spec.versions.name",
            "spec.versions.served",
            STATUS_SCHEMA,
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
        ),
        needed=False,
    ),
    DISRUPTION_BUDGET: Scope(fields=("metadata", "spec"), needed=False),
}
"""
The kinds that a controller has to have in its caches, and how much of each.

What is not kept wakes nobody up: an autoscaler's status changes every 15 seconds, a budget's with
every pod, and what we do depends on neither.

Of a cluster's pods and ReplicaSets only Rollouts' own carry the label, orphans included; all
the others would cost memory for nothing. Kinds that not every release needs do not hold up
the controller when it may not read them: the Rollouts that use them say that they are missing.
"""
