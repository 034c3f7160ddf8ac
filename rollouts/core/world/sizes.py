"""How many pods each revision has to have, and how many may be missing meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.core.world.observed import ReplicaSet
from rollouts.core.world.stage import under_way
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.route import Split
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.strategy import ReplicaProgressThreshold, Step
from rollouts.model.units import resolve_int_or_percent

MOST_EVICTIONS = 50


@dataclass(frozen=True, slots=True)
class RestartPace:
    """How a restart goes: of `size` pods, and `restart_surge` more meanwhile, `keep` are always available."""

    size: int
    keep: int
    surge: int

    @property
    def at_once(self) -> int:
        """How many pods go at the same time."""
        return min(MOST_EVICTIONS, self.size + self.surge - self.keep)


_STARTING_PERCENT = 5
"""So many of a revision's pods may still be starting when it goes on; of fewer than 20 none."""


@dataclass(frozen=True, slots=True)
class RevisionSize:
    """One revision's pods on the way to `goal`."""

    wanted: int
    available: int
    goal: int
    urgent: bool = False
    """It may grow at once, whatever maxSurge says: traffic comes back to it."""


def max_unavailable(spec: RolloutSpec, size: int) -> int:
    """Return how many of `size` pods maxUnavailable lets be missing, rounded down."""
    return resolve_int_or_percent(spec.active_strategy.max_unavailable, size, round_up=False)


def restart_pace(spec: RolloutSpec, status: RolloutStatus) -> RestartPace:
    """Return how the restart of a revision of the size that is wanted now goes."""
    size = max(spec.replicas, status.stable_floor)
    keep = max(size - max_unavailable(spec, size), min(1, size))
    return RestartPace(size, keep, surge=1 if keep == size > 0 else 0)


def restart_surge(spec: RolloutSpec, status: RolloutStatus) -> int:
    """Return how many pods the stable revision has beyond its size, because of a restart."""
    if status.restart is None or not status.restart.begun or under_way(status):
        return 0
    return restart_pace(spec, status).surge


def canary_replicas(total: int, weight_percent: int) -> int:
    """
    Return how many canary pods `weight_percent` of the traffic needs.

    Rounds up, and is at least one as soon as any traffic is sent.

    Raises:
        ValueError: `weight_percent` is outside 0..100.
    """
    if not 0 <= weight_percent <= 100:
        raise ValueError(f"a weight is 0 to 100 percent, got {weight_percent}")
    if weight_percent == 0:
        return 0
    return max(1, -(-total * weight_percent // 100))


def stable_replicas(spec: RolloutSpec, status: RolloutStatus) -> int:
    """
    Return how many pods the stable revision has to have.

    While a rollout is under way that is at least what it had at the start: traffic may
    come back at any moment. A restart may need one more.
    """
    return max(spec.replicas, status.stable_floor) + restart_surge(spec, status)


def enough_pods(spec: RolloutSpec, wanted: int, found: ReplicaSet | None) -> int:
    """
    Return how many of `wanted` pods have to be available to go on: replicaProgressThreshold.

    By default those of the last 5 percent, rounded down, that are only starting are not waited for:
    where nodes come and go all the time, so many of hundreds of pods are always being replaced.
    """
    threshold = spec.active_strategy.replica_progress_threshold
    if threshold is None:
        return enough_pods_when_settled(spec, wanted, found)
    return _least(threshold, wanted)


def enough_pods_by_threshold(spec: RolloutSpec, wanted: int) -> int:
    """Return how many of `wanted` pods a person calls enough, whatever the others do: all, unless they say so."""
    threshold = spec.active_strategy.replica_progress_threshold
    return _least(threshold, wanted) if threshold is not None else wanted


def enough_pods_when_settled(spec: RolloutSpec, wanted: int, found: ReplicaSet | None) -> int:
    """Return the same for a revision that is alone: pods that are broken are never left out."""
    threshold = spec.active_strategy.replica_progress_threshold
    spare = wanted * _STARTING_PERCENT // 100
    if threshold is not None:
        spare = wanted - _least(threshold, wanted)
    there = found.available + found.broken if found is not None else 0
    return wanted - min(max(0, wanted - there), spare)


def _least(threshold: ReplicaProgressThreshold, wanted: int) -> int:
    """Return what a threshold asks for of `wanted` pods; a percentage is rounded up."""
    if threshold.type == "Percent":
        return -(-wanted * threshold.value // 100)
    return min(wanted, threshold.value)


def canary_scale_at(spec: RolloutSpec, status: RolloutStatus, index: int) -> int | None:
    """Return the canary size that the last setCanaryScale at or before step `index` sets, or None."""
    for step in reversed(spec.steps[: index + 1]):
        scale = step.set_canary_scale
        if scale is None:
            continue
        if scale.match_traffic_weight:
            return None
        if scale.replicas is not None:
            return scale.replicas
        return canary_replicas(stable_replicas(spec, status), scale.weight or 0)
    return None


def split_of(spec: RolloutSpec, status: RolloutStatus) -> Split:
    """
    Return what the routes are to say at the current step, once everything is in place.

    Header and mirror routes hold from their step to the one that ends them, or to the
    promotion, where all requests go to the canary anyway.
    """
    index, steps = status.current_step_index, spec.steps
    if index is None or index >= len(steps) or status.abort is not None:
        return Split(percent=status.weights.desired)
    return Split(status.weights.desired, _headers(steps[: index + 1]), _mirrors(steps[: index + 1]))


def _headers(steps: Sequence[Step]) -> tuple[SetHeaderRoute, ...]:
    """Return the header routes that hold after these steps."""
    holding: dict[str, Any] = {}
    for route in (step.set_header_route for step in steps):
        if route is not None:
            holding.pop(route.name, None)
            if route.match:
                holding[route.name] = route
    return tuple(holding.values())


def _mirrors(steps: Sequence[Step]) -> tuple[SetMirrorRoute, ...]:
    """Return the mirror routes that hold after these steps."""
    holding: dict[str, Any] = {}
    for route in (step.set_mirror_route for step in steps):
        if route is not None:
            holding.pop(route.name, None)
            if route.match or route.percentage:
                holding[route.name] = route
    return tuple(holding.values())


def pod_shares(spec: RolloutSpec, total: int, percent: int) -> tuple[int, int]:
    """
    Return how many canary and how many stable pods are nearest to a weight without a router.

    Rounded to the nearest whole pod, but neither side is empty between 1 and 99 percent; of
    a single pod there is then one of each, if maxSurge allows a second.
    """
    if percent in (0, 100) or total == 0:
        return total * percent // 100, total - total * percent // 100
    if total == 1:
        return (1, 1) if _max_surge(spec, total) else (0, 1)
    canary = min(max(1, (2 * total * percent + 100) // 200), total - 1)
    return canary, total - canary


def share_percent(canary: int, stable: int) -> int:
    """Return the canary's share of the pods in percent, never 0 or 100 while both have some."""
    if canary == 0 or stable == 0:
        return 100 if canary else 0
    return min(99, max(1, round(100 * canary / (canary + stable))))


def _max_surge(spec: RolloutSpec, total: int) -> int:
    return resolve_int_or_percent(spec.active_strategy.max_surge, total, round_up=True)


def _least_available(spec: RolloutSpec, total: int) -> int:
    missing = max_unavailable(spec, total)
    if missing == 0 and _max_surge(spec, total) == 0:
        missing = 1  # both rounded to nothing: as a Deployment does, so that it moves at all
    return max(0, total - missing)


def next_sizes(
    spec: RolloutSpec, total: int, revisions: Mapping[str, RevisionSize]
) -> dict[str, int]:
    """
    Return the next sizes on the way to all goals, by hash, as a rolling update goes.

    There are never more than maxSurge pods beyond `total` because of us, nor fewer than
    `total` - maxUnavailable available ones; pods that are not available go first. Those beyond
    what a revision is to have are going already, whether that is seen yet or not.
    """
    sizes = {hash_: each.wanted for hash_, each in revisions.items()}
    room = total + _max_surge(spec, total) - sum(sizes.values())
    for hash_, each in revisions.items():
        more = max(0, each.goal - each.wanted)
        grown = more if each.urgent else min(more, max(0, room))
        sizes[hash_] += grown
        room -= grown
    staying = sum(min(each.available, each.wanted) for each in revisions.values())
    spare = staying - _least_available(spec, total)
    for hash_, each in revisions.items():
        over = max(0, each.wanted - each.goal)
        broken = max(0, each.wanted - each.available)
        cut = min(over, broken + max(0, spare))
        sizes[hash_] -= cut
        spare -= max(0, cut - broken)
    return sizes


def stable_pods_beside(spec: RolloutSpec, status: RolloutStatus, percent: int) -> int:
    """Return how many stable pods the traffic needs that a canary of `percent` leaves: at least one."""
    total = stable_replicas(spec, status)
    return min(total, max(1, -(-total * (100 - percent) // 100)))
