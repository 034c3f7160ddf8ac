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
from rollouts.core.world import World
from rollouts.model.kinds import GROUP
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


def placing(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what makes ReplicaSets and living pods look like their revision's role.

    The ReplicaSet first, so that no pod is born in the old dress once the living ones are
    changed. Nothing is yielded when all is as it should be.
    """
    for replica_set in world.observed.replica_sets.values():
        dress = dress_of(world.spec, status, replica_set.hash)
        if dress is None or not replica_set.owned:
            continue
        if replica_set.min_ready_seconds != world.spec.min_ready_seconds:
            yield SetMinReady(replica_set.name, world.spec.min_ready_seconds)
        if replica_set.worn.dress != dress:
            yield DressReplicaSet(replica_set.name, dress)
        else:
            yield from _pods(replica_set)


def _pods(replica_set: ReplicaSet) -> Iterator[Action]:
    worn: Worn = replica_set.worn
    others = [pod for pod in replica_set.pods if pod.mark != worn.dress.mark]
    for pod in others[:PODS_AT_ONCE]:
        patch = worn.patch()
        yield DressPod(pod.name, patch.get("labels", {}), patch.get("annotations", {}))
