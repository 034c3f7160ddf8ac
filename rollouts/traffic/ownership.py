"""Which routing objects are ours: their names, and what says so. A name that fits is never enough."""

import hashlib

from rollouts.model.kinds import GROUP, JSON, MANAGED_BY_LABEL, FrozenJSON

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


def canary_name(route: str, rollout: FrozenJSON) -> str:
    """Return the name of our own object beside the user's `route`, at most 253 characters long."""
    full = f"{route}-{rollout['metadata']['name']}-canary"
    if len(full) <= _LONGEST_NAME:
        return full
    return f"{full[:242].rstrip('-.')}-{hashlib.sha256(full.encode()).hexdigest()[:10]}"


def own_metadata(name: str, rollout: FrozenJSON) -> JSON:
    """
    Return the metadata of an object that the Rollout owns.

    One with a Deployment blocks no deletion in the foreground: that would begin with what
    is owned, while it still serves.
    """
    metadata = rollout["metadata"]
    return {
        "name": name,
        "namespace": metadata["namespace"],
        "labels": {MANAGED_BY_LABEL: metadata["name"]},
        "ownerReferences": [
            {
                "apiVersion": rollout["apiVersion"],
                "kind": rollout["kind"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
                "blockOwnerDeletion": not (rollout.get("spec") or {}).get("workloadRef"),
            }
        ],
    }


def metadata_beside(original: FrozenJSON, rollout: FrozenJSON) -> JSON:
    """
    Return the metadata of our own object beside the user's `original`, to be taken as that is.

    Policies select routes by their labels, and some Gateways have plugins in annotations.
    """
    own = own_metadata(canary_name(original["metadata"]["name"], rollout), rollout)
    annotations = _of_the_user(original, "annotations")
    own["labels"] = {**_of_the_user(original, "labels"), **own["labels"]}
    return {**own, "annotations": annotations} if annotations else own


def _of_the_user(original: FrozenJSON, field: str) -> JSON:
    found = original["metadata"].get(field) or {}
    return {key: value for key, value in found.items() if not key.startswith(_WRITERS)}


def is_ours(found: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Say whether this Rollout owns it, and not one that had its name before."""
    owners = found["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == rollout["metadata"]["uid"] for owner in owners)


def is_going(found: FrozenJSON) -> bool:
    """Say whether it is being deleted."""
    return found["metadata"].get("deletionTimestamp") is not None


def group_of(ref: FrozenJSON, default: str) -> str:
    """Return the group that a reference names, `default` without any; the core group has two names."""
    group = ref.get("group")
    return default if group is None else "" if group == "core" else str(group)


def namespace_of(rollout: FrozenJSON) -> str:
    return str(rollout["metadata"]["namespace"])
