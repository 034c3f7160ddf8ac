"""
How long somebody's silence may hold up an end.

What a rollback, or a newer template, takes from the canary is written at once, and counts when
those who serve the routes have confirmed it: until then the canary may have something, and keeps its
pods. One of them may have stopped to answer. Forward that is a matter of the progress deadline;
back it must not keep the canary, and whatever comes after it, for ever.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from rollouts.core.world import Move, World, under_way
from rollouts.model.status import RolloutStatus

SILENCE = timedelta(minutes=5)
"""Longer than a cloud's load balancer takes, and shorter than a step may wait by default."""


def patient(world: World, status: RolloutStatus) -> World:
    """Return the world without the answers that it has been waited for long enough after a retreat."""
    route, ends = world.observed.route, _ends(status)
    if not route.is_cut or ends is None or world.now < ends:
        return world
    heard = replace(route, weight=0, highest=0, said=frozenset(), waits=(), is_cut=False)
    return replace(world, observed=replace(world.observed, route=heard))


def waking(world: World, move: Move) -> Move:
    """Return the move, to be looked at again when the patience with what is not confirmed ends."""
    ends = _ends(move.status)
    return move.waking(ends) if world.observed.route.is_cut and ends is not None else move


def _ends(status: RolloutStatus) -> datetime | None:
    """Return until when an answer is waited for; None for as long as it takes."""
    left = _left_at(status)
    return left + SILENCE if left is not None else None


def _left_at(status: RolloutStatus) -> datetime | None:
    """Return when the routes were taken from the canary that is gone, or goes."""
    if status.abort is not None:
        return status.abort.at
    if not under_way(status):
        return status.drain_until
    has_had_something = status.weights.applied > 0 or status.weights.routes
    return None if has_had_something else status.started_at
