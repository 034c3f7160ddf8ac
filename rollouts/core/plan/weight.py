"""
Which writes move the weight, forward and back.

What carries it is asked here once: routing objects, the active Service, or the sizes of two
revisions. Going forward, those are sizes like all others (`replica_set_writes`).
"""

from collections.abc import Iterable, Iterator, Mapping

from rollouts.core.facts import (
    canary_is_stable,
    drift_correction_waits,
    is_to_be_active,
    least_weight,
    may_bind,
    may_have_retreated,
    may_switch_back,
    next_split,
    route_has_ended,
    served_by_others,
    serving_instead_of_stable,
    shared_sizes,
    stable_is_down,
)
from rollouts.core.plan.actions import (
    Action,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
    Writing,
)
from rollouts.core.world import (
    PodShare,
    RouterWeight,
    ServiceSwitch,
    WeightMechanism,
    World,
    drift_pause_ends,
    mechanism_of,
    reaches_canary,
    under_way,
)
from rollouts.model.route import Split
from rollouts.model.status import RolloutStatus


def weight_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between what carries the weight and `status`."""
    if not world.services_are_claimed:
        yield from FORWARD[type(mechanism_of(world.spec))](world, status)


def weight_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what takes traffic from the canary at once; `status` is the one to be written."""
    yield from BACK[type(mechanism_of(world.spec))](world, status)


def _routes_forward(world: World, status: RolloutStatus) -> Iterator[Action]:
    yield from _split(world, status) if under_way(status) else _end_route(world, status)


def _routes_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    route = world.route
    if route.exists and route.highest > 0:
        yield from _back(world, status)


def _back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what leaves the canary the least: nothing, or what stable can't bear yet."""
    if serving_instead_of_stable(world, status) is None and not drift_correction_waits(
        world, status
    ):
        percent = least_weight(world, status)
        yield SetWeight(Split(percent=percent, cut_off=percent == 0))


def _end_route(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what removes the routing objects, or leaves them nothing until they may go."""
    route = world.route
    if not route.exists or drift_correction_waits(world, status):
        return  # without a split of a mesh there may be pods that answer
    if route_has_ended(world, status):
        yield RemoveRoute()
    elif (route.highest > 0 or not route.intact) and not _needs_route(world, status):
        yield from _back(world, status)


def _split(world: World, status: RolloutStatus) -> Iterator[Action]:
    route, split = world.route, next_split(world, status)
    if world.edit is not None and world.edit.goes_over and not status.entered_steps:
        if route.exists and route.highest == 0:
            yield RemoveRoute()
        elif route.exists:
            yield from _back(world, status)
        return
    if serving_instead_of_stable(world, status) is not None and not reaches_canary(world, status):
        return  # a revision before this one keeps it, until stable, or this one, can bear it
    percent, opens = split.percent, bool(split.names)
    drift_pause = drift_pause_ends(status, world.now) is not None and percent >= route.highest
    if drift_pause or (percent == 0 and not opens and not route.exists):
        return
    if not (percent == 0 and opens) and drift_correction_waits(world, status, percent):
        return
    if (percent > 0 or opens) and may_have_retreated(world, status):
        return
    pending = not route.routes_match and tuple(split.names) == world.asked
    if route.weight != percent or not route.intact or pending:
        yield SetWeight(split)


def _needs_route(world: World, status: RolloutStatus) -> bool:
    """Return whether the routes are what leads to stable: after a promotion, as long as it answers."""
    return canary_is_stable(world, status) and not stable_is_down(world, status)


def _switch(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at the revision that is to have all the traffic: one write."""
    if world.route.exists:  # a canary was under way before
        yield RemoveRoute()
    active, new = world.stable_service, status.current_revision
    if active is None or new is None or not is_to_be_active(world, status):
        return  # stable is to be active, which `service_writes` sees to
    if drift_pause_ends(status, world.now) is not None or may_have_retreated(world, status):
        return
    if may_bind(world, active, new) and not served_by_others(world, status, active):
        yield SelectRevision(active.name, new.hash)


def _switch_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at stable again."""
    active, stable = world.stable_service, status.stable_revision
    if active is None or stable is None or served_by_others(world, status, active):
        return
    if may_switch_back(world, status) and may_bind(world, active, stable):
        yield SelectRevision(active.name, stable.hash)


def _sizes_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the next sizes on the way back to stable; none of 0 while a Service leads to that revision alone."""
    sizes = shared_sizes(world, status) or {}
    alone = {service.selected_hash for service in world.observed.services.values()}
    for hash_, replica_set in world.observed.replica_sets.items():
        count = sizes.get(hash_, replica_set.wanted)
        if count != replica_set.wanted and (count or hash_ not in alone):
            yield ScaleReplicaSet(replica_set.name, count)


def takes_traffic_away(world: World, actions: Iterable[Action]) -> bool:
    """Return whether one of the actions takes everything from the revision that the routes send to."""
    return any(_is_end(world, each) for each in actions)


def _is_end(world: World, action: Action) -> bool:
    """Return whether an action does that: by weight, or by Service."""
    if isinstance(action, SelectRevision):
        return action.service == world.spec.canary_service
    return isinstance(action, SetWeight) and action.split.percent == 0


FORWARD: Mapping[type[WeightMechanism], Writing] = {
    RouterWeight: _routes_forward,
    ServiceSwitch: _switch,
    PodShare: _end_route,  # those of a canary that had routers before
}
BACK: Mapping[type[WeightMechanism], Writing] = {
    RouterWeight: _routes_back,
    ServiceSwitch: _switch_back,
    PodShare: _sizes_back,
}
