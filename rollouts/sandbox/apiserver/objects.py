"""Plain JSON objects: copies, times, and the few metadata questions that everything asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.moments import format_time

Key = tuple[str, str]


_SCALARS = frozenset({str, int, float, bool, type(None)})


def clone(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    kind = type(value)
    if kind is dict:
        made = value.copy()
        for key, item in value.items():
            if type(item) not in _SCALARS:  # most are, and a call for each takes longer than a copy
                made[key] = clone(item)
        return made
    if kind is list:
        return [item if type(item) in _SCALARS else clone(item) for item in value]
    if kind in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value]


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with whole seconds, as metadata has it."""
    return format_time(moment, "seconds")


def metadata(obj: FrozenJSON) -> FrozenJSON:
    return cast("FrozenJSON", obj.get("metadata") or {})


def key_of(obj: FrozenJSON) -> Key:
    """Return (namespace, name)."""
    meta = metadata(obj)
    return meta.get("namespace", ""), meta.get("name", "")


def labels_of(obj: FrozenJSON) -> dict[str, str]:
    return metadata(obj).get("labels") or {}


def get_path(obj: Any, path: str, default: Any = None) -> Any:
    """Return what is at a dotted path, or `default` when a part of the path is absent or null."""
    for part in path.split("."):
        if not isinstance(obj, Mapping) or obj.get(part) is None:
            return default
        obj = obj[part]
    return obj


def set_path(obj: JSON, path: str, value: Any) -> None:
    """Put `value` at a dotted path, making the objects on the way."""
    *parents, last = path.split(".")
    for part in parents:
        obj = obj.setdefault(part, {})
    obj[last] = value
