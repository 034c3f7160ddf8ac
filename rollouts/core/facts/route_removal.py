"""
The time between a promotion and the end of the canary's route.

The promoted revision has everything by that route. Whoever sends requests to the stable Service
has to know its new endpoints before the route goes: all of them, and for as long as
`routeRemovalDelaySeconds` says, which is for load balancers that register pods slowly.
"""

from rollouts.core.facts.services import canary_is_stable
from rollouts.core.world import World, under_way
from rollouts.model.status import Retiring, RolloutStatus


def route_removal_waits(world: World, status: RolloutStatus) -> bool:
    """Return whether a promoted revision has its traffic by the canary's route still, and for some time."""
    stable, canary = status.stable_revision, world.canary_service
    return (
        world.spec.active_strategy.route_removal_delay_seconds > 0
        and stable is not None
        and status.abort is None
        and not under_way(status)
        and world.route.highest > 0
        and canary is not None
        and canary.selected_hash == stable.hash
    )


def route_removal_is_delayed(world: World, status: RolloutStatus) -> bool:
    """Return whether the clock runs: whatever comes next would send everything to the stable Service now."""
    ends = status.route_ends_at
    return ends is not None and world.now < ends and route_removal_waits(world, status)


def route_may_go(world: World, status: RolloutStatus) -> bool:
    """Return whether the route of a promoted revision may go."""
    if not stable_service_is_complete(world, status):
        return False
    ends = status.route_ends_at
    return not route_removal_waits(world, status) or (ends is not None and ends <= world.now)


def stable_service_is_complete(world: World, status: RolloutStatus) -> bool:
    """
    Return whether every ready pod of the stable revision is an endpoint of the stable Service, and one is.

    Those that the canary's Service does not have either, as a person may take a pod out of Services
    by a label, are not waited for: they get nothing by its route. By the label of stable, no pod of another
    revision is an endpoint either: endpoints are told later than the labels of pods.
    """
    service, stable, canary = world.stable_service, status.stable_revision, world.canary_service
    if service is None or stable is None or service.selected_hash != stable.hash:
        return False
    others = (count for each, count in service.ready_endpoints.items() if each != stable.hash)
    if service.by_label and any(others):
        return False
    pods = world.replica_set(stable)
    wanted = pods.ready if pods is not None else 0
    if canary is not None and canary.selected_hash == stable.hash:
        wanted = min(wanted, canary.ready_endpoints.get(stable.hash, 0))
    wanted = max(1, wanted)
    return world.spec.replicas == 0 or service.ready_endpoints.get(stable.hash, 0) >= wanted


def route_removal_waits_for(world: World, status: RolloutStatus) -> str:
    """Return what the end of the route waits for; empty when it does not."""
    if not route_removal_waits(world, status):
        return ""
    if status.route_ends_at is None:
        return f"Service {world.spec.stable_service} does not lead to all of its ready pods yet"
    return (
        f"the canary's route stays until {status.route_ends_at:%H:%M:%S} UTC, for load balancers that are"
        " slow (routeRemovalDelaySeconds)"
    )


def route_has_ended(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the routing objects may go.

    After a promotion: when the stable Service has the new pods (`closing`). After a rollback:
    when the canary, which may still answer what is in flight, is due to go. A stable Service
    that is gone is not waited for, unless the routing objects are all that leads to stable.
    """
    stable, service = status.stable_revision, world.stable_service
    if stable is None:
        return False
    if service is not None:
        serves = service.ready_endpoints.get(stable.hash, 0) > 0 or world.spec.replicas == 0
        if service.selected_hash != stable.hash or not serves:
            return False
        if canary_is_stable(world, status):
            return route_may_go(world, status)
    route_is_cut = world.route.highest == 0
    waiting = any(
        not retirement_is_due(world, entry) and not _selected_by_stable(world, entry.hash)
        for entry in status.retiring
    )
    return route_is_cut and not waiting


def retirement_is_due(world: World, entry: Retiring) -> bool:
    """Return whether a revision that was left has been without requests for long enough."""
    return entry.at is not None and entry.at <= world.now


def _selected_by_stable(world: World, hash_: str) -> bool:
    return world.stable_service is not None and world.stable_service.selected_hash == hash_
