"""
How far a Deployment has its place again: one stage after the other, each seen before the next begins.

`revert_stage` tells the stage; what is said of it is in `next`, and what is written in `plan`.
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
class NothingToRevert:
    """There is no workloadRef, or nothing was taken yet."""


@dataclass(frozen=True, slots=True)
class WorkloadMissing:
    """The Deployment is gone."""

    workload: Workload
    since: datetime
    until: datetime | None
    """Until when it is waited for; None when it is waited for no longer."""
    leaves_some: bool
    """Services or routes are not as they were before, and somebody may need that they are."""


@dataclass(frozen=True, slots=True)
class ToRestoreWorkload:
    """The Deployment is to be given its pods, and the template of stable."""

    workload: Workload
    replicas: int
    is_smaller: bool
    """It has fewer pods now."""
    template_of: Revision | None
    """The revision whose template it is to have; None when it has that."""


@dataclass(frozen=True, slots=True)
class ToReleaseServices:
    """It can answer, or at least better than we: the Services are to select as they did before."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class PodsStarting:
    """Its pods are not available yet."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class EndpointsPending:
    """Its pods are not all among the endpoints of the stable Service yet."""

    workload: Workload
    arrived: int


@dataclass(frozen=True, slots=True)
class ClearingRoutes:
    """The routes are to be cleared."""

    workload: Workload
    since: datetime
    """Since when its pods have all served."""


@dataclass(frozen=True, slots=True)
class Draining:
    """It serves, and the data plane has until `until` to know that."""

    workload: Workload
    since: datetime
    """Since when its pods have all served."""
    until: datetime


@dataclass(frozen=True, slots=True)
class Reverted:
    """Nothing is left to be done."""

    workload: Workload
    since: datetime
    """Since when its pods have all served."""


Reverting = (
    WorkloadMissing
    | ToRestoreWorkload
    | ToReleaseServices
    | PodsStarting
    | EndpointsPending
    | ClearingRoutes
    | Draining
    | Reverted
)
RevertStage = NothingToRevert | Reverting


def revert_stage(world: World, status: RolloutStatus) -> RevertStage:
    """Return how far everything is given back, once `stable_has_all_traffic`."""
    workload = world.observed.workload
    begun = status.current_revision is not None or bool(world.observed.replica_sets)
    if workload is None or not begun:
        return NothingToRevert()
    if not workload.exists:
        return _without_workload(world, status.adoption, workload)
    if _has_to_be_restored(world, status, workload):
        return _to_restore(world, status, workload)
    if services_to_release(world) and (
        workload.serves or not world.is_selectable(status.stable_revision)
    ):
        # Where no pod of ours is ready any more, any of the Deployment's is better than none.
        return ToReleaseServices(workload)
    if not workload.serves:
        return PodsStarting(workload)
    return _at_the_end(world, status.adoption, workload)


def services_to_release(world: World) -> list[str]:
    """Return the user's Services that have our key in their selector."""
    found = world.observed.services.values()
    return [each.name for each in found if each.has_our_key and not each.ours]


def _without_workload(
    world: World, adoption: Adoption | None, workload: Workload
) -> WorkloadMissing:
    """Wait a while for a Deployment that is gone, then go without giving anything back."""
    since = (adoption.missing_since if adoption is not None else None) or world.now
    due, deserted = since + _MADE_AGAIN_WITHIN, _is_deserted(world)
    return WorkloadMissing(
        workload,
        since,
        until=due if not deserted and world.now < due else None,
        # Whoever comes next needs them as they were; in a namespace that goes, nobody does.
        leaves_some=not deserted and (bool(services_to_release(world)) or world.route.exists),
    )


def _to_restore(world: World, status: RolloutStatus, workload: Workload) -> ToRestoreWorkload:
    stable = status.stable_revision
    kept = world.replica_set(stable)
    differs = kept is not None and world.observed.template_hash != kept.hash
    replicas = max(workload.replicas, _replicas_to_restore(world, status, workload))
    return ToRestoreWorkload(
        workload,
        replicas,
        is_smaller=replicas != workload.replicas,
        template_of=stable if differs else None,
    )


def _at_the_end(
    world: World, adoption: Adoption | None, workload: Workload
) -> EndpointsPending | ClearingRoutes | Draining | Reverted:
    """Give the data plane its time with the Deployment's pods."""
    service = world.stable_service
    arrived = service.other_endpoints if service is not None else workload.replicas
    if arrived < workload.replicas:
        return EndpointsPending(workload, arrived)
    since = (adoption.released_at if adoption is not None else None) or world.now
    due = since + timedelta(seconds=world.spec.active_strategy.scale_down_delay_seconds)
    if world.route.exists:
        return ClearingRoutes(workload, since)
    if world.now < due:
        return Draining(workload, since, due)
    return Reverted(workload, since)


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


def _has_to_be_restored(world: World, status: RolloutStatus, workload: Workload) -> bool:
    """Return whether the Deployment is not yet what it is to be; what others do to it later is theirs."""
    adoption = status.adoption
    if adoption is None or adoption.restored_at is None or adoption.uid != workload.uid:
        return True
    return workload.replicas == 0 and _replicas_to_restore(world, status, workload) > 0


def _replicas_to_restore(world: World, status: RolloutStatus, workload: Workload) -> int:
    """Return how many pods the Deployment gets: what it had, or what its place has now, if that is more."""
    stable = world.replica_set(status.stable_revision)
    had = status.adoption.replicas if status.adoption is not None else workload.replicas
    if stable is None:
        return had
    return max(had, world.spec.replicas, stable.wanted)
