"""
The active strategy of a release: what moves its traffic, and of which objects that is made.

Two specs have the same one when a release of the one can be carried on by the other, and no
traffic is moved by the change itself.
"""

from rollouts.core.world import (
    WeightMechanism,
    World,
    current_route,
    is_warm,
    mechanism_of,
    under_way,
)
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.traffic_routing import TrafficRouting


def release_has_ended(world: World, status: RolloutStatus) -> bool:
    """Return whether nothing of a release is left in routes and Services, and none has begun to enter steps."""
    return not release_remains(world, status)


def release_remains(world: World, status: RolloutStatus) -> str:
    """Return what has to come to pass before nothing of a release is left; empty when it has."""
    if world.observed.is_being_deleted or (under_way(status) and status.entered_steps):
        return "the release has ended"
    if world.route.exists:
        return "the routes are cleared"
    if current_route(world, status).highest > 0:
        return "all traffic is at stable"
    if is_warm(world, status):
        return "the old revision is not kept to go back to any more"
    return "" if _stable_is_alone(world, status) else "the pods of other revisions are gone"


def _stable_is_alone(world: World, status: RolloutStatus) -> bool:
    """
    Return whether pods that get requests by their number are all of the stable revision.

    They do so where nothing routes, and behind a Service that routes leave which stay between releases.
    """
    stable, release = status.stable_revision, under_way(status)
    if stable is None:
        return True
    if not world.observed.route.stays:
        return mechanism_of(world.spec).only_stable_serves(world, stable)
    alone = {stable.hash}
    if release is not None:
        alone.add(release.current.hash)  # it waits for this, and an attempt makes it no smaller
    return all(
        each.existing == 0
        for each in world.observed.replica_sets.values()
        if each.hash not in alone
    )


def strategies_differ(before: RolloutSpec, after: RolloutSpec) -> bool:
    """Return whether traffic would be moved by something else; routing objects that are only left go to 0."""
    if _mechanism_and_services(before) != _mechanism_and_services(after):
        return True
    return not _is_part(after.routing, before.routing)


def _mechanism_and_services(spec: RolloutSpec) -> tuple[WeightMechanism, str | None, str | None]:
    return mechanism_of(spec), spec.stable_service, spec.canary_service


def _is_part(after: TrafficRouting | None, before: TrafficRouting | None) -> bool:
    """Return whether routers and their objects are the same as before, or fewer."""
    if after is None or before is None:
        return after is before
    return _routing_objects(after).items() <= _routing_objects(before).items()


def _routing_objects(routing: TrafficRouting) -> dict[str, str]:
    """Return every routing object that is meant, and what else says how it is found."""
    return {name: how for router in routing.routers for name, how in router.objects().items()}


def strategy_words(spec: RolloutSpec) -> str:
    """Return a strategy as people call it: `canary`, and its routers' fields in brackets."""
    return mechanism_of(spec).strategy(spec)


def changed_strategy_fields(before: RolloutSpec, after: RolloutSpec) -> str:
    """Name the fields in which two strategies of one kind differ as to what moves the traffic."""
    strategy = after.active_strategy
    names = (strategy.stable_service_field, strategy.canary_service_field)
    pairs = zip(
        names, _mechanism_and_services(before)[1:], _mechanism_and_services(after)[1:], strict=True
    )
    named = [name for name, old, new in pairs if old != new]
    if before.routing != after.routing:
        named.append("trafficRouting")
    return ", ".join(named)
