"""
Autoscalers that find each other's pods.

A HorizontalPodAutoscaler stops as long as one of the pods that its target's selector finds
is found by another one's too, and so does that one (`hpasControllingPodsUnderSelector` in
Kubernetes' controller). Our own selector finds our pods alone; a Deployment's may find ours.
"""

from collections.abc import Iterator, Sequence

from rollouts.controller.preflight.autoscalers import AMBIGUOUS, Scaler, scalers_of_others
from rollouts.controller.preflight.budgets import selects
from rollouts.controller.preflight.context import PreflightContext
from rollouts.model.finding import Finding
from rollouts.model.kinds import DEPLOYMENT, REPLICA_SET
from rollouts.model.owners import is_controlled_by
from rollouts.model.unchecked_json import mapping


def shared_pod_findings(context: PreflightContext, scalers: Sequence[Scaler]) -> Iterator[Finding]:
    """Yield the autoscalers of others that find the pods which one of ours (in `scalers`) scales."""
    ours = next((scaler for scaler in scalers if scaler.scales(context)), None)
    if ours is None:
        return
    for other in scalers_of_others(context):
        if _finds_ours(context, other):
            yield Finding(
                "warning",
                "AmbiguousSelector",
                (
                    f"{other.title} finds this Rollout's pods, because the selector of {other.kind} {other.name}"
                    f" does: it and {ours.title} both stop ({AMBIGUOUS}); delete the first, or give its"
                    " target a selector of its own"
                ),
            )


def _finds_ours(context: PreflightContext, scaler: Scaler) -> bool:
    if (scaler.group, scaler.kind) == (REPLICA_SET.group, REPLICA_SET.name):
        found = context.get(REPLICA_SET, scaler.name)
        return found is not None and is_controlled_by(found, context.rollout)
    if (scaler.group, scaler.kind) != (
        DEPLOYMENT.group,
        DEPLOYMENT.name,
    ) or not context.labels:
        return False
    deployment = context.get(DEPLOYMENT, scaler.name)
    return selects(mapping(mapping(deployment).get("spec")).get("selector"), context.labels)
