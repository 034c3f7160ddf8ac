"""
How long the end of a release waits for a router that does not confirm it.

What a rollback takes from the canary is written at once, and counts when those who serve the
routes have confirmed it: until then the canary may have something, and keeps its pods. One of
them may have stopped to answer. Forward, also for a newer template, that is a matter of the
progress deadline: what is still sent to the last canary must not reach the next one. At the end
it must not keep a canary for ever. What is still sent to its Service gets stable's answers then.
`World.route` is the one place that goes by it.
"""

from datetime import datetime, timedelta

from rollouts.core.world import under_way
from rollouts.model.status import RolloutStatus

CONFIRMATION_TIMEOUT = timedelta(minutes=5)
"""Longer than a cloud's load balancer takes, and shorter than a step may wait by default."""


def confirmation_times_out_at(status: RolloutStatus) -> datetime | None:
    """Return until when an answer is waited for; None for as long as it takes."""
    left = _left_at(status)
    return left + CONFIRMATION_TIMEOUT if left is not None else None


def _left_at(status: RolloutStatus) -> datetime | None:
    """Return when the routes were taken from the last canary; None while another is on its way."""
    if status.abort is not None:
        return max(status.abort.at, status.drain_until or status.abort.at)
    return None if under_way(status) else status.drain_until
