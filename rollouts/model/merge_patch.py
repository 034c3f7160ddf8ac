"""JSON Merge Patch (RFC 7386)."""

from collections.abc import Mapping
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON


def merged(target: Any, patch: Any) -> Any:
    """
    Return `target` after the merge patch: maps are merged, null takes out, all else replaces.

    Neither argument is changed. The result shares with both whatever it takes over whole; it is a
    document of its own only for whoever changes none of the three.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def difference(before: FrozenJSON, after: FrozenJSON) -> JSON:
    """Return the smallest merge patch that turns `before` into `after`, which has no null."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = difference(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def without_nulls(value: Any) -> Any:
    """Return a value without the fields that are null: a merge patch and an API server leave them out."""
    if isinstance(value, Mapping):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list | tuple) else value
