"""
All canary pods are gone, and the release can't help it: it waits at 0 for the next ones.

A drained or lost node, a kubelet that makes room, a preemption: traffic goes back to stable at
once, as on a rollback, but the attempt goes on. The step begins again when other pods are
available; its progress deadline runs meanwhile. The evidence of the attempt stays.
"""

from collections.abc import Iterator
from datetime import timedelta

from rollouts.core.pods import are_gone
from rollouts.core.replicas import split_of
from rollouts.core.routes import route
from rollouts.core.world import Move, World
from rollouts.model.status import RolloutStatus, Weights
from rollouts.model.units import format_duration

WAITS = "all canary pods are gone by no fault of theirs; its weight is 0 until others are available"
MOST = 3
"""So often within one progress deadline a canary loses all its pods, and it is no accident any more."""


def begins(world: World, status: RolloutStatus) -> bool:
    """Return whether a canary with traffic has lost all its pods, and there is a stable pod to answer."""
    weights, canary = status.weights, world.replica_set(status.current_revision)
    exposed = weights.applied > 0 or bool(weights.routes)
    if not exposed or weights.disrupted_at is not None or canary is None:
        return False
    return are_gone(canary, weights.applied_at) and (
        world.spec.by_replicas or world.stands(status.stable_revision)
    )


def hold(world: World, move: Move) -> Move:
    """
    Take the traffic away, in this very decision, until other pods are available.

    Without a router there is nothing to take: the pods that are gone were the weight.
    """
    status = move.status
    if not begins(world, status):
        return move
    lowered = Weights(desired=status.weights.desired, applied_at=world.now, disrupted_at=world.now)
    if world.spec.by_replicas:
        lowered = status.weights.evolve(disrupted_at=world.now)
    move = move.evolve(weights=lowered, step_started_at=world.now)
    move = move.event(world, "Disrupted", WAITS, "Warning")
    return move if world.spec.by_replicas else move.as_retreat()


def too_often(world: World, status: RolloutStatus) -> Iterator[str]:
    """Yield why a canary that loses its pods again is to blame: it may be what its nodes go down with."""
    if not begins(world, status):
        return
    within = world.spec.progress_deadline_seconds
    since = max(world.now - timedelta(seconds=within), status.started_at or world.now)
    times = 1 + sum(entry.reason == "Disrupted" and entry.at >= since for entry in status.history)
    if times >= MOST:
        yield f"all canary pods were gone {times} times within {format_duration(within)}"


def is_without_pods(world: World, status: RolloutStatus) -> bool:
    """Return whether it waits, and no pod is ready yet: whatever the routes say, nothing is confirmed."""
    canary = world.replica_set(status.current_revision)
    return status.weights.disrupted_at is not None and (canary is None or canary.ready == 0)


def end(world: World, move: Move) -> Move:
    """Begin the step again, by its own clock, once everything is back that was taken."""
    weights = move.status.weights
    if weights.disrupted_at is None or not _is_back(world, move.status):
        return move
    return move.evolve(
        weights=weights.evolve(disrupted_at=None, applied_at=world.now), step_started_at=world.now
    )


def _is_back(world: World, status: RolloutStatus) -> bool:
    if is_without_pods(world, status):
        return False
    weights = status.weights
    if world.spec.by_replicas:
        return route(world, status).weight is not None
    return (
        weights.applied == weights.desired and weights.routes == split_of(world.spec, status).names
    )
