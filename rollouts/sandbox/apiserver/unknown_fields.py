"""
Which fields of an object its kind does not have, for the kinds that are built in.

The table in `fields.json` is written from Kubernetes' OpenAPI document, by
`python -m tests.control_plane.fields`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.schema import join

METADATA = "meta.v1.ObjectMeta"
_LIST, _MAP = "[", "{"


@cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("fields.json").read_text())
    return found


def pruned_of_unknown(kind: Kind, obj: JSON) -> list[str]:
    """Remove the fields that a built-in kind does not have from `obj`, in place; return their paths."""
    name = _table()["kinds"].get(f"{kind.api_version} {kind.name}", "")
    return _pruned(obj, str(name), "")


def pruned_metadata(obj: JSON) -> list[str]:
    """Remove from `obj`, in place, what no object's metadata has, and return the paths."""
    return _pruned(obj.get("metadata"), METADATA, "metadata")


def _pruned(value: Any, name: str, path: str) -> list[str]:
    known = _table()["types"].get(name)
    if known is None or not isinstance(value, dict):
        return []
    unknown = []
    for field in list(value):
        here = join(path, field)
        if field not in known:
            unknown.append(here)
            del value[field]
        elif known[field]:
            unknown += _pruned_below(value[field], known[field], here)
    return unknown


def _pruned_below(value: Any, held: str, path: str) -> list[str]:
    if held[0] == _LIST and isinstance(value, list):
        parts = [(item, f"{path}[{number}]") for number, item in enumerate(value)]
    elif held[0] == _MAP and isinstance(value, dict):
        parts = [(item, f"{path}.{key}") for key, item in value.items()]
    else:
        return _pruned(value, held, path)
    return [each for item, here in parts for each in _pruned(item, held[1:], here)]
