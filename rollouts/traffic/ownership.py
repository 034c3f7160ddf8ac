"""
Which objects are a Rollout's own: their names, and what says so. A name that fits is never enough.

An owner is known by its uid. What a Rollout made that has lost its uid is still the Rollout's:
after a deletion that orphans, and after most restores, it has no owner, and after others one
that is gone. It has our label still, and is to be adopted.
"""

import hashlib
from collections.abc import Mapping

from rollouts.model.kinds import GROUP, JSON, MANAGED_BY_LABEL, FrozenJSON
from rollouts.model.owners import (
    controller_of,
    controller_reference,
    is_controlled_by,
    is_rollout,
)

_LONGEST_NAME = 253
_WRITERS = (
    f"{GROUP}/",
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/",
    "kapp.k14s.io/",
    "kubectl.kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
)
"""Beginnings of the labels and annotations that tell who wrote an object, and no Gateway what to do."""


def canary_name(route: str, rollout: FrozenJSON, found: Mapping[str, FrozenJSON]) -> str:
    """
    Return the name of our own object beside the user's `route`, at most 253 characters long.

    `found` are the objects of that kind, by name. Two routes of two Rollouts may come to one
    name: a-b of c, and a of b-c. Who comes second gets one with a digest, and keeps it for as
    long as it is there.
    """
    name = str(rollout["metadata"]["name"])
    full = f"{route}-{name}-canary"
    plain = full if len(full) <= _LONGEST_NAME else _with_digest(full, full)
    other = _with_digest(full, f"{route}/{name}")
    kept = found.get(other)
    if kept is not None and is_ours(kept, rollout):
        return other
    taken = found.get(plain)
    return other if taken is not None and _is_of_another(taken, rollout) else plain


def _with_digest(full: str, told_apart: str) -> str:
    return f"{full[:242].rstrip('-.')}-{hashlib.sha256(told_apart.encode()).hexdigest()[:10]}"


def _is_of_another(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether another Rollout made it, and not a person."""
    maker = (found["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL)
    return maker not in (None, rollout["metadata"]["name"])


def own_metadata(name: str, rollout: FrozenJSON) -> JSON:
    """Return the metadata of an object that the Rollout owns."""
    metadata = rollout["metadata"]
    return {
        "name": name,
        "namespace": metadata["namespace"],
        "labels": {MANAGED_BY_LABEL: metadata["name"]},
        "ownerReferences": [controller_reference(rollout)],
    }


def metadata_beside(original: FrozenJSON, name: str, rollout: FrozenJSON) -> JSON:
    """
    Return the metadata of our own object `name` beside the user's `original`, to be taken as that is.

    Policies select routes by their labels, and some Gateways have plugins in annotations.
    """
    own = own_metadata(name, rollout)
    annotations = _of_the_user(original, "annotations")
    own["labels"] = {**_of_the_user(original, "labels"), **own["labels"]}
    return {**own, "annotations": annotations} if annotations else own


def _of_the_user(original: FrozenJSON, field: str) -> JSON:
    found = original["metadata"].get(field) or {}
    return {key: value for key, value in found.items() if not key.startswith(_WRITERS)}


def is_ours(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether this Rollout owns it, or is to adopt it."""
    return is_owned(found, rollout) or is_orphan(found, rollout)


def is_owned(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether this Rollout owns it, and not one that had its name before."""
    return is_controlled_by(found, rollout)


def is_orphan(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether a Rollout of this name made it, and is gone."""
    labels = found["metadata"].get("labels") or {}
    made = labels.get(MANAGED_BY_LABEL) == rollout["metadata"]["name"]
    return made and has_lost_owner(found, rollout)


def has_lost_owner(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether nobody controls it, or only a Rollout that had this one's name and is gone."""
    owner = controller_of(found)
    return owner is None or is_former(owner, rollout)


def is_former(owner: FrozenJSON, rollout: FrozenJSON) -> bool:
    """
    Return whether an owner reference means a Rollout that had this one's name, and so is gone.

    Owners are in the namespace of what they own, where a name is had by one at a time.
    """
    metadata = rollout["metadata"]
    return (
        is_rollout(owner)
        and owner.get("name") == metadata["name"]
        and owner.get("uid") != metadata.get("uid")
    )


def is_terminating(found: FrozenJSON) -> bool:
    """Return whether it is being deleted."""
    return found["metadata"].get("deletionTimestamp") is not None


def group_of(ref: FrozenJSON, default: str) -> str:
    """Return the group that a reference names, `default` without any; the core group has two names."""
    group = ref.get("group")
    return default if group is None else "" if group == "core" else str(group)


def namespace_of(rollout: FrozenJSON) -> str:
    return str(rollout["metadata"]["namespace"])
