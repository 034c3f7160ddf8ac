"""
Keeping revisions on different nodes: one term of pod anti-affinity in a ReplicaSet's template.

The term is ours alone and can be told by its label, so that it can be taken out again. It is
no part of what a revision is: its hash is the template's as the user wrote it.
"""

import copy
from collections.abc import Mapping

from rollouts.model.kinds import HASH_LABEL, JSON, FrozenJSON
from rollouts.model.role_settings import AntiAffinity

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_TOPOLOGY = "kubernetes.io/hostname"


def with_anti_affinity(
    template: FrozenJSON, wanted: AntiAffinity | None, selector: FrozenJSON, hash_: str
) -> JSON:
    """
    Return a copy of `template` whose pods keep off the nodes of pods of other revisions.

    Those are the pods that `selector` (the Rollout's own) matches and that have another
    revision's hash. The template's own affinity is kept. An affinity that is no map is left
    to the API server to refuse.
    """
    result: JSON = copy.deepcopy(dict(template))
    if wanted is None:
        return result
    pod = result.setdefault("spec", {})
    affinity = pod.get("affinity") or {}
    own = affinity.get("podAntiAffinity") or {} if isinstance(affinity, Mapping) else None
    if not isinstance(own, Mapping):
        return result
    term = _term(selector, hash_)
    preferred = wanted.preferred_during_scheduling_ignored_during_execution
    if preferred is not None:
        field, entry = _PREFERRED, {"weight": preferred.weight, "podAffinityTerm": term}
    else:
        field, entry = _REQUIRED, term
    terms = [*(own.get(field) or ()), entry]
    pod["affinity"] = {**affinity, "podAntiAffinity": {**own, field: terms}}
    return result


def _term(selector: FrozenJSON, hash_: str) -> JSON:
    others = [
        # NotIn alone would match pods without the label, too.
        {"key": HASH_LABEL, "operator": "Exists"},
        {"key": HASH_LABEL, "operator": "NotIn", "values": [hash_]},
    ]
    labels = {
        key: value for key, value in _map(selector, "matchLabels").items() if key != HASH_LABEL
    }
    expressions = [*(selector.get("matchExpressions") or ()), *others]
    return {
        "labelSelector": {"matchLabels": labels, "matchExpressions": expressions},
        "topologyKey": _TOPOLOGY,
    }


def without_anti_affinity(template: FrozenJSON) -> JSON:
    """Return a copy of `template` without our term, and without what then says nothing."""
    result: JSON = copy.deepcopy(dict(template))
    affinity = _map(_map(result, "spec"), "affinity")
    own = _map(affinity, "podAntiAffinity")
    kept = {
        field: [each for each in terms if not _is_ours(each)] if isinstance(terms, list) else terms
        for field, terms in own.items()
    }
    if kept == own:
        return result
    rest = {field: terms for field, terms in kept.items() if terms}
    affinity = {**affinity, "podAntiAffinity": rest}
    if not rest:
        del affinity["podAntiAffinity"]
    if affinity:
        result["spec"]["affinity"] = affinity
    else:
        del result["spec"]["affinity"]
    return result


def _is_ours(entry: object) -> bool:
    if not isinstance(entry, Mapping):
        return False
    term = _map(entry, "podAffinityTerm") or entry
    expressions = _map(term, "labelSelector").get("matchExpressions") or ()
    return any(each.get("key") == HASH_LABEL for each in expressions)


def _map(obj: FrozenJSON, field: str) -> FrozenJSON:
    value = obj.get(field)
    return value if isinstance(value, Mapping) else {}
