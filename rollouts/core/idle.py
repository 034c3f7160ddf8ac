"""
A release while there are no pods: nothing is released unseen.

With spec.replicas at 0, where an autoscaler may leave it, no pod could be seen to fail. So a
release starts no pod and moves no weight until pods are asked for, and stable has its own first.
"""

from rollouts.core.world import Move, World, under_way, waived
from rollouts.model.status import RolloutStatus


def waits_for(world: World, status: RolloutStatus) -> str:
    """Say what a release without pods waits for before its first step; empty when it may move."""
    if not under_way(status) or waived(status) or status.stable_floor > 0:
        return ""
    wanted = world.spec.replicas
    if wanted == 0:
        return (
            "waits for pods: spec.replicas is 0, and nothing is released unseen;"
            " scale it up, or promote it with --full"
        )
    stable = world.replica_set(status.stable_revision)
    # What is broken is not waited for: this release may be what mends it.
    if stable is not None and stable.available + stable.broken < wanted:
        return f"{stable.available} of {wanted} stable pods are available, which come first"
    return ""


def waiting(world: World, move: Move, waits: str) -> Move:
    """Return the move with the waiting on record, once in an attempt, and no step begun."""
    began = move.status.started_at
    move = move.evolve(step_started_at=None)
    for entry in move.status.history:
        if entry.reason == "WaitsForPods" and (began is None or entry.at >= began):
            return move
    return move.event(world, "WaitsForPods", waits)


def awake(world: World, move: Move) -> Move:
    """Return the move with the floor of a release that has waited, and may move from now on."""
    status, stable = move.status, world.replica_set(move.status.stable_revision)
    if status.stable_floor > 0 or stable is None or world.spec.replicas == 0:
        return move
    return move.evolve(stable_floor=max(world.spec.replicas, stable.wanted))
