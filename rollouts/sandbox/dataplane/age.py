"""Which object goes first when two claim the same: the older one, then by namespace and name."""

from rollouts.model.kinds import FrozenJSON


def age(obj: FrozenJSON) -> tuple[str, str, str]:
    """Return a key that sorts the oldest first."""
    meta = obj["metadata"]
    return (
        str(meta.get("creationTimestamp", "")),
        str(meta.get("namespace", "")),
        str(meta["name"]),
    )
