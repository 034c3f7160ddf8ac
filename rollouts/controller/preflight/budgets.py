"""
What is wrong in PodDisruptionBudgets.

Facts, from Kubernetes' disruption controller and its eviction API: percentages are rounded
up; the pods of a ReplicaSet that a Rollout owns count as that ReplicaSet's replicas; a pod
that two budgets select can't be evicted at all.
"""

from collections.abc import Iterator, Mapping, Sequence

from rollouts.controller.preflight.autoscalers import SCALERS, Limits
from rollouts.controller.preflight.context import PreflightContext, listed, name_of
from rollouts.model.finding import Finding
from rollouts.model.kinds import DISRUPTION_BUDGET, HASH_LABEL, FrozenJSON, Kind
from rollouts.model.unchecked_json import items, mapping


def budget_findings(context: PreflightContext, limits: Limits | None) -> Iterator[Finding]:
    """Yield the budgets that keep every pod in its place, or that protect the wrong pods."""
    most = limits.most if limits is not None else context.spec.replicas
    metadata = context.spec.active_strategy.stable_metadata
    labels = {**context.labels, **(metadata.labels if metadata is not None else {})}
    protecting = []
    for budget, hash_ in sorted(_around(context, labels), key=lambda found: name_of(found[0])):
        title = name_of(budget)
        protecting.append(title)
        if hash_:
            yield Finding(
                "warning",
                "BudgetForOneRevision",
                (
                    f"PodDisruptionBudget {title} selects the pods of revision {hash_} only, and after the next"
                    f" release none; take {HASH_LABEL} out of its selector"
                ),
            )
        yield from _forbidding(budget, most, SCALERS if limits is None else ())
    if len(protecting) > 1:
        yield Finding(
            "warning",
            "SeveralBudgets",
            (
                f"the PodDisruptionBudgets {listed(protecting)} all select the pods, which can't be evicted then:"
                " the eviction API refuses a pod with more than one; keep one"
            ),
        )


def _around(
    context: PreflightContext, labels: Mapping[str, str]
) -> Iterator[tuple[FrozenJSON, str]]:
    """Yield the budgets that select our pods, and the revision that each is bound to, if any."""
    for budget in context.all(DISRUPTION_BUDGET) if labels else ():
        selector = mapping(budget.get("spec")).get("selector")
        hash_ = _bound_to(selector)
        if selects(selector, {**labels, **({HASH_LABEL: hash_} if hash_ else {})}):
            yield budget, hash_


def _forbidding(budget: FrozenJSON, most: int, chosen_by: tuple[Kind, ...]) -> Iterator[Finding]:
    """Yield that it never lets one of `most` pods go, of which others `chosen_by` may choose more."""
    spec = mapping(budget.get("spec"))
    unavailable, available = spec.get("maxUnavailable"), spec.get("minAvailable")
    rule = ""
    if unavailable is not None and _pods(unavailable, most or 1) == 0:
        rule = f"maxUnavailable: {unavailable}"
    elif available is not None and most > 0 and _pods(available, most) >= most:
        rule = f"minAvailable: {available} of at most {most}"
    if rule:
        yield Finding(
            "warning",
            "BudgetForbidsAll",
            (
                f"PodDisruptionBudget {name_of(budget)} never lets a pod go ({rule}): no node can be drained,"
                " and no pod restarted by eviction; allow at least one, such as maxUnavailable: 1"
            ),
            needs=() if rule.startswith("max") else chosen_by,
        )


def _pods(amount: object, total: int) -> int:
    """Return how many of `total` an amount of a budget is; what is none leaves room."""
    text = str(amount)
    if text.endswith("%") and text[:-1].isdecimal():
        return -(-int(text[:-1]) * total // 100)
    return int(text) if text.isdecimal() else 1


def _bound_to(selector: object) -> str:
    """Return the revision hash that a selector asks for, or ""."""
    asked = mapping(mapping(selector).get("matchLabels")).get(HASH_LABEL)
    if asked:
        return str(asked)
    for each in items(mapping(selector).get("matchExpressions")):
        values = each.get("values")
        if (
            each.get("key") == HASH_LABEL
            and each.get("operator") == "In"
            and isinstance(values, list)
        ):
            return str(values[0]) if len(values) == 1 else ""
    return ""


def selects(selector: object, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector matches; an empty one matches everything, none nothing."""
    if not isinstance(selector, Mapping):
        return False
    wanted = mapping(selector.get("matchLabels"))
    return wanted.items() <= labels.items() and all(
        _meets(each, labels) for each in items(selector.get("matchExpressions"))
    )


def _meets(requirement: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    value = labels.get(str(requirement.get("key")))
    found = requirement.get("values")
    values: Sequence[object] = found if isinstance(found, list) else ()
    match requirement.get("operator"):
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
