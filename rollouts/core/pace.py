"""How many pods may be missing, and how fast a restart goes: never more than maxUnavailable lets be missing."""

from dataclasses import dataclass

from rollouts.core.world import under_way
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.units import amount_of

MOST_AT_ONCE = 50
_UNAVAILABLE = "25%"
"""What blueGreen has no field for, as a Deployment has it by default."""


def unavailable(spec: RolloutSpec, size: int) -> int:
    """Return how many of `size` pods maxUnavailable lets be missing, rounded down."""
    canary = spec.strategy.canary
    amount = canary.max_unavailable if canary is not None else _UNAVAILABLE
    return amount_of(amount, size, round_up=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a restart goes: of `size` pods, and `surge` more meanwhile, `keep` are always available."""

    size: int
    keep: int
    surge: int

    @property
    def at_once(self) -> int:
        """How many pods go at the same time."""
        return min(MOST_AT_ONCE, self.size + self.surge - self.keep)


def pace(spec: RolloutSpec, status: RolloutStatus) -> Pace:
    """Return how the restart of a revision of the size that is wanted now goes."""
    size = max(spec.replicas, status.stable_floor)
    keep = max(size - unavailable(spec, size), min(1, size))
    return Pace(size, keep, surge=1 if keep == size > 0 else 0)


def surge(spec: RolloutSpec, status: RolloutStatus) -> int:
    """Return how many pods the stable revision has beyond its size, because of a restart."""
    if status.restart is None or not status.restart.begun or under_way(status):
        return 0
    return pace(spec, status).surge
