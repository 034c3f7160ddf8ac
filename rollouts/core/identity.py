"""
Which revision a Deployment's template is: found by what it means, not by how it is written.

A template that a ReplicaSet of ours has already is that ReplicaSet's revision, and only one
that is really new gets a hash of its own. So an API server that fills in a new default, in
the Deployment and in the ReplicaSets alike, starts no release. What a Deployment's template
is does not change without its generation, and so is looked at once for each.
"""

from collections.abc import Sequence
from typing import Any

from rollouts.core.dress import undressed
from rollouts.core.revision import template_hash
from rollouts.model.kinds import HASH_LABEL, JSON, FrozenJSON


def identify(
    deployment: FrozenJSON, rollout: FrozenJSON, replica_sets: Sequence[FrozenJSON]
) -> str:
    """
    Return the hash of the revision that a Deployment's template is.

    `replica_sets` are the Rollout's. Of several that have the template, the one of the
    current revision comes first, then that of the stable one.
    """
    known = _known(deployment, rollout)
    if known:
        return known
    template = deployment["spec"]["template"]
    meant = meaning(template)
    same = sorted(
        str(each["metadata"]["labels"][HASH_LABEL])
        for each in replica_sets
        if meaning(undressed(each)) == meant
    )
    status = rollout.get("status") or {}
    for role in ("currentRevision", "stableRevision"):
        hash_ = (status.get(role) or {}).get("hash")
        if hash_ in same:
            return str(hash_)
    return same[0] if same else template_hash(template)


def _known(deployment: FrozenJSON, rollout: FrozenJSON) -> str:
    """Return what status says of this generation of the Deployment; empty when it speaks of another."""
    adoption = (rollout.get("status") or {}).get("adoption") or {}
    metadata = deployment["metadata"]
    told = adoption.get("uid"), adoption.get("observedGeneration")
    if told != (metadata.get("uid"), metadata.get("generation")) or not metadata.get("generation"):
        return ""
    return str(adoption.get("templateHash") or "")


def meaning(template: FrozenJSON) -> JSON:
    """
    Return the template without what means the same as its absence: null, and empty lists.

    Empty labels and annotations too; but no other empty object, which may mean something:
    a namespaceSelector, for one, that is empty selects all namespaces.
    """
    pruned: JSON = _pruned(template)
    metadata = pruned.get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if value not in ({}, "")}
    return {**pruned, "metadata": kept}


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        inner = ((key, _pruned(each)) for key, each in value.items())
        return {key: each for key, each in inner if each is not None and each != []}
    if isinstance(value, list):
        return [_pruned(each) for each in value]
    return value
