"""
How far a Deployment has its place again: one stage after the other, each seen before the next begins.

`give_back_stage` tells the stage; what is said of it is in `next`, and what is written in `plan`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.core.world import ReplicaSet, Workload, World, current_route, under_way
from rollouts.model.status import Adoption, Revision, RolloutStatus

IN_FLIGHT_SECONDS = 30.0
"""How long a revision that was left stays at most, on the way out."""
_MADE_AGAIN_WITHIN = timedelta(minutes=1)
"""How long a Deployment that is gone is waited for: while it is replaced it is away for a moment."""


@dataclass(frozen=True, slots=True)
class NothingToGive:
    """There is no workloadRef, or nothing was taken yet."""


@dataclass(frozen=True, slots=True)
class WithoutWorkload:
    """The Deployment is gone, since `adoption.missing_since`."""

    name: str
    adoption: Adoption
    until: datetime | None
    """Until when it is waited for; None when it is waited for no longer."""
    leaves_some: bool
    """Services or routes are not as they were before, and somebody may need that they are."""


@dataclass(frozen=True, slots=True)
class ToRestore:
    """The Deployment is to be given its pods, and the template of stable."""

    name: str
    adoption: Adoption
    replicas: int
    is_smaller: bool
    """It has another number of pods now."""
    template_of: Revision | None
    """The revision whose template it is to have; None when it has that."""


@dataclass(frozen=True, slots=True)
class ToRelease:
    """It can answer, or at least better than we: the Services are to select as they did before."""

    name: str
    adoption: Adoption


@dataclass(frozen=True, slots=True)
class Starting:
    """Its pods are not available yet."""

    adoption: Adoption
    workload: Workload


@dataclass(frozen=True, slots=True)
class Arriving:
    """Its pods are not all among the endpoints of the stable Service yet."""

    adoption: Adoption
    workload: Workload
    arrived: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """The routes are to be cleared; its pods have served since `adoption.released_at`."""

    adoption: Adoption


@dataclass(frozen=True, slots=True)
class Draining:
    """It serves, and the data plane has until `until` to know that."""

    name: str
    adoption: Adoption
    until: datetime


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Nothing is left to be done."""

    adoption: Adoption
    workload: Workload


GivingBack = (
    NothingToGive
    | WithoutWorkload
    | ToRestore
    | ToRelease
    | Starting
    | Arriving
    | Clearing
    | Draining
    | GivenBack
)


def give_back_stage(world: World, status: RolloutStatus) -> GivingBack:
    """Return how far everything is given back, once `stable_has_all_traffic`."""
    workload = world.observed.workload
    begun = status.current_revision is not None or bool(world.observed.replica_sets)
    if workload is None or not begun:
        return NothingToGive()
    adoption = status.adoption or Adoption(
        name=workload.name, uid=workload.uid, replicas=workload.replicas, at=world.now
    )
    if not workload.exists:
        return _without_workload(world, adoption, workload)
    adoption = adoption.evolve(missing_since=None)
    if _has_to_be_restored(world, status, adoption, workload):
        return _to_restore(world, status, adoption, workload)
    if services_to_release(world) and (
        workload.serves or not world.is_selectable(status.stable_revision)
    ):
        # Where no pod of ours is ready any more, any of the Deployment's is better than none.
        return ToRelease(workload.name, adoption)
    if not workload.serves:
        return Starting(adoption, workload)
    return _at_the_end(world, adoption, workload)


def services_to_release(world: World) -> list[str]:
    """Return the user's Services that have our key in their selector."""
    found = world.observed.services.values()
    return [each.name for each in found if each.selected_hash and not each.ours]


def _without_workload(world: World, adoption: Adoption, workload: Workload) -> WithoutWorkload:
    """Wait a while for a Deployment that is gone, then go without giving anything back."""
    since = adoption.missing_since or world.now
    due, deserted = since + _MADE_AGAIN_WITHIN, _is_deserted(world)
    return WithoutWorkload(
        workload.name,
        adoption.evolve(missing_since=since),
        until=due if not deserted and world.now < due else None,
        # Whoever comes next needs them as they were; in a namespace that goes, nobody does.
        leaves_some=not deserted
        and (bool(services_to_release(world)) or world.observed.route.exists),
    )


def _to_restore(
    world: World, status: RolloutStatus, adoption: Adoption, workload: Workload
) -> ToRestore:
    stable = status.stable_revision
    kept = world.replica_set(stable)
    differs = kept is not None and world.observed.template_hash != kept.hash
    replicas = max(workload.replicas, _replicas_to_restore(world, status, adoption))
    return ToRestore(
        workload.name,
        adoption.evolve(
            uid=workload.uid, restored_at=world.now, released_at=None, scaled_down=False
        ),
        replicas,
        is_smaller=replicas != workload.replicas,
        template_of=stable if differs else None,
    )


def _at_the_end(
    world: World, adoption: Adoption, workload: Workload
) -> Arriving | Clearing | Draining | GivenBack:
    """Give the data plane its time with the Deployment's pods."""
    service = world.stable_service
    arrived = service.other_endpoints if service is not None else workload.replicas
    if arrived < workload.replicas:
        return Arriving(adoption.evolve(released_at=None), workload, arrived)
    since = adoption.released_at or world.now
    due = since + timedelta(seconds=world.spec.active_strategy.scale_down_delay_seconds)
    adoption = adoption.evolve(released_at=since)
    if world.observed.route.exists:
        return Clearing(adoption)
    if world.now < due:
        return Draining(workload.name, adoption, due)
    return GivenBack(adoption, workload)


def stable_has_all_traffic(world: World, status: RolloutStatus) -> bool:
    """
    Return whether no request goes to another revision than the stable one, as far as one can tell.

    Nor will one: a Service that has its own selector back selects the pods of every revision.
    """
    stable, service = status.stable_revision, world.stable_service
    if stable is None or _is_deserted(world):
        return True
    if under_way(status) or current_route(world, status).highest > 0:
        return False
    if not world.is_selectable(stable):
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


def _is_deserted(world: World) -> bool:
    """Return whether there is neither a Deployment nor a ready pod of ours, as in a namespace that goes."""
    workload = world.observed.workload
    served = any(each.ready > 0 for each in world.observed.replica_sets.values())
    return workload is not None and not workload.exists and not served


def _has_to_be_restored(
    world: World, status: RolloutStatus, adoption: Adoption, workload: Workload
) -> bool:
    """Return whether the Deployment is not yet what it is to be; what others do to it later is theirs."""
    if adoption.restored_at is None or adoption.uid != workload.uid:
        return True
    return workload.replicas == 0 and _replicas_to_restore(world, status, adoption) > 0


def _replicas_to_restore(world: World, status: RolloutStatus, adoption: Adoption) -> int:
    """Return how many pods the Deployment gets: what it had, or what its place has now, if that is more."""
    stable = world.replica_set(status.stable_revision)
    remembered = adoption.replicas
    if stable is None:
        return remembered
    return max(remembered, world.spec.replicas, stable.wanted)
