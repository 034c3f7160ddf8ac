"""What the routes have confirmed, and what somebody else changed about them."""

from datetime import timedelta

from rollouts.core.facts import (
    canary_answers,
    canary_is_without_pods,
    drift_correction_waits,
    may_bind,
    may_bind_to_stable,
    may_have_retreated,
    reaches_another,
    serving_instead_of_stable,
    was_bound,
)
from rollouts.core.world import (
    DRIFT_CORRECTED,
    Aborted,
    StatusUpdate,
    UnderWay,
    World,
    current_route,
    drift_pause_ends,
    has_just_left,
    mechanism_of,
    reaches_canary,
    selector_drift,
    split_of,
    stage_of,
    under_way,
)
from rollouts.model.route import Route
from rollouts.model.status import RolloutStatus, Weights


def confirm(world: World, update: StatusUpdate) -> StatusUpdate:
    """Take over the weight that all routes agree on, and notice what somebody else changed."""
    status = update.status
    if not isinstance(stage_of(status), UnderWay | Aborted):
        return update
    if canary_is_without_pods(world, status):
        return update
    return _confirmed(world, update)


def _confirmed(world: World, update: StatusUpdate) -> StatusUpdate:
    update = _taken_over(world, _bound_again(world, update))
    status = update.status
    now, weights = current_route(world, status), status.weights
    if (
        now.weight is not None
        and now.weight == weights.desired
        and weights.applied != weights.desired
        and (weights.desired < weights.applied or canary_answers(world, status))
    ):
        applied = Weights(
            desired=weights.desired,
            applied=weights.desired,
            applied_at=world.now,
            routes=_routes(world, status, now),
            disrupted_at=weights.disrupted_at,
        )
        update = update.evolve(weights=applied, promoted=_still_promoted(world, status))
        if applied.applied == 0:
            return update
        mechanism = mechanism_of(world.spec)
        reason = "Switched" if mechanism.is_switched else "WeightSet"
        return update.event(world, reason, mechanism.applied(world.spec, status))
    if _routes(world, status, now) != weights.routes:
        return _confirm_routes(world, update, _routes(world, status, now))
    return _correct_drift(world, update, now)


def _taken_over(world: World, update: StatusUpdate) -> StatusUpdate:
    """
    Take over the weight that the routes say already, and that nobody but this canary can answer.

    Where a revision before it had that, evidence counts from when its counters no longer rise.
    """
    status, now = update.status, current_route(world, update.status)
    kept, current = serving_instead_of_stable(world, status), status.current_revision
    if not under_way(status) or kept is None or kept is not world.replica_set(current):
        return update
    left, weights = has_just_left(status), status.weights
    least = weights.applied if left else max(weights.applied, weights.desired)
    if now.weight is None or now.weight <= least:
        return update
    if left:
        drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
        update = update.evolve(drain_until=drained, exposed_at=drained)
    update = update.evolve(weights=weights.evolve(applied=now.weight, applied_at=world.now))
    text = f"the canary has {now.weight} % of the traffic, which stable can't answer"
    return update.event(world, "WeightSet", text)


def _routes(world: World, status: RolloutStatus, now: Route) -> list[str]:
    """Return the header and mirror routes that are known to be there, and to lead to this canary."""
    wanted = split_of(world.spec, status).names
    asked = tuple(wanted) == world.asked and reaches_canary(world, status)
    if now.routes_match and now.exists and asked:
        return wanted
    return [each for each in status.weights.routes if each in wanted]


def _confirm_routes(world: World, update: StatusUpdate, names: list[str]) -> StatusUpdate:
    weights = update.status.weights
    new = [each for each in names if each not in weights.routes]
    update = update.evolve(
        weights=weights.evolve(routes=names, applied_at=weights.applied_at or world.now)
    )
    if not new:
        return update
    update = update.evolve(promoted=_still_promoted(world, update.status))
    return update.event(world, "RouteSet", f"requests reach the canary by {', '.join(new)}")


def _still_promoted(world: World, status: RolloutStatus) -> str:
    """Return what a person took upon themselves, once the rise is made that it was for."""
    begun = (status.current_step_index or 0) < len(world.spec.steps)
    return "" if status.promoted == "Evidence" and begun else status.promoted


def _correct_drift(world: World, update: StatusUpdate, now: Route) -> StatusUpdate:
    """Return the update that says what somebody else changed, unless it may have been ourselves."""
    status, weights = update.status, update.status.weights
    if (
        update.retreat
        or mechanism_of(world.spec).pods_are_the_weight
        or drift_pause_ends(status, world.now) is not None
    ):
        return update
    if may_have_retreated(world, status) or _falls_in_parts(world, status, now):
        return update
    if serving_instead_of_stable(world, status) is not None or reaches_another(world, status):
        return update  # what stable can't bear stays where it is, or goes back now: that is our own
    if drift_correction_waits(world, status, weights.applied):
        return update
    if mechanism_of(world.spec).is_switched:
        return _switched_by_another(world, update, now)
    if not now.exists and weights.applied == 0 and not weights.routes:
        return update  # it says nothing, and nothing is what it is to say
    gone = weights.applied > 0 and not now.exists
    if gone and now.blockers:
        return _taken(world, update, now)
    changed = _unexpected_weight(now, weights)
    reshaped = not now.routes_match and tuple(weights.routes) == world.asked != ()
    if not (gone or changed is not None or reshaped or not now.intact):
        return update
    seen = "was changed" if changed is None else f"says {changed} %"
    seen = "is gone" if gone else seen
    text = f"the canary's route {seen}; the controller puts it back to {weights.applied} %"
    return update.event(world, DRIFT_CORRECTED, text, "Warning")


def _falls_in_parts(world: World, status: RolloutStatus, now: Route) -> bool:
    """Return whether stable, which made room, takes its traffic back bit by bit: all of that is our own."""
    weights = status.weights
    if not world.spec.active_strategy.dynamic_stable_scale or now.weight is None:
        return False
    superseded = not reaches_canary(world, status)
    return superseded or weights.desired <= now.weight < weights.applied


def _unexpected_weight(now: Route, weights: Weights) -> int | None:
    """
    Return a weight that some route says, and nobody asked for; None when there is none.

    Of routes that differ, or have not confirmed yet, that is only known where all of them can
    be written.
    """
    found = set() if now.weight is None else {now.weight}
    found |= set() if now.blockers else now.written
    return max(found - {weights.applied, weights.desired}, default=None)


def _taken(world: World, update: StatusUpdate, now: Route) -> StatusUpdate:
    """Take over that the canary has nothing any more, when something is in the way of giving it back."""
    weights = Weights(desired=update.status.weights.desired, applied=0, applied_at=world.now)
    text = f"the canary's route is gone, and with it its traffic: {now.blockers[0].message}"
    return update.evolve(weights=weights).event(world, "Blocked", text, "Warning")


def _switched_by_another(world: World, update: StatusUpdate, now: Route) -> StatusUpdate:
    """Return the update that says what the active Service selected, when neither this release nor its end asked for that."""
    service, weights = world.stable_service, update.status.weights
    active = update.status.current_revision if weights.applied else update.status.stable_revision
    if service is None or active is None or now.weight in (weights.applied, weights.desired):
        return update
    if service.by_label:
        return update  # nobody has changed the Service
    if not (service.selected_hash or weights.applied or was_bound(update.status, service)):
        return update  # it has not been bound yet
    if any(each.hash == service.selected_hash for each in update.status.retiring):
        return update  # it keeps the traffic of a release that is over until stable can bear it
    if not may_bind(world, service, active):
        return update  # it stays as it is until somebody would answer there
    return selector_drift(world, update, service, active)


def _bound_again(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says which Service somebody pointed at another revision while the canary has traffic."""
    status = update.status
    if update.retreat or not under_way(status) or status.weights.applied == 0:
        return update
    if not mechanism_of(world.spec).is_routed:
        return update
    if drift_pause_ends(status, world.now) is not None or world.services_are_claimed:
        return update
    pairs = (
        (world.stable_service, status.stable_revision),
        (world.canary_service, status.current_revision),
    )
    for service, wanted in pairs:
        if service is None or wanted is None or not world.is_selectable(wanted):
            continue
        if service.by_label:
            continue  # nobody has changed it
        if wanted is status.stable_revision and not may_bind_to_stable(world, status, service):
            continue
        bound = service.selected_hash != "" or was_bound(status, service)
        if bound and service.selected_hash != wanted.hash:
            update = selector_drift(world, update, service, wanted)
    return update
