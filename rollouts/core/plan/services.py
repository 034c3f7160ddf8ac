"""
What each Service is to be: which revision it selects, and what becomes of one that is named no longer.

No Service that had ready endpoints is left with none, whatever the spec becomes: one is bound to a
revision that has ready pods, and narrowed to fewer endpoints only where they are not many others'.
What the user's has of us is remembered in status, and given back once it is named no longer.
"""

from collections.abc import Iterable, Iterator

from rollouts.core.facts import (
    is_held,
    may_have_retreated,
    may_narrow,
    may_switch_back,
    may_take_over,
    next_weight,
    served_by_others,
    service_is_outdated,
    stable_is_alone,
    unnamed_services,
    would_lose_all,
)
from rollouts.core.plan.actions import (
    Action,
    CreateService,
    FollowService,
    ReleaseService,
    SelectRevision,
)
from rollouts.core.world import (
    Service,
    World,
    carrier_of,
    drift_pause_ends,
    enough_pods,
    pods_needed,
    under_way,
)
from rollouts.model.status import Revision, RolloutStatus


def service_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between the Services and `status`."""
    if not world.services_are_claimed:
        yield from _switch(world, status)
    if status.stable_revision is None or drift_pause_ends(status, world.now) is not None:
        return
    if not world.services_are_claimed:
        yield from _to_follow(world, status)
        yield from _named(world, status, status.stable_revision)
    yield from _let_go(world, status)


def _to_follow(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield that the canary Service is made as its stable Service is; before anything is sent to it."""
    service = world.canary_service
    if service is not None and service_is_outdated(world, status, service):
        yield FollowService(service.name)


def _named(world: World, status: RolloutStatus, stable: Revision) -> Iterator[Action]:
    """Point the Services that the spec names at the revisions that they are for."""
    service, canary_service = world.stable_service, world.canary_service
    may = service is not None and may_narrow(world, status, service)
    if may and carrier_of(world.spec).is_switched:
        switched = under_way(status) and next_weight(world, status) > 0
        may = not switched and may_switch_back(world, status)
    if service is not None and may:
        yield from _bind(world, service, stable)
    if under_way(status):
        if service is not None:
            yield from _to_canary(world, status)
    elif (
        canary_service is not None
        and may_narrow(world, status, canary_service)
        and not world.observed.route.exists
    ):
        yield from _bind(world, canary_service, stable)


def _bind(world: World, service: Service, revision: Revision | None) -> Iterator[SelectRevision]:
    """Point a Service at a revision that has a ready pod, unless that would be none of its endpoints."""
    if revision is None or service.selected_hash == revision.hash:
        return
    if world.is_selectable(revision) and not would_lose_all(service, revision):
        yield SelectRevision(service.name, revision.hash)


def _to_canary(world: World, status: RolloutStatus) -> Iterator[Action]:
    service, canary = world.canary_service, world.replica_set(status.current_revision)
    if canary is None or (service is not None and service.selected_hash == canary.hash):
        return
    if world.spec.canary_service is None:
        return
    if service is not None and served_by_others(world, status, service):
        return
    if status.weights.applied > 0:  # somebody else pointed it away
        if service is not None:
            yield from _bind(world, service, status.current_revision)
        return
    wanted = max(1, pods_needed(world.spec, status))
    due = enough_pods(world.spec, wanted, canary) <= canary.available
    if not due or is_held(world, status):
        return
    if service is None:
        yield CreateService(world.spec.canary_service, canary.hash)
    elif (
        carrier_of(world.spec).is_switched
        or world.observed.route.highest == 0
        or may_take_over(world, status)
    ):
        # Traffic that is on its way to a superseded canary must not reach this one, unless
        # it is the only one to answer it.
        yield from _bind(world, service, status.current_revision)


def _switch(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at the revision that is to have all the traffic: one write."""
    active, new = world.stable_service, status.current_revision
    if not carrier_of(world.spec).is_switched or active is None:
        return
    if new is None or not under_way(status) or next_weight(world, status) == 0:
        return  # stable is to be active, which `service_writes` sees to
    if drift_pause_ends(status, world.now) is not None or may_have_retreated(world, status):
        return
    if not served_by_others(world, status, active):
        yield from _bind(world, active, new)


def services_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what takes Services back from the canary; `status` is the one to be written."""
    if carrier_of(world.spec).is_switched:
        yield from _switch_back(world, status)
    yield from _let_go(world, status)


def _switch_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at stable again."""
    active = world.stable_service
    if active is None or served_by_others(world, status, active):
        return
    if may_switch_back(world, status):
        yield from _bind(world, active, status.stable_revision)


def _let_go(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what becomes of the Services that the spec names no longer.

    They are given back, also what we made, while no other revision than stable has pods: a Service
    without our key selects them all. Until then they go along with stable: nobody else would point
    them at another revision when the present one goes.
    """
    stable = status.stable_revision
    if stable is None:
        return
    for service in unnamed_services(world):
        if not service.selected_hash:
            continue
        if stable_is_alone(world, stable):
            yield ReleaseService(service.name)
        else:
            yield from _bind(world, service, stable)


def followed(actions: Iterable[Action]) -> list[str]:
    """Return the Services that these actions make as their stable Service is."""
    return [each.name for each in actions if isinstance(each, FollowService)]
