"""
Traps that can be seen before a release starts, from the caches alone. Costs no request.

The condition `Preflight` and `rollouts lint --live` both say what is found here. Nothing
that changes by the second is looked at: a trap is there, or it isn't, for as long as nobody
changes an object. What a router's own objects show is found by the router (`rollouts.traffic`).
"""

from collections.abc import Iterator

from rollouts.controller.preflight.autoscalers import autoscaler_traps, limits_of, scalers_around
from rollouts.controller.preflight.budgets import budget_traps
from rollouts.controller.preflight.owners import owner_traps
from rollouts.controller.preflight.place import Place, Reads
from rollouts.controller.preflight.pods import pod_traps
from rollouts.controller.preflight.policies import policy_traps
from rollouts.controller.preflight.services import service_traps
from rollouts.controller.preflight.shared_pods import shared_pod_traps
from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.spec import RolloutSpec

__all__ = ["Place", "Reads", "traps"]


def traps(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> tuple[Finding, ...]:
    """Return every trap around a Rollout, each said once, always in the same order."""
    place = Place.of(cluster, rollout, spec)
    return tuple(dict.fromkeys(_found(place)))


def _found(place: Place) -> Iterator[Finding]:
    scalers = scalers_around(place)
    limits = limits_of(place, scalers)
    yield from service_traps(place)
    yield from pod_traps(place, limits)
    yield from autoscaler_traps(place, scalers)
    yield from shared_pod_traps(place, scalers)
    yield from budget_traps(place, limits)
    yield from owner_traps(place)
    yield from policy_traps(place)
