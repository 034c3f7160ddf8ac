"""Which writes the routing objects need."""

from collections.abc import Iterable, Iterator

from rollouts.core.facts import (
    canary_is_stable,
    least_weight,
    may_have_retreated,
    next_split,
    route_has_ended,
    stable_is_down,
    stand_in,
)
from rollouts.core.plan.actions import Action, RemoveRoute, SelectRevision, SetWeight
from rollouts.core.world import World, carrier_of, drift_pause_ends, reaches_canary, under_way
from rollouts.model.route import Split
from rollouts.model.status import RolloutStatus


def routes_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what takes traffic from the canary at once; `status` is the one to be written."""
    route = world.observed.route
    if carrier_of(world.spec).is_routed and route.exists and route.highest > 0:
        yield from _back(world, status)


def _back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what leaves the canary the least: nothing, or what stable can't bear yet."""
    if stand_in(world, status) is None:
        percent = least_weight(world, status)
        yield SetWeight(Split(percent=percent, cut_off=percent == 0))


def route_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between the routing objects and `status`."""
    if world.services_are_claimed:
        return
    if carrier_of(world.spec).is_switched:
        if world.observed.route.exists:  # a canary was under way before
            yield RemoveRoute()
    elif carrier_of(world.spec).is_routed and under_way(status):
        yield from _split(world, status)
    elif world.observed.route.exists:
        route = world.observed.route
        loose = route.highest > 0 or not route.intact
        if route_has_ended(world, status):
            yield RemoveRoute()
        elif loose and not _needs_route(world, status):
            yield from _back(world, status)


def _split(world: World, status: RolloutStatus) -> Iterator[Action]:
    route, split = world.observed.route, next_split(world, status)
    if world.edit is not None and world.edit.goes_over and not status.entered_steps:
        if route.exists and route.highest == 0:
            yield RemoveRoute()
        elif route.exists:
            yield from _back(world, status)
        return
    if stand_in(world, status) is not None and not reaches_canary(world, status):
        return  # a revision before this one keeps it, until stable, or this one, can bear it
    percent, opens = split.percent, bool(split.names)
    drift_pause = drift_pause_ends(status, world.now) is not None and percent >= route.highest
    if drift_pause or (percent == 0 and not opens and not route.exists):
        return
    if (percent > 0 or opens) and may_have_retreated(world, status):
        return
    pending = not route.shaped and tuple(split.names) == world.asked
    if route.weight != percent or not route.intact or pending:
        yield SetWeight(split)


def _needs_route(world: World, status: RolloutStatus) -> bool:
    """Return whether the routes are what leads to stable: after a promotion, as long as it answers."""
    return canary_is_stable(world, status) and not stable_is_down(world, status)


def takes_traffic_away(world: World, actions: Iterable[Action]) -> bool:
    """Return whether one of the actions takes everything from the revision that the routes send to."""
    return any(_is_end(world, each) for each in actions)


def _is_end(world: World, action: Action) -> bool:
    """Return whether an action does that: by weight, or by Service."""
    if isinstance(action, SelectRevision):
        return action.service == world.spec.canary_service
    return isinstance(action, SetWeight) and action.split.percent == 0
