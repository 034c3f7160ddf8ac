"""
What the pods of each revision are to be like, by the role of their revision.

A revision on its way is the canary, the one that users' requests reach is stable; the first
of all is stable at once. A revision that has neither role any more, because it was promoted
past or given up, keeps what it has until its pods have gone.
"""

from collections.abc import Iterator

from rollouts.core.template import RoleMetadata
from rollouts.core.world import ReplicaSet, World
from rollouts.model.kinds import GROUP, ROLLOUT_LABEL
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


def role_metadata_of(spec: RolloutSpec, status: RolloutStatus, hash_: str) -> RoleMetadata | None:
    """Return what the role of this revision gives to its pods; None when it has no role."""
    stable, current = status.stable_revision, status.current_revision
    if stable is not None and stable.hash == hash_:
        metadata = spec.active_strategy.stable_metadata
    elif current is not None and current.hash == hash_:
        metadata = (
            spec.active_strategy.stable_metadata
            if stable is None
            else spec.active_strategy.canary_metadata
        )
    else:
        return None
    if metadata is None:
        return RoleMetadata()
    fixed = spec.selector.match_labels if spec.selector is not None else {}
    return RoleMetadata(
        {
            key: value
            for key, value in metadata.labels.items()
            if key not in fixed and _is_free(key)
        },
        {key: value for key, value in metadata.annotations.items() if _is_free(key)},
    )


def with_roles(world: World, status: RolloutStatus) -> Iterator[tuple[ReplicaSet, RoleMetadata]]:
    """Yield the ReplicaSets whose revision has a role, with what that gives to their pods."""
    for replica_set in world.observed.replica_sets.values():
        metadata = role_metadata_of(world.spec, status, replica_set.hash)
        if metadata is not None and replica_set.owned:
            yield replica_set, metadata


def has_role_metadata(replica_set: ReplicaSet, metadata: RoleMetadata) -> bool:
    """Return whether the next pods of a ReplicaSet will have this, and the label of their Rollout."""
    return replica_set.labelled and bool(replica_set.applied.role == metadata)


def _is_free(key: str) -> bool:
    return not key.startswith(f"{GROUP}/")


def scale_selector(world: World) -> str:
    """
    Return what finds the Rollout's pods, of whichever revision, and nobody else's.

    It is the same when settled and in a release: an autoscaler forgets what it has learnt when the
    selector changes, and stops when it finds a neighbour's pods too.
    """
    label = f"{ROLLOUT_LABEL}={world.observed.name}"
    return ",".join(part for part in (world.observed.selector, label) if part)
