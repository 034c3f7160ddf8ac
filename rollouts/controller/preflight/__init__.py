"""
What can be found wrong before a release starts, from the caches alone. Costs no request.

The condition `Preflight` and `rollouts lint` both say what is found here. Nothing that changes by
the second is looked at: a finding stays for as long as nobody changes an object. What a router's
own objects show is found by the router (`rollouts.traffic`).
"""

from collections.abc import Iterator

from rollouts.controller.preflight.autoscalers import autoscaler_findings, limits_of, scalers_around
from rollouts.controller.preflight.budgets import budget_findings
from rollouts.controller.preflight.context import PreflightContext
from rollouts.controller.preflight.owners import owner_findings
from rollouts.controller.preflight.pods import pod_findings
from rollouts.controller.preflight.services import service_findings
from rollouts.controller.preflight.shared_pods import shared_pod_findings
from rollouts.controller.preflight.stable_label import stable_label_findings
from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Reads

__all__ = ["PreflightContext", "findings"]


def findings(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> tuple[Finding, ...]:
    """Return everything that is found around a Rollout, each thing once, always in the same order."""
    context = PreflightContext.of(cluster, rollout, spec)
    return tuple(dict.fromkeys(_found(context)))


def _found(context: PreflightContext) -> Iterator[Finding]:
    scalers = scalers_around(context)
    limits = limits_of(context, scalers)
    yield from service_findings(context)
    yield from stable_label_findings(context)
    yield from pod_findings(context, limits)
    yield from autoscaler_findings(context, scalers)
    yield from shared_pod_findings(context, scalers)
    yield from budget_findings(context, limits)
    yield from owner_findings(context)
