"""
Who owns an object, as its ownerReferences say.

An owner is known by its uid, never by its name, which the next object may have. An object may have
many owners, whose end is its own; one of them at most is its controller, which made it or adopted
it, and alone may change and delete it. So whose an object is, is asked of its controller.
"""

from rollouts.model.kinds import JSON, ROLLOUT, FrozenJSON, Kind


def owners_of(obj: FrozenJSON) -> list[FrozenJSON]:
    """Return the references to all owners."""
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: FrozenJSON) -> FrozenJSON | None:
    """Return the reference to the controller, if there is one."""
    for owner in owners_of(obj):
        if owner.get("controller"):
            return owner
    return None


def is_controlled_by(obj: FrozenJSON, owner: FrozenJSON) -> bool:
    """Return whether `owner` is the controller, and not one that had its name before."""
    found = controller_of(obj)
    return found is not None and found.get("uid") == owner["metadata"].get("uid")


def is_rollout(owner: FrozenJSON) -> bool:
    """Return whether a reference means a Rollout of ours: others have a kind of that name too."""
    group = str(owner.get("apiVersion")).partition("/")[0]
    return (group, owner.get("kind")) == (ROLLOUT.group, ROLLOUT.name)


def owning_rollout(obj: FrozenJSON) -> str | None:
    """Return the name of the Rollout that is the controller, if one is."""
    found = controller_of(obj)
    return str(found.get("name")) if found is not None and is_rollout(found) else None


def controller_reference(owner: FrozenJSON, kind: Kind = ROLLOUT) -> JSON:
    """
    Return the reference by which an owner of this kind controls an object.

    A deletion of the owner in the foreground begins with the object, and waits until it is gone. It would
    begin with it without `blockOwnerDeletion`, too.
    """
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
