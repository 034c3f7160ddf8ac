"""What a write would change, told from the cached object alone. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import merged

# Lists that several writers add to; of every other list we expect to be the only writer.
_SHARED_LISTS = frozenset({"finalizers", "ownerReferences"})


def patch_changes(current: FrozenJSON, patch: FrozenJSON) -> bool:
    """Return whether the merge patch would change the object."""
    return bool(merged(current, patch) != current)


def has_all_fields(current: Any, wanted: Any, *, key: str = "") -> bool:
    """
    Return whether every field of `wanted` is in `current` with that value.

    Fields that the API server filled in beside them don't matter. Lists must have the same
    length and order, except finalizers and ownerReferences, which others add to.
    """
    if isinstance(wanted, Mapping):
        return isinstance(current, Mapping) and all(
            name in current and has_all_fields(current[name], value, key=name)
            for name, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        if not isinstance(current, list | tuple):
            return False
        if key in _SHARED_LISTS:
            return all(any(has_all_fields(have, item) for have in current) for item in wanted)
        return len(current) == len(wanted) and all(map(has_all_fields, current, wanted))
    return bool(current == wanted)


def owned_fields(obj: FrozenJSON, manager: str) -> JSON:
    """Return the `fieldsV1` that `manager` has applied to the object, or {}."""
    entries: Iterable[FrozenJSON] = obj.get("metadata", {}).get("managedFields") or ()
    for entry in entries:
        applied = entry.get("manager") == manager and entry.get("operation") == "Apply"
        if applied and not entry.get("subresource"):
            return dict(entry.get("fieldsV1") or {})
    return {}


def other_owners(obj: FrozenJSON, manager: str, paths: Iterable[str]) -> list[JSON]:
    """Return who but `manager` has applied which fields at `paths`, as `managedFields` cut to these."""
    entries: Iterable[FrozenJSON] = obj["metadata"].get("managedFields") or ()
    owners = []
    for entry in entries:
        if entry.get("manager") == manager or entry.get("operation") != "Apply":
            continue
        if owned := _owned_of(paths, entry.get("fieldsV1") or {}):
            theirs = {"manager": entry.get("manager", ""), "operation": "Apply", "fieldsV1": owned}
            owners.append(theirs)
    return owners


def _owned_of(paths: Iterable[str], owned: FrozenJSON) -> JSON:
    kept: JSON = {}
    for path in paths:
        wanted: JSON = {}
        inner: Any = owned
        for name in reversed(path.split(".")):
            wanted = {f"f:{name}": wanted}
        for name in path.split("."):
            inner = inner.get(f"f:{name}") if isinstance(inner, Mapping) else None
        if inner is not None:
            kept = merged(kept, wanted)
    return kept


def gives_up_fields(wanted: Any, owned: FrozenJSON) -> bool:
    """
    Return whether applying `wanted` would give up a field in `owned` (a `fieldsV1` set).

    Server-side apply removes a field that its manager no longer names, so such an apply
    changes something although the object has all that is wanted. Items of lists are not
    looked into: `has_all_fields` compares the lists as wholes.
    """
    for name, inner in owned.items():
        if not name.startswith("f:"):
            continue
        field = name[2:]
        if not isinstance(wanted, Mapping) or field not in wanted:
            return True
        if gives_up_fields(wanted[field], inner) and isinstance(wanted[field], Mapping):
            return True
    return False
