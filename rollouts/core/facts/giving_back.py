"""How far a Deployment has its place again."""

from collections.abc import Iterable
from datetime import timedelta

from rollouts.core.world import ReplicaSet, Workload, World, current_route, under_way
from rollouts.model.status import Revision, RolloutStatus

IN_FLIGHT_SECONDS = 30.0
"""How long a revision that was left stays at most, on the way out."""


MADE_AGAIN_WITHIN = timedelta(minutes=1)
"""How long a Deployment that is gone is waited for: while it is replaced it is away for a moment."""


def is_home(world: World, status: RolloutStatus) -> bool:
    """
    Return whether no request goes to another revision than the stable one, as far as one can tell.

    Nor will one: a Service that has its own selector back selects the pods of every revision.
    """
    stable, service = status.stable_revision, world.stable_service
    if stable is None or is_deserted(world):
        return True
    if under_way(status) or current_route(world, status).highest > 0:
        return False
    if not world.stands(stable):
        return True
    bound = service is None or service.selected_hash in ("", stable.hash)
    return bound and not other_pods(world, stable)


def other_pods(world: World, stable: Revision) -> list[ReplicaSet]:
    """Return the other revisions that have pods still, where Services are to select all pods again."""
    if world.observed.workload is None:
        return []
    found = world.observed.replica_sets.values()
    return [each for each in found if each.existing > 0 and each.hash != stable.hash]


def named_revisions(found: Iterable[ReplicaSet]) -> str:
    names = (f"revision {each.revision} ({', '.join(each.images) or each.hash})" for each in found)
    return " and ".join(names)


def is_deserted(world: World) -> bool:
    """Return whether there is neither a Deployment nor a ready pod of ours, as in a namespace that goes."""
    workload = world.observed.workload
    served = any(each.ready > 0 for each in world.observed.replica_sets.values())
    return workload is not None and not workload.exists and not served


def has_to_be_restored(world: World, status: RolloutStatus, workload: Workload) -> bool:
    """Return whether the Deployment is not yet what it is to be; what others do to it later is theirs."""
    adoption = status.adoption
    if adoption is None or adoption.restored_at is None or adoption.uid != workload.uid:
        return True
    return workload.replicas == 0 and replicas_to_restore(world, status) > 0


def replicas_to_restore(world: World, status: RolloutStatus) -> int:
    """Return how many pods the Deployment gets: what it had, or what its place has now, if that is more."""
    stable = world.replica_set(status.stable_revision)
    remembered = status.adoption.replicas if status.adoption is not None else 0
    if stable is None:
        return remembered
    return max(remembered, world.spec.replicas, stable.wanted)
