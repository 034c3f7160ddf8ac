"""What the traffic does now, whichever way it is moved, and what it may do next."""

from dataclasses import replace

from rollouts.core import replicas
from rollouts.core.capacity import bearable, is_broken, is_out
from rollouts.core.observed import Service
from rollouts.core.rising import turned
from rollouts.core.world import FOLLOWED, World, drift_pause_ends, frozen
from rollouts.model.route import Route, Split
from rollouts.model.status import RolloutStatus


def route(world: World, status: RolloutStatus) -> Route:
    """Return what the routes say: a router's objects, the active Service, or the pods themselves."""
    if world.spec.blue_green is not None:
        return _active(world, status)
    if world.spec.by_replicas:
        return _pods(world, status)
    return world.observed.route


def _active(world: World, status: RolloutStatus) -> Route:
    """
    Return blue-green's route: the active Service selects one revision, and so has all or nothing.

    Without its key it selects the new revision's pods beside the old ones, once there are any.
    """
    service, findings = world.stable_service, world.observed.route.findings
    stable, current = status.stable_revision, status.current_revision
    if service is None or stable is None or current is None or stable.hash == current.hash:
        return Route(findings=findings)
    if service.selected_hash == stable.hash:
        return Route(exists=True, findings=findings)
    if service.selected_hash == current.hash:
        return Route(exists=True, weight=100, highest=100, findings=findings)
    new = world.replica_set(current)
    shared = service.selected_hash == "" and new is not None and new.existing > 0
    return Route(exists=True, weight=None, highest=100 if shared else 0, findings=findings)


def _pods(world: World, status: RolloutStatus) -> Route:
    """Return a replica-weighted canary's route: its share of the pods, once they are all there."""
    findings = world.observed.route.findings
    stable, canary = (
        world.replica_set(status.stable_revision),
        world.replica_set(status.current_revision),
    )
    if stable is None or stable is canary:
        return Route(findings=findings)
    others = sum(each.existing for each in world.others(status))
    ready, wanted = (canary.ready, canary.wanted) if canary is not None else (0, 0)
    least = replicas.enough(world.spec, wanted, canary)
    arrived = canary is None or (canary.available >= least and canary.existing <= wanted)
    still = arrived and others == 0 and stable.existing <= stable.wanted
    return Route(
        exists=True,
        weight=replicas.ratio(wanted, stable.wanted) if still else None,
        highest=max(replicas.ratio(ready, stable.ready), 1 if others else 0),
        findings=findings,
    )


def reaches_canary(world: World, status: RolloutStatus) -> bool:
    """
    Return whether what the routes send to a canary arrives at the current revision.

    Right after a newer template it may still be the revision before that has it.
    """
    canary = world.replica_set(status.current_revision)
    if world.spec.by_replicas:
        return canary is not None and canary.ready > 0
    if world.spec.routing is None:
        return True
    service, current = world.canary_service, status.current_revision
    return service is not None and current is not None and service.selected_hash == current.hash


def reaches_another(world: World, status: RolloutStatus) -> bool:
    """Return whether what the routes send to a canary arrives at a revision before the current one still."""
    if world.spec.routing is None or world.observed.route.highest == 0:
        return False
    return not reaches_canary(world, status) and has_just_left(status)


def has_just_left(status: RolloutStatus) -> bool:
    """Return whether a revision before the current one was reached until now."""
    named = {each.hash for each in (status.stable_revision, status.current_revision) if each}
    return any(each.at is None and each.hash not in named for each in status.retiring)


def next_split(world: World, status: RolloutStatus) -> Split:
    """Return what the routes may say now: header and mirror routes open like a weight rises."""
    wanted = replicas.split_of(world.spec, status)
    percent = next_weight(world, status)
    if status.weights.disrupted_at is not None and not may_raise(world, status):
        return Split(percent=percent, cut_off=percent == 0)
    known = set(status.weights.routes)
    if set(wanted.names) <= known or may_raise(world, status):
        return replace(wanted, percent=percent)
    return Split(
        percent=percent,
        headers=tuple(each for each in wanted.headers if each.name in known),
        mirrors=tuple(each for each in wanted.mirrors if each.name in known),
    )


def next_weight(world: World, status: RolloutStatus) -> int:
    """
    Return the weight that the routes may say now.

    Size before weight: it rises only onto canary pods that are available and whose
    endpoints are in the canary Service, with the stable Service bound to stable, unless
    stable answers nobody; and it falls only as far as stable can bear what comes back.
    """
    weights = status.weights
    wanted = weights.desired
    if weights.desired > weights.applied and not (
        _is_made(world, status) or may_raise(world, status)
    ):
        wanted = weights.applied
    return max(wanted, bearable(world, status))


def _is_made(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the desired weight is there already, and only status does not say so yet.

    Then status will (`confirm`), and whatever holds the release now is in time for the next rise only.
    """
    if route(world, status).weight != status.weights.desired:
        return False
    reached = world.spec.blue_green is not None or reaches_canary(world, status)
    return reached and world.stands(status.current_revision)


def may_raise(world: World, status: RolloutStatus) -> bool:
    """Return whether everything is in place to send the canary its desired weight."""
    spec = world.spec
    if frozen(spec, status) or world.observed.route.blockers:
        return False
    begun = route(world, status).highest >= status.weights.desired > status.weights.applied
    if not begun and turned(world, status) is not None:
        return False  # evidence may have turned while the rise waited for its pods
    if spec.by_replicas:
        return is_broken(world, status) or not _others_are_left(world, status)
    if status.drain_until is not None and world.now < status.drain_until:
        return False
    canary, stable = world.replica_set(status.current_revision), status.stable_revision
    stable_service = world.stable_service
    if canary is None or stable_service is None or stable is None:
        return False
    wanted = max(1, replicas.enough(spec, replicas.needed(spec, status), canary))
    return (
        canary.available >= wanted
        # Where stable answers nobody, there is nothing to protect from this release.
        and (is_out(world, status) or stable_service.selected_hash == stable.hash)
        and is_reachable(world, status, wanted)
    )


def is_reachable(world: World, status: RolloutStatus, least: int) -> bool:
    """Return whether the canary Service, where there has to be one, has so many ready canary pods."""
    canary, service = status.current_revision, world.canary_service
    if world.spec.canary_service is None:
        return True
    return (
        canary is not None
        and service is not None
        and service.selected_hash == canary.hash
        and service.ready_endpoints.get(canary.hash, 0) >= least
        and not lags(world, status, service)
    )


def lags(world: World, status: RolloutStatus, service: Service) -> bool:
    """Return whether a Service of ours is made as its stable Service is first, before more reaches it."""
    return service.behind and drift_pause_ends(status, world.now, FOLLOWED) is None


def _others_are_left(world: World, status: RolloutStatus) -> bool:
    """Return whether pods of a superseded revision still share the traffic."""
    return any(each.existing > 0 or each.wanted > 0 for each in world.others(status))
