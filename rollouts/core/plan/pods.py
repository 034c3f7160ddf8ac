"""Which writes templates and living pods need: what their role gives them, and the evictions of a restart."""

from collections.abc import Iterator

from rollouts.core.facts import (
    available_to_users,
    has_role_metadata,
    pods_to_restart,
    scale_selector,
    with_roles,
)
from rollouts.core.plan.actions import (
    Action,
    EvictPod,
    SetMinReady,
    SetPodMetadata,
    SetTemplateMetadata,
)
from rollouts.core.world import ReplicaSet, World, restart_pace, under_way
from rollouts.model.kinds import ROLLOUT_LABEL
from rollouts.model.status import RolloutStatus

PODS_AT_ONCE = 10
"""So many are written to in one decision, so that nothing more urgent waits for long."""


def evictions(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the evictions of the pods that are to go, as far as enough others are available now."""
    wish, stable = status.restart, world.replica_set(status.stable_revision)
    if wish is None or stable is None or under_way(status):
        return
    room = available_to_users(world, stable) - restart_pace(world.spec, status).keep
    pods = {pod.name: pod for pod in pods_to_restart(stable, wish)}
    for pod in [pods[name] for name in wish.going if name in pods]:
        if pod.ready:
            room -= 1
        if not pod.ready or room >= 0:
            yield EvictPod(pod.name)


def templates(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what makes the next pods of each ReplicaSet look like their revision's role.

    To be done before sizes change, so that no pod is made with what another role gave.
    """
    for replica_set, role in with_roles(world, status):
        if replica_set.min_ready_seconds != world.spec.min_ready_seconds:
            yield SetMinReady(replica_set.name, world.spec.min_ready_seconds)
        if not has_role_metadata(replica_set, role):
            yield SetTemplateMetadata(replica_set.name, role)


def living_pods(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what makes living pods look like their revision's role, once their template does.

    Nothing is yielded when all is as it should be.
    """
    relabels = not under_way(status) or status.selector == scale_selector(world)
    for replica_set, role in with_roles(world, status):
        if has_role_metadata(replica_set, role):
            yield from _pod_writes(replica_set, world.observed.name, relabels=relabels)


def _pod_writes(replica_set: ReplicaSet, rollout: str, *, relabels: bool) -> Iterator[Action]:
    """
    Yield the writes to pods that differ, a few at a time.

    The Rollout's label is not put on living pods in the middle of a release, when /scale does
    not need it yet: where pods' labels are labels of their metrics, each counter would become
    a new one while it is being counted.
    """
    applied = replica_set.applied
    others = [
        pod
        for pod in replica_set.pods
        if pod.mark != applied.role.mark or (relabels and not pod.labelled)
    ]
    for pod in others[:PODS_AT_ONCE]:
        patch = applied.patch() if pod.mark != applied.role.mark else {}
        labels = patch.get("labels", {})
        if relabels and not pod.labelled:
            labels = {**labels, ROLLOUT_LABEL: rollout}
        yield SetPodMetadata(pod.name, labels, patch.get("annotations", {}))
