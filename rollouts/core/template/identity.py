"""
Which revision a template is: found by what it means, not by how it is written.

A template that a ReplicaSet of ours has already is that ReplicaSet's revision, and only one
that is really new gets a hash of its own. An API server that fills in a new default, in the
Deployment of a workloadRef and in the ReplicaSets alike, starts no release; nor does a null
or another order, where that means nothing.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rollouts.core.template.role_metadata import user_template
from rollouts.model.kinds import HASH_LABEL, JSON, MEANING_ANNOTATION, FrozenJSON

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


def identify(template: FrozenJSON, rollout: FrozenJSON, replica_sets: Sequence[FrozenJSON]) -> str:
    """
    Return the hash of the revision that a template is.

    `replica_sets` are the Rollout's. Of several that have the template, the one of the
    current revision comes first, then that of the stable one.
    """
    exact = template_hash(template)
    sets = {str(each["metadata"]["labels"][HASH_LABEL]): each for each in replica_sets}
    status = rollout.get("status") or {}
    roles = ("currentRevision", "stableRevision")
    named = [str((status.get(role) or {}).get("hash") or "") for role in roles]
    if exact == named[0]:
        return exact
    meant, marked = canonical_template(template), canonical_hash(template)
    for hash_ in (each for each in (*named, exact, *sorted(sets)) if each in sets):
        written = (sets[hash_]["metadata"].get("annotations") or {}).get(MEANING_ANNOTATION)
        if (
            hash_ == exact
            or written == marked
            or canonical_template(user_template(sets[hash_])) == meant
        ):
            return hash_
    return exact


def known_hash(deployment: FrozenJSON, rollout: FrozenJSON) -> str:
    """
    Return what status says of this generation of the Deployment; empty when it speaks of another.

    What a Deployment's template is does not change without its generation, and so is looked
    at once for each.
    """
    adoption = (rollout.get("status") or {}).get("adoption") or {}
    metadata = deployment["metadata"]
    told = adoption.get("uid"), adoption.get("observedGeneration")
    if told != (metadata.get("uid"), metadata.get("generation")) or not metadata.get("generation"):
        return ""
    return str(adoption.get("templateHash") or "")


def canonical_template(template: FrozenJSON) -> JSON:
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


def canonical_hash(template: FrozenJSON) -> str:
    """Return what is equal for templates that mean the same, in 10 characters."""
    return template_hash(canonical_template(template))


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


def template_hash(template: FrozenJSON) -> str:
    """
    Return 10 characters of base32 of SHA-256 over the canonical JSON of `template`.

    Canonical: sorted keys, no spaces, UTF-8. No library's serialisation of models is
    involved, so an upgrade of any of them never starts a release.
    """
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.b32encode(digest).decode()[:10].lower()


def images(template: FrozenJSON) -> tuple[str, ...]:
    """Return the images of the template's containers, in order."""
    containers = (template.get("spec") or {}).get("containers") or []
    return tuple(str(container.get("image", "")) for container in containers)
