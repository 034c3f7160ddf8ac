"""Which writes the routing objects need."""

from collections.abc import Iterator

from rollouts.core.facts import (
    canary_is_stable,
    least_weight,
    may_have_retreated,
    next_split,
    route_has_ended,
    stable_is_down,
    stand_in,
)
from rollouts.core.plan.actions import Action, RemoveRoute, SetWeight
from rollouts.core.plan.pods import evictions, living_pods, templates
from rollouts.core.plan.replica_sets import _adoptions, _replica_sets, _sizes_by_weight
from rollouts.core.plan.services import let_go, service_writes, switch, switch_back
from rollouts.core.plan.workload import workload_writes
from rollouts.core.world import World, drift_pause_ends, reaches_canary, under_way
from rollouts.model.route import Split
from rollouts.model.status import RolloutStatus


def retreat(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what takes all traffic from the canary at once; `status` is the one to be written."""
    if world.spec.blue_green is not None:
        yield from switch_back(world, status)
    elif world.spec.by_replicas:
        if status.stable_revision is not None:
            yield from _sizes_by_weight(world, status)
    elif world.observed.route.exists and world.observed.route.highest > 0:
        yield from _back(world, status)
    yield from let_go(world, status)


def _back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what leaves the canary the least: nothing, or what stable can't bear yet."""
    if stand_in(world, status) is None:
        percent = least_weight(world, status)
        yield SetWeight(Split(percent=percent, cut_off=percent == 0))


def converge(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield the writes that are missing between the cluster and `status`.

    Nothing is yielded when all is as it should be.
    """
    if status.current_revision is None:
        return
    yield from _adoptions(world)
    yield from _routes(world, status)
    yield from service_writes(world, status)
    yield from templates(world, status)
    yield from _replica_sets(world, status)
    yield from workload_writes(world, status)
    yield from living_pods(world, status)
    yield from evictions(world, status)


def _routes(world: World, status: RolloutStatus) -> Iterator[Action]:
    if world.claimed:
        return
    if world.spec.blue_green is not None:
        if world.observed.route.exists:  # a canary was under way before
            yield RemoveRoute()
        yield from switch(world, status)
    elif world.spec.routing is not None and under_way(status):
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
    if world.hold is not None and world.hold.goes_over and not status.entered_steps:
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
