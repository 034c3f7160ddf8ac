"""
Which revision a template is: found by what it means, not by how it is written.

A template that a ReplicaSet of ours has already is that ReplicaSet's revision, and only one
that is really new gets a hash of its own. An API server that fills in a new default, in the
Deployment of a workloadRef and in the ReplicaSets alike, starts no release; nor does a null
or another order, where that means nothing.
"""

from collections.abc import Sequence

from rollouts.core.dress import undressed
from rollouts.core.meaning import mark, meaning
from rollouts.core.revision import template_hash
from rollouts.model.kinds import HASH_LABEL, MEANING_ANNOTATION, FrozenJSON


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
    meant, marked = meaning(template), mark(template)
    for hash_ in (each for each in (*named, exact, *sorted(sets)) if each in sets):
        written = (sets[hash_]["metadata"].get("annotations") or {}).get(MEANING_ANNOTATION)
        if hash_ == exact or written == marked or meaning(undressed(sets[hash_])) == meant:
            return hash_
    return exact


def known(deployment: FrozenJSON, rollout: FrozenJSON) -> str:
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
