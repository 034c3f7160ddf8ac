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
from rollouts.core.next.attempt import go_back, roll_back
from rollouts.core.world import Move, World, carrier_of, kept_warm, under_way
from rollouts.model.status import Weights


def hold_disrupted(world: World, move: Move) -> Move:
    """
    Take the traffic away, in this very decision, until other pods are available.

    Without a router there is nothing to take: the pods that are gone were the weight.
    """
    status = move.status
    if not disruption_begins(world, status):
        return move
    weights = status.weights
    taken = not carrier_of(world.spec).pods_are_the_weight
    if taken:
        weights = Weights(desired=weights.desired, applied_at=world.now)
    disrupted = weights.evolve(disrupted_at=world.now)
    move = move.evolve(weights=disrupted, step_started_at=world.now)
    move = move.event(world, "Disrupted", DISRUPTED, "Warning")
    return move.as_retreat() if taken else move


def end_disruption(world: World, move: Move) -> Move:
    """Begin the step again, by its own clock, once everything is back that was taken."""
    weights = move.status.weights
    if weights.disrupted_at is None or not disruption_is_over(world, move.status):
        return move
    return move.evolve(
        weights=weights.evolve(disrupted_at=None, applied_at=world.now), step_started_at=world.now
    )


def abort_if_failed(world: World, move: Move) -> Move:
    """Roll back, in this very decision, when there is a reason to."""
    if move.retreat:
        return move
    warm = kept_warm(world, move.status)
    if warm is not None:
        reason = next(failed_criteria(world), None)
        if reason is None:
            return move
        return go_back(world, move, warm, by="rollouts", reason=reason)
    if not under_way(move.status):
        return move
    reason = next(reasons_to_roll_back(world, move.status), None)
    if reason is not None:
        return roll_back(world, move, by="rollouts", reason=reason)
    due = next_unready_end(world, move.status)
    return hold_disrupted(world, move.requeue_at(due) if due is not None else move)


def routes_cut(world: World, move: Move) -> Move:
    """
    Keep since when a canary that was left gets nothing, where a write of this decision is the end of that.

    Stable may not have been able to bear its traffic before. What it counted until then is not
    the next one's.
    """
    status, route = move.status, world.observed.route
    if route.is_cut or route.highest == 0 or not move.ends_traffic:
        return move
    drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
    if not under_way(status):
        return move.evolve(drain_until=drained)
    if not reaches_another(world, status):
        return move
    return move.evolve(drain_until=drained, exposed_at=drained)
