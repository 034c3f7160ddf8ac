"""
What the pods of each revision are to be like, by the role of their revision.

A revision on its way is the canary, the one that users' requests reach is stable; the first
of all is stable at once. A revision that has neither role any more, because it was promoted
past or given up, keeps what it has until its pods have gone.
"""

from collections.abc import Iterator

from rollouts.core.actions import Action, DressPod, DressReplicaSet, SetMinReady
from rollouts.core.dress import Dress, Worn
from rollouts.core.observed import ReplicaSet
from rollouts.core.world import World, under_way
from rollouts.model.kinds import GROUP, ROLLOUT_LABEL
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus

PODS_AT_ONCE = 10
"""So many are written to in one decision, so that nothing more urgent waits for long."""


def dress_of(spec: RolloutSpec, status: RolloutStatus, hash_: str) -> Dress | None:
    """Return what the role of this revision gives to its pods; None when it has no role."""
    stable, current = status.stable_revision, status.current_revision
    if stable is not None and stable.hash == hash_:
        metadata = spec.way.stable_metadata
    elif current is not None and current.hash == hash_:
        metadata = spec.way.stable_metadata if stable is None else spec.way.canary_metadata
    else:
        return None
    if metadata is None:
        return Dress()
    fixed = spec.selector.match_labels if spec.selector is not None else {}
    return Dress(
        {
            key: value
            for key, value in metadata.labels.items()
            if key not in fixed and _is_free(key)
        },
        {key: value for key, value in metadata.annotations.items() if _is_free(key)},
    )


def _is_free(key: str) -> bool:
    return not key.startswith(f"{GROUP}/")


def scale_selector(world: World) -> str:
    """
    Return what finds the Rollout's pods, of whichever revision, and nobody else's.

    It is the same at rest and in a release: an autoscaler forgets what it has learnt when the
    selector changes, and stops when it finds a neighbour's pods too.
    """
    label = f"{ROLLOUT_LABEL}={world.observed.name}"
    return ",".join(part for part in (world.observed.selector, label) if part)


def templates(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what makes the next pods of each ReplicaSet look like their revision's role.

    To be done before sizes change, so that no pod is born in the old dress.
    """
    for replica_set, dress in _dresses(world, status):
        if replica_set.min_ready_seconds != world.spec.min_ready_seconds:
            yield SetMinReady(replica_set.name, world.spec.min_ready_seconds)
        if not _is_up_to_date(replica_set, dress):
            yield DressReplicaSet(replica_set.name, dress)


def living(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what makes living pods look like their revision's role, once their template does.

    Nothing is yielded when all is as it should be.
    """
    relabels = not under_way(status) or status.selector == scale_selector(world)
    for replica_set, dress in _dresses(world, status):
        if _is_up_to_date(replica_set, dress):
            yield from _pods(replica_set, world.observed.name, relabels=relabels)


def _dresses(world: World, status: RolloutStatus) -> Iterator[tuple[ReplicaSet, Dress]]:
    for replica_set in world.observed.replica_sets.values():
        dress = dress_of(world.spec, status, replica_set.hash)
        if dress is not None and replica_set.owned:
            yield replica_set, dress


def _is_up_to_date(replica_set: ReplicaSet, dress: Dress) -> bool:
    return replica_set.labelled and bool(replica_set.worn.dress == dress)


def _pods(replica_set: ReplicaSet, rollout: str, *, relabels: bool) -> Iterator[Action]:
    """
    Yield the writes to pods that differ, a few at a time.

    The Rollout's label is not put on living pods in the middle of a release, when /scale does
    not need it yet: where pods' labels are labels of their metrics, each counter would become
    a new one while it is being counted.
    """
    worn: Worn = replica_set.worn
    others = [
        pod
        for pod in replica_set.pods
        if pod.mark != worn.dress.mark or (relabels and not pod.labelled)
    ]
    for pod in others[:PODS_AT_ONCE]:
        patch = worn.patch() if pod.mark != worn.dress.mark else {}
        labels = patch.get("labels", {})
        if relabels and not pod.labelled:
            labels = {**labels, ROLLOUT_LABEL: rollout}
        yield DressPod(pod.name, labels, patch.get("annotations", {}))
