"""What the routes may say next: no more than is ready for it, and no less than stable can bear."""

from dataclasses import replace

from rollouts.core.facts.evidence import evidence_turned
from rollouts.core.facts.holds import is_held
from rollouts.core.world import (
    SERVICE_SYNCED,
    ReplicaSet,
    Service,
    World,
    current_route,
    drift_pause_ends,
    enough_pods,
    has_just_left,
    has_stable,
    mechanism_of,
    pods_needed,
    reaches_canary,
    split_of,
    stable_replicas,
    under_way,
)
from rollouts.model.route import Route, Split
from rollouts.model.status import RolloutStatus

WHOLE = 100


def stable_is_down(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody: pods of it are wanted, and none is ready."""
    if not has_stable(status):
        return False
    stable = world.replica_set(status.stable_revision)
    if stable is None:
        return world.spec.replicas > 0
    if stable.wanted == 0 and mechanism_of(world.spec).may_be_without_stable:
        return False  # the canary has been given everything
    return not world.is_selectable(status.stable_revision)


def stable_is_failing(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody because its pods fail, and not because they start."""
    stable = world.replica_set(status.stable_revision)
    return stable_is_down(world, status) and stable is not None and stable.broken > 0


def serving_instead_of_stable(world: World, status: RolloutStatus) -> ReplicaSet | None:
    """
    Return who keeps what the routes send to a canary, because stable would not answer it; or None.

    That is stable itself where a promotion is not over: then its pods are reached by the canary's
    routes alone, and the stable Service leads to those before it. Nobody keeps anything
    whose own pods are not ready either: then any pod's answer is better. Without a router
    it is the canary: its pods are its share.
    """
    if mechanism_of(world.spec).pods_are_the_weight:
        canary = world.replica_set(status.current_revision)
        needed = under_way(status) and stable_is_failing(world, status)
        return canary if needed and canary is not None and canary.ready else None
    service = world.canary_service
    if world.route.highest == 0 or service is None or not has_stable(status):
        return None
    stable = world.replica_set(status.stable_revision)
    if stable is not None and stable.ready > 0:
        # Without our key the canary Service leads to stable, too; but also to what a rollback is to take users from.
        shared = service.selected_hash == "" and status.abort is None
        is_asked = shared or service.selected_hash == stable.hash
        return stable if is_asked and not _leads_to(world, stable) else None
    serving = _serving_canary_requests(world, status, service)
    if serving is None or serving is stable:
        return None
    # Requests go by endpoints, which may be told later than pods; nobody gains by what is taken away until then.
    answers = serving.ready > 0 or service.ready_endpoints.get(serving.hash, 0) > 0
    kept = answers and stable_is_down(world, status) and not is_forced(world, status)
    return serving if kept else None


def _serving_canary_requests(
    world: World, status: RolloutStatus, service: Service
) -> ReplicaSet | None:
    """
    Return the revision that answers what the routes send to a canary's Service.

    That is the one that it selects, while this has ready pods. Otherwise it is the one beside stable that has
    the most endpoints there: one whose key somebody has taken out leads to the pods of all, and one that has
    just been pointed elsewhere leads where it did until its endpoints follow.
    """
    known, stable = world.observed.replica_sets, status.stable_revision
    selected = known.get(service.selected_hash)
    if selected is not None and selected.ready > 0:
        return selected
    there = service.ready_endpoints
    others = [each for each in there if each in known and (stable is None or each != stable.hash)]
    most = max(others, key=lambda each: (there[each], known[each].revision), default="")
    return known.get(most, selected)


def is_forced(world: World, status: RolloutStatus) -> bool:
    """Return whether a person wants traffic back whatever that costs: by `abort`, or by taking it all down."""
    return world.observed.is_being_deleted or (status.abort is not None and status.abort.forced)


def _leads_to(world: World, stable: ReplicaSet) -> bool:
    """Return whether who asks the stable Service is answered by pods of stable."""
    service = world.stable_service
    if service is None:
        return False
    # While the label moves, those that are to lose it answer as well: they would get back what they have lost.
    is_shared = service.selected_hash == "" and not service.by_label
    if not is_shared and service.selected_hash != stable.hash:
        return False
    return service.ready_endpoints.get(stable.hash, 0) > 0 or world.spec.replicas == 0


def least_weight(world: World, status: RolloutStatus) -> int:
    """
    Return the least weight that leaves stable no more traffic than it can bear.

    All that the routes send to the canary, while somebody else has to keep it (`serving_instead_of_stable`). A
    part of it, where dynamicStableScale made stable smaller. Otherwise 0; and 0 when no canary
    pod is ready: then any answer is better than none.
    """
    route = mechanism_of(world.spec).live_route(world)
    # Of what can't be seen, no more is kept than was given: a weight never rises unseen.
    given = min(_given(route), status.weights.applied) if route.is_unseen else _given(route)
    if given == 0:
        return 0
    if serving_instead_of_stable(world, status) is not None:
        return given
    stable = world.replica_set(status.stable_revision)
    if not world.spec.active_strategy.dynamic_stable_scale or stable is None:
        return 0
    service = world.canary_service
    serving = _serving_canary_requests(world, status, service) if service is not None else None
    if serving is None or serving.ready == 0 or serving.hash == stable.hash:
        return 0
    total = stable_replicas(world.spec, status)
    # What is broken is not waited for, only what is starting.
    able = min(total, stable.available + stable.broken)
    return min(given, 100 - 100 * able // total) if total else 0


def _given(route: Route) -> int:
    """Return the share of all requests that the routes send to the canary, or the most that it may be."""
    if route.weight is not None:
        return route.weight
    return 0 if _sends_no_share(route) else route.highest


def _sends_no_share(route: Route) -> bool:
    """
    Return whether no part of the routes says a share.

    A header route that is open counts as 1 in `highest`, and so does an answer that is lacking, or a route.
    """
    return route.highest <= 1 and not route.written - {0}


def routes_are_missing(route: Route) -> bool:
    """Return whether some routes are missing, or not as written, and what there is sends the canary nothing."""
    told = route.weight is not None or route.is_cut
    return not told and not route.intact and _sends_no_share(route)


def drift_correction_waits(world: World, status: RolloutStatus, percent: int = 0) -> bool:
    """
    Return whether routes that are missing stay so, where they would give the canary so much.

    Stable has no ready pod, or its Service leads elsewhere, and to none, so that what they give it is sent to
    nobody. Without a route its root Service leads to its own endpoints, which may be pods that answer, and are
    better than a part of them.
    """
    route = mechanism_of(world.spec).live_route(world)
    missing = routes_are_missing(route) if percent == 0 else route.by_pods and percent < WHOLE
    unanswered = stable_is_down(world, status) or _stable_service_is_empty(world, status)
    return missing and unanswered and not is_forced(world, status)


def _stable_service_is_empty(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the stable Service is bound to a revision that is not stable, and has no endpoints.

    So it is where nobody may change it. Of one that is bound to stable its pods are asked alone, as its
    endpoints may only be late.
    """
    service, stable = world.stable_service, status.stable_revision
    if service is None or stable is None or service.selected_hash in ("", stable.hash):
        return False
    return service.other_endpoints == 0 and not any(service.ready_endpoints.values())


def weight_is_met(world: World, status: RolloutStatus) -> bool:
    """Return whether the weight is what the step wants, or as near to it as stable can bear."""
    weights = status.weights
    more = (
        weights.applied > weights.desired and serving_instead_of_stable(world, status) is not None
    )
    return more or weights.applied == weights.desired


def reaches_another(world: World, status: RolloutStatus) -> bool:
    """Return whether what the routes send to a canary arrives at a revision before the current one still."""
    if mechanism_of(world.spec).live_route(world).highest == 0:
        return False
    return not reaches_canary(world, status) and has_just_left(status)


def next_split(world: World, status: RolloutStatus) -> Split:
    """Return what the routes may say now: header and mirror routes open like a weight rises."""
    wanted = split_of(world.spec, status)
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
    return max(wanted, least_weight(world, status))


def _is_made(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the desired weight is there already, and only status does not say so yet.

    Then status will (`confirm`), and whatever holds the release now is in time for the next rise only.
    """
    return current_route(world, status).weight == status.weights.desired and canary_answers(
        world, status
    )


def canary_answers(world: World, status: RolloutStatus) -> bool:
    """
    Return whether what is sent to a canary arrives at the current revision, and it has a pod for it.

    Only then is a rise confirmed. Without pods it is taken back in the same decision.
    """
    return reaches_canary(world, status) and world.is_selectable(status.current_revision)


def may_raise(world: World, status: RolloutStatus) -> bool:
    """Return whether everything is in place to send the canary its desired weight."""
    spec = world.spec
    if is_held(world, status) or world.route.blockers:
        return False
    begun = current_route(world, status).highest >= status.weights.desired > status.weights.applied
    if not begun and evidence_turned(world, status) is not None:
        return False  # evidence may have turned while the rise waited for its pods
    if mechanism_of(spec).pods_are_the_weight:
        return stable_is_failing(world, status) or not _others_are_left(world, status)
    if is_draining(world, status):
        return False
    if mechanism_of(spec).is_being_switched(world, status):
        return _may_go_on(world, status)
    canary, stable = world.replica_set(status.current_revision), status.stable_revision
    stable_service = world.stable_service
    if canary is None or stable_service is None or stable is None:
        return False
    wanted = max(1, enough_pods(spec, pods_needed(spec, status), canary))
    return (
        canary.available >= wanted
        # Where stable answers nobody, there is nothing to protect from this release.
        and (stable_is_down(world, status) or stable_service.selected_hash == stable.hash)
        and is_reachable(world, status, wanted)
    )


def _may_go_on(world: World, status: RolloutStatus) -> bool:
    """Return whether a switch that is made pod by pod may go on: the new revision still has its pods."""
    canary = world.replica_set(status.current_revision)
    if canary is None:
        return False
    wanted = max(1, enough_pods(world.spec, pods_needed(world.spec, status), canary))
    return canary.available >= wanted and is_reachable(world, status, wanted)


def is_draining(world: World, status: RolloutStatus) -> bool:
    """Return whether counters may still move for the last canary, which had its traffic by the same routes."""
    return mechanism_of(world.spec).is_draining(world, status)


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
        and not service_is_outdated(world, status, service)
    )


def service_is_outdated(world: World, status: RolloutStatus, service: Service) -> bool:
    """Return whether a Service of ours is made as its stable Service is first, before more reaches it."""
    return service.is_outdated and drift_pause_ends(status, world.now, SERVICE_SYNCED) is None


def _others_are_left(world: World, status: RolloutStatus) -> bool:
    """Return whether pods of a superseded revision still share the traffic."""
    return any(each.existing > 0 or each.wanted > 0 for each in world.others(status))
