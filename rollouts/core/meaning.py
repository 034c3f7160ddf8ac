"""
What a pod template means, whichever way it is written.

Null and absence, empty and absence, and another order mean the same only where Kubernetes
says so: in doubt two templates differ, and a release goes by its steps. `mark` is written on
ReplicaSets. What it is made of must not change: a template that was written otherwise since
would become a release by an upgrade of ours.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from rollouts.core.revision import template_hash
from rollouts.model.kinds import JSON, FrozenJSON

_UNORDERED = (
    "volumes",
    "imagePullSecrets",
    "topologySpreadConstraints",
    "readinessGates",
    "schedulingGates",
    "resourceClaims",
)
"""
Lists of a pod spec that are maps by a key, or sets, to Kubernetes (`x-kubernetes-list-type`).

Containers, env, envFrom, volumeMounts and hostAliases are not among them: there a later one may
depend on an earlier one, or take its place.
"""


def meaning(template: FrozenJSON) -> JSON:
    """
    Return the template in the one way of writing it that stands for all that mean the same.

    No empty object is left out but those that are known to mean nothing: a namespaceSelector,
    for one, that is empty selects all namespaces, and an emptyDir is a volume.
    """
    pruned: JSON = _pruned(template)
    metadata = pruned.get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if value not in ({}, "")}
    result: JSON = {**pruned, "metadata": kept}
    if "spec" in pruned:
        result["spec"] = _pod(pruned["spec"])
    return result


def mark(template: FrozenJSON) -> str:
    """Return what is equal for templates that mean the same, in 10 characters."""
    return template_hash(meaning(template))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        inner = ((key, _pruned(each)) for key, each in value.items())
        return {key: each for key, each in inner if each is not None and each != []}
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return value


def _pod(spec: Any) -> Any:
    spec = _changed(spec, _UNORDERED, _in_any_order)
    spec = _changed(spec, ("tolerations",), _tolerations)
    spec = _changed(spec, ("containers", "initContainers"), _containers)
    spec = _changed(spec, ("affinity",), _affinity)
    return _without_empty(spec, ("affinity", "nodeSelector", "securityContext"))


def _affinity(affinity: Any) -> Any:
    return _without_empty(affinity, ("nodeAffinity", "podAffinity", "podAntiAffinity"))


def _containers(containers: Any) -> Any:
    return [_container(each) for each in containers] if isinstance(containers, list) else containers


def _container(container: Any) -> Any:
    container = _changed(container, ("ports",), _in_any_order)
    container = _changed(container, ("resources",), _resources)
    container = _changed(container, ("securityContext",), _security)
    return _without_empty(container, ("resources", "securityContext"))


def _resources(resources: Any) -> Any:
    return _without_empty(resources, ("limits", "requests"))


def _security(context: Any) -> Any:
    context = _changed(context, ("capabilities",), _capabilities)
    return _without_empty(context, ("capabilities",))


def _capabilities(sets: Any) -> Any:
    return _changed(sets, ("add", "drop"), _in_any_order)


def _tolerations(tolerations: Any) -> Any:
    """
    Return tolerations in one order, where it means nothing.

    Of several that tolerate one taint the first counts, which makes a difference only with
    tolerationSeconds (`GetMatchingTolerations` in Kubernetes' component-helpers).
    """
    if not isinstance(tolerations, list):
        return tolerations
    timed = any(not isinstance(each, dict) or "tolerationSeconds" in each for each in tolerations)
    return tolerations if timed else _in_any_order(tolerations)


def _in_any_order(values: Any) -> Any:
    if not isinstance(values, list):
        return values
    return sorted(values, key=lambda each: json.dumps(each, sort_keys=True))


def _without_empty(value: Any, fields: Iterable[str]) -> Any:
    """Return an object without these fields, where they are empty objects."""
    if not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if key not in fields or each != {}}


def _changed(obj: Any, fields: Iterable[str], change: Callable[[Any], Any]) -> Any:
    """Return an object with these of its fields changed; what is no object has none."""
    if not isinstance(obj, dict):
        return obj
    return {**obj, **{key: change(obj[key]) for key in fields if key in obj}}
