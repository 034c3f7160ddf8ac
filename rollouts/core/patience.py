"""
How long somebody's silence may hold up an end.

What a rollback takes from the canary is written at once, and counts when those who serve the
routes have confirmed it: until then the canary may have something, and keeps its pods. One of
them may have stopped to answer. Forward, also for a newer template, that is a matter of the
progress deadline: what is still sent to the last canary must not reach the next one. At the end
it must not keep a canary for ever. What is still sent to its Service gets stable's answers then.
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
    taken = replace(route, weight=0, highest=0, said=frozenset())
    return replace(world, observed=replace(world.observed, route=taken))


def waited(world: World, move: Move) -> Move:
    """Return the move, to be looked at again when the patience ends; and then with that on record, once."""
    route, status, ends = world.observed.route, move.status, _ends(move.status)
    if not route.is_cut or ends is None:
        return move
    if route.highest > 0:
        return move.requeue_at(ends)
    if any(entry.reason == "NotConfirmed" and entry.at >= ends for entry in status.history):
        return move
    waits = "; ".join(route.waits) or "the routes are not confirmed"
    text = f"{waits}: it is waited for no longer; the canary goes, and its Service leads to stable"
    # The message goes on saying why it was rolled back.
    return move.event(world, "NotConfirmed", text, "Warning").evolve(message=status.message)


def _ends(status: RolloutStatus) -> datetime | None:
    """Return until when an answer is waited for; None for as long as it takes."""
    left = _left_at(status)
    return left + SILENCE if left is not None else None


def _left_at(status: RolloutStatus) -> datetime | None:
    """Return when the routes were taken from the last canary; None while another is on its way."""
    if status.abort is not None:
        return max(status.abort.at, status.drain_until or status.abort.at)
    return None if under_way(status) else status.drain_until
