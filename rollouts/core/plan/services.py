"""
What each Service is to be: which revision it selects, and what becomes of one that is named no longer.

No Service that had ready endpoints is left with none, whatever the spec becomes: one is bound to a
revision that has ready pods, and narrowed to fewer endpoints only where they are not many others'.
What the user's has of us is remembered in status before it has it, and given back once it is named no longer.
"""

from collections.abc import Iterable, Iterator

from rollouts.core.facts import (
    canary_service_is_due,
    is_led_to,
    is_to_be_active,
    may_bind,
    may_bind_to_stable,
    may_switch_back,
    retirement_is_due,
    served_by_others,
    service_is_outdated,
    stable_is_alone,
    unnamed_services,
)
from rollouts.core.plan.actions import (
    Action,
    CreateService,
    ReleaseService,
    SelectRevision,
    SyncService,
)
from rollouts.core.world import Service, World, drift_pause_ends, under_way
from rollouts.model.status import Revision, RolloutStatus


def service_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between the Services and `status`."""
    if status.stable_revision is None or drift_pause_ends(status, world.now) is not None:
        return
    if not world.services_are_claimed:
        yield from _to_sync(world, status)
        for action in _named(world, status, status.stable_revision):
            if not isinstance(action, SelectRevision) or _is_known(world, status, action.service):
                yield action
    yield from unnamed_services_writes(world, status)


def services_to_bind(world: World, status: RolloutStatus) -> list[str]:
    """
    Return the user's Services that are to be bound, and that status does not remember yet.

    They are bound by the next decision, which finds them in status: whoever makes it, and whatever the
    spec names by then.
    """
    stable = status.stable_revision
    if (
        stable is None
        or world.services_are_claimed
        or drift_pause_ends(status, world.now) is not None
    ):
        return []
    writes = _named(world, status, stable)
    wanted = (each.service for each in writes if isinstance(each, SelectRevision))
    return [name for name in wanted if not _is_known(world, status, name)]


def _is_known(world: World, status: RolloutStatus, name: str) -> bool:
    """Return whether a Service would be given back: it is ours, has our key already, or status remembers it."""
    service = world.observed.services[name]
    return service.ours or service.selected_hash != "" or name in status.services


def _to_sync(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield that the canary Service is made as its stable Service is; before anything is sent to it."""
    service = world.canary_service
    if service is not None and service_is_outdated(world, status, service):
        yield SyncService(service.name)


def _named(world: World, status: RolloutStatus, stable: Revision) -> Iterator[Action]:
    """Point the Services that the spec names at the revisions that they are for."""
    service, canary_service = world.stable_service, world.canary_service
    if (
        service is not None
        and may_bind_to_stable(world, status, service)
        and not is_to_be_active(world, status)
        and may_switch_back(world, status)
    ):
        yield from _bind(world, service, stable)
    if under_way(status):
        if service is not None:
            yield from _to_canary(world, status)
    elif (
        canary_service is not None
        and may_bind_to_stable(world, status, canary_service)
        and (not world.route.exists or _is_called_by_others(world, canary_service))
    ):
        yield from _bind(world, canary_service, stable)


def _bind(world: World, service: Service, revision: Revision | None) -> Iterator[SelectRevision]:
    """Point a Service at a revision that has a ready pod, unless that would be none of its endpoints."""
    if revision is not None and may_bind(world, service, revision):
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
    if not canary_service_is_due(world, status, canary):
        if (
            service is not None
            and _keeps_pods_from_going(world, status, service)
            and may_bind_to_stable(world, status, service)
        ):
            yield from _bind(world, service, status.stable_revision)
        return
    if service is None:
        yield CreateService(world.spec.canary_service, canary.hash)
    else:
        yield from _bind(world, service, status.current_revision)


def _keeps_pods_from_going(world: World, status: RolloutStatus, service: Service) -> bool:
    """
    Return whether a canary Service leads to a revision that was left, whose time is over; or to all.

    Its pods stay for that, and the next canary may wait for them to go. Nothing is sent to the Service by then.
    """
    due = [each.hash for each in status.retiring if retirement_is_due(world, each)]
    if _is_called_by_others(world, service):
        return any(each.hash == service.selected_hash for each in status.retiring) or (
            bool(due) and service.selected_hash == ""
        )
    return world.route.highest == 0 and bool(due) and service.selected_hash in ("", *due)


def _is_called_by_others(world: World, service: Service) -> bool:
    """
    Return whether a canary Service may be called, and not by the routes: they send it nothing, and it is the user's own.

    Then it leads to stable first, and the time of the revision that was left runs from there.
    """
    return not service.ours and world.route.highest == 0


def unnamed_services_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what becomes of the Services that the spec names no longer.

    They are given back, also what we made, while no other revision than stable has pods: a Service
    without our key selects them all. Until then they go along with stable: nobody else would point
    them at another revision when the present one goes. So they do where a named route leads to them still:
    by it, the pods of the next release would get requests whatever its weight is.
    """
    stable = status.stable_revision
    if stable is None:
        return
    named = world.stable_service
    for service in unnamed_services(world):
        if service.by_label and not service.keeps_key:
            # One label leads all of them; the Service that is named says where to.
            if named is None or not named.by_label:
                yield from _bind(world, service, stable)
            continue
        if not service.selected_hash:
            continue
        if stable_is_alone(world, stable) and not is_led_to(world, service):
            yield ReleaseService(service.name)
        else:
            yield from _bind(world, service, stable)


def synced_services(actions: Iterable[Action]) -> list[str]:
    """Return the Services that these actions make as their stable Service is."""
    return [each.name for each in actions if isinstance(each, SyncService)]
