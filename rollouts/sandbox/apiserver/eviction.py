"""
The eviction subresource of pods: a deletion that PodDisruptionBudgets may forbid.

An eviction that is allowed is counted in the budget's status at once, so that several at the
same time do not take more pods than the budget allows. Source: "API-initiated Eviction" in the
Kubernetes documentation; the wording is that of its API server.
"""

from typing import Any

from rollouts.model.kinds import DISRUPTION_BUDGET, JSON, POD, FrozenJSON
from rollouts.sandbox.apiserver.answers import created
from rollouts.sandbox.apiserver.errors import ApiError, conflict
from rollouts.sandbox.apiserver.objects import get_path, labels_of, timestamp
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.selectors import labels_match
from rollouts.sandbox.apiserver.store import Store

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evicted(call: Call, body: Any, store: Store) -> JSON:
    """
    Delete the pod that the call names, and return the Status that says so.

    Raises:
        ApiError: 429, a budget forbids it now; 404, there is no such pod; 400, the body is no
            Eviction of it; 500, more than one budget is about it.
    """
    name, namespace = call.target.name, call.target.namespace
    if call.verb != "create":
        raise ApiError(405, "the server does not allow this method on the requested resource")
    if not isinstance(body, dict) or body.get("kind", "Eviction") != "Eviction":
        raise ApiError(400, "the body of the request is no Eviction")
    if get_path(body, "metadata.name", name) != name:
        raise ApiError(400, "name in URL does not match name in Eviction object")
    options = body.get("deleteOptions") or {}
    pod = store.stored(call.resource, namespace, name)
    _check_preconditions(pod, options)
    dry_run = call.dry_run or bool(options.get("dryRun"))
    if not _needs_no_leave(pod):
        _take_leave(store, pod, dry_run=dry_run)
    if not dry_run:
        grace = options.get("gracePeriodSeconds")
        store.delete(POD, namespace, name, grace_seconds=grace)
    return created()


def _check_preconditions(pod: FrozenJSON, options: FrozenJSON) -> None:
    meta = pod["metadata"]
    for field, wanted in (options.get("preconditions") or {}).items():
        if wanted and wanted != meta.get(field):
            raise conflict(POD.plural, POD.group, meta["name"], "the precondition failed")


def _needs_no_leave(pod: FrozenJSON) -> bool:
    """Return whether nothing is disrupted: it has ended, has not begun, or is going anyway."""
    phase = get_path(pod, "status.phase", "Pending")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


def _take_leave(store: Store, pod: FrozenJSON, *, dry_run: bool) -> None:
    meta = pod["metadata"]
    budgets = [
        budget
        for budget in store.select(DISRUPTION_BUDGET, meta["namespace"])
        if is_about(budget, pod)
    ]
    if len(budgets) > 1:
        why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, why)
    for budget in budgets:
        if _is_spare(pod, budget):
            return
        _check(budget)
        if not dry_run:
            left = budget["status"]["disruptionsAllowed"] - 1
            taken = {meta["name"]: timestamp(store.now())}
            status = {"disruptionsAllowed": left, "disruptedPods": taken}
            name = budget["metadata"]["name"]
            store.patch(DISRUPTION_BUDGET, meta["namespace"], name, {"status": status}, "status")


def is_about(budget: FrozenJSON, pod: FrozenJSON) -> bool:
    """Return whether a budget selects a pod; one without a selector selects none."""
    selector = get_path(budget, "spec.selector")
    return selector is not None and labels_match(selector, labels_of(pod))


def _is_spare(pod: FrozenJSON, budget: FrozenJSON) -> bool:
    """Return whether a pod that is not ready may go: there are enough without it."""
    conditions = get_path(pod, "status.conditions", [])
    if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
        return False
    if get_path(budget, "spec.unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired: int = get_path(budget, "status.desiredHealthy", 0)
    current: int = get_path(budget, "status.currentHealthy", 0)
    return 0 < desired <= current


def _check(budget: FrozenJSON) -> None:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        why = f"The disruption budget {name} is still being processed by the server."
        raise _refusal(why, {"retryAfterSeconds": 10})
    if not status.get("disruptionsAllowed"):
        desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        why = (
            f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
        )
        raise _refusal(why, {})


def _refusal(why: str, details: JSON) -> ApiError:
    cause = {"reason": "DisruptionBudget", "message": why}
    return ApiError(429, _REFUSED, details={"causes": [cause], **details})
