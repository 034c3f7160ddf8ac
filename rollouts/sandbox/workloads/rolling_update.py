"""
How many pods each ReplicaSet of a Deployment should have next. Pure.

The rule is Kubernetes': never more than replicas + maxSurge pods, and never fewer available
ones than replicas − maxUnavailable; of the old ones, those that are not available go first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.model.kinds import FrozenJSON


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet: how many pods it should have, and how many are available."""

    name: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an update may leave the wanted number of replicas."""

    replicas: int
    surge: int
    unavailable: int


def limits(spec: FrozenJSON) -> Limits:
    """
    Return the limits that a Deployment's spec sets.

    A percentage of surge is rounded up, one of unavailability down; when both come out
    as 0, one pod may be unavailable: there would be no way forward.
    """
    replicas = spec.get("replicas", 1)
    rolling: Mapping[str, Any] = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = math.ceil(_amount(rolling.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_amount(rolling.get("maxUnavailable", "25%"), replicas))
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, min(unavailable, replicas))


def _amount(value: int | str, replicas: int) -> float:
    if isinstance(value, str):
        return replicas * int(value.rstrip("%")) / 100
    return value


def next_sizes(new: Size, old: Sequence[Size], allowed: Limits) -> dict[str, int]:
    """Return name → replicas for the ReplicaSets to change now; `old` is sorted, oldest first."""
    total = new.wanted + sum(size.wanted for size in old)
    room = allowed.replicas + allowed.surge - total
    if new.wanted > allowed.replicas:
        return {new.name: allowed.replicas}
    grown = min(new.wanted + max(room, 0), allowed.replicas)
    if grown != new.wanted:
        return {new.name: grown}
    return _shrunk(new, old, allowed, total)


def _shrunk(new: Size, old: Sequence[Size], allowed: Limits, total: int) -> dict[str, int]:
    least = allowed.replicas - allowed.unavailable
    not_yet = max(new.wanted - new.available, 0)
    budget = total - least - not_yet
    sizes = {size.name: size.wanted for size in old}
    for size in old:
        useless = min(max(size.wanted - size.available, 0), max(budget, 0))
        sizes[size.name] -= useless
        budget -= useless
    spare = new.available + sum(size.available for size in old) - least
    for size in old:
        goes = min(sizes[size.name], max(spare, 0), max(budget, 0))
        sizes[size.name] -= goes
        spare -= goes
        budget -= goes
    return {size.name: sizes[size.name] for size in old if sizes[size.name] != size.wanted}
