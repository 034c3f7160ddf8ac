"""When a release is stopped, or waits at 0 for pods that were taken away."""

from datetime import timedelta

from rollouts.core.facts import (
    DISRUPTED,
    disruption_begins,
    disruption_is_over,
    failed_criteria,
    next_unready_end,
    reaches_another,
    reasons_to_roll_back,
)
from rollouts.core.next.attempt import roll_back, switch_back
from rollouts.core.world import StatusUpdate, World, kept_warm, mechanism_of, under_way


def hold_disrupted(world: World, update: StatusUpdate) -> StatusUpdate:
    """
    Take the traffic away, in this very decision, until other pods are available.

    Without a router there is nothing to take: the pods that are gone were the weight.
    """
    status = update.status
    if not disruption_begins(world, status):
        return update
    left = mechanism_of(world.spec).weights_without_canary(status.weights, world.now)
    disrupted = left.evolve(disrupted_at=world.now)
    update = update.evolve(weights=disrupted, step_started_at=world.now)
    update = update.event(world, "Disrupted", DISRUPTED, "Warning")
    return update if left is status.weights else update.as_retreat()


def end_disruption(world: World, update: StatusUpdate) -> StatusUpdate:
    """Begin the step again, by its own clock, once everything is back that was taken."""
    weights = update.status.weights
    if weights.disrupted_at is None or not disruption_is_over(world, update.status):
        return update
    return update.evolve(
        weights=weights.evolve(disrupted_at=None, applied_at=world.now), step_started_at=world.now
    )


def abort_if_failed(world: World, update: StatusUpdate) -> StatusUpdate:
    """Roll back, in this very decision, when there is a reason to."""
    if update.retreat:
        return update
    warm = kept_warm(world, update.status)
    if warm is not None:
        reason = next(failed_criteria(world), None)
        if reason is None:
            return update
        return switch_back(world, update, warm, by="rollouts", reason=reason)
    if not under_way(update.status):
        return update
    reason = next(reasons_to_roll_back(world, update.status), None)
    if reason is not None:
        return roll_back(world, update, by="rollouts", reason=reason)
    due = next_unready_end(world, update.status)
    return hold_disrupted(world, update.requeue_at(due) if due is not None else update)


def routes_cut(world: World, update: StatusUpdate) -> StatusUpdate:
    """
    Keep since when a canary that was left gets nothing, where a write of this decision is the end of that.

    Stable may not have been able to bear its traffic before. What it counted until then is not
    the next one's. Of routes that can't be seen nobody knows: each write would be the end of it.
    """
    status, route = update.status, world.route
    if route.is_cut or route.is_unseen or route.highest == 0 or not update.ends_traffic:
        return update
    drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
    if not under_way(status):
        return update.evolve(drain_until=drained)
    if not reaches_another(world, status):
        return update
    return update.evolve(drain_until=drained, exposed_at=drained)
