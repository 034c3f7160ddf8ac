"""
The time between a promotion and the end of the canary's route.

The promoted revision has everything by that route. Whoever sends requests to the stable Service
has to know its new endpoints before the route goes: all of them, and for as long as
`routeRemovalDelaySeconds` says, which is for load balancers that register pods slowly.
"""

from datetime import timedelta

from rollouts.core.world import Move, World, under_way
from rollouts.model.status import RolloutStatus


def timed(world: World, move: Move) -> Move:
    """Keep the clock: it runs from the moment at which all pods are endpoints of the stable Service."""
    status = move.status
    if not is_closing(world, status):
        return move.evolve(route_ends_at=None)
    ends = status.route_ends_at
    if ends is None and is_served(world, status):
        ends = world.now + timedelta(seconds=_delay_seconds(world))
    move = move.evolve(route_ends_at=ends)
    return move.requeue_at(ends) if ends is not None else move


def is_closing(world: World, status: RolloutStatus) -> bool:
    """Return whether a promoted revision has its traffic by the canary's route still, and for some time."""
    stable, canary = status.stable_revision, world.canary_service
    return (
        _delay_seconds(world) > 0
        and stable is not None
        and status.abort is None
        and not under_way(status)
        and world.observed.route.highest > 0
        and canary is not None
        and canary.selected_hash == stable.hash
    )


def is_held(world: World, status: RolloutStatus) -> bool:
    """Return whether the clock runs: whatever comes next would send everything to the stable Service now."""
    ends = status.route_ends_at
    return ends is not None and world.now < ends and is_closing(world, status)


def is_over(world: World, status: RolloutStatus) -> bool:
    """Return whether the route of a promoted revision may go."""
    if not is_served(world, status):
        return False
    ends = status.route_ends_at
    return not is_closing(world, status) or (ends is not None and ends <= world.now)


def is_served(world: World, status: RolloutStatus) -> bool:
    """
    Return whether every ready pod of the stable revision is an endpoint of the stable Service, and one is.

    Those that the canary's Service does not have either, as a person may take a pod out of Services
    by a label, are not waited for: they get nothing by its route.
    """
    service, stable, canary = world.stable_service, status.stable_revision, world.canary_service
    if service is None or stable is None or service.selected_hash != stable.hash:
        return False
    pods = world.replica_set(stable)
    wanted = pods.ready if pods is not None else 0
    if canary is not None and canary.selected_hash == stable.hash:
        wanted = min(wanted, canary.ready_endpoints.get(stable.hash, 0))
    wanted = max(1, wanted)
    return world.spec.replicas == 0 or service.ready_endpoints.get(stable.hash, 0) >= wanted


def waits_for(world: World, status: RolloutStatus) -> str:
    """Say what the end of the route waits for; empty when it does not."""
    if not is_closing(world, status):
        return ""
    if status.route_ends_at is None:
        return f"Service {world.spec.stable_service} does not lead to all of its ready pods yet"
    return (
        f"the canary's route stays until {status.route_ends_at:%H:%M:%S} UTC, for load balancers that are"
        " slow (routeRemovalDelaySeconds)"
    )


def _delay_seconds(world: World) -> float:
    canary = world.spec.strategy.canary
    return canary.route_removal_delay_seconds if canary is not None else 0
