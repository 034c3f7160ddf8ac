"""
Sets of fields, as server-side apply reasons about them and managedFields writes them down.

A path is a tuple of FieldsV1 elements: `f:name` for a field, `k:{"name":"app"}` for an item
of a keyed list, `v:"x"` for a member of a set.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.shapes import Shape, canonical

Path = tuple[str, ...]
MEMBER = "a member of a list"

_SERVER_OWNED = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
)


def fields_of(obj: FrozenJSON, shape: Shape, without: Iterable[str] = ()) -> dict[Path, Any]:
    """Return every field of an object that can have an owner, with its value."""
    skipped = {"apiVersion", "kind", *without}
    body = {key: value for key, value in obj.items() if key not in skipped}
    if "metadata" in body:
        meta = {k: v for k, v in body["metadata"].items() if k not in _SERVER_OWNED}
        body["metadata"] = meta
        if not meta:
            del body["metadata"]
    found: dict[Path, Any] = {}
    for key, value in body.items():
        _collect(found, (f"f:{key}",), value, shape.child(key))
    return found


def _collect(found: dict[Path, Any], path: Path, value: Any, shape: Shape) -> None:
    if shape.atomic or not value or not isinstance(value, dict | list):
        found[path] = value
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect(found, (*path, f"f:{key}"), item, shape.child(key))
    elif shape.keys and all(isinstance(item, dict) for item in value):
        for item in value:
            member = (*path, f"k:{shape.key(item)}")
            found[member] = MEMBER
            for key, part in item.items():
                _collect(found, (*member, f"f:{key}"), part, shape.items.child(key))
    elif shape.is_set:
        for item in value:
            found[*path, f"v:{canonical(item)}"] = MEMBER
    else:
        found[path] = value


def undeclared(obj: FrozenJSON, shape: Shape, path: str = "") -> list[str]:
    """Return the paths of fields that a closed shape does not know."""
    found: list[str] = []
    for key, value in obj.items():
        here = f"{path}.{key}"
        if not shape.declares(key):
            found.append(here)
        elif isinstance(value, dict):
            found += undeclared(value, shape.child(key), here)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    found += undeclared(item, shape.child(key).items, f"{here}[{number}]")
    return found


def repeated(value: Any, shape: Shape, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the path of each keyed list, and the key, that two of its items have."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from repeated(item, shape.child(name), (*path, f"f:{name}"))
    elif isinstance(value, list) and shape.keys and all(isinstance(each, dict) for each in value):
        keys = [shape.key(item) for item in value]
        yield from ((path, key) for number, key in enumerate(keys) if key in keys[:number])
        for key, item in zip(keys, value, strict=True):
            yield from repeated(item, shape.items, (*path, f"k:{key}"))


def fields_v1(paths: Iterable[Path]) -> JSON:
    """Return the FieldsV1 form of a set of paths."""
    tree: JSON = {}
    for path in sorted(paths):
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node["."] = {}
    return _tidied(tree)


def _tidied(node: JSON) -> JSON:
    children = {key: _tidied(value) for key, value in node.items() if key != "."}
    return ({".": {}} | children) if children and "." in node else children


def paths_of(tree: JSON, prefix: Path = ()) -> set[Path]:
    """Return the paths that a FieldsV1 names."""
    found: set[Path] = set()
    for part, below in tree.items():
        if part == ".":
            found.add(prefix)
        elif below:
            found |= paths_of(below, (*prefix, part))
        else:
            found.add((*prefix, part))
    return found


def words(path: Path) -> str:
    """Return a path as conflicts name it: `.spec.containers[name="app"].image`."""
    text = ""
    for part in path:
        if part.startswith("f:"):
            text += f".{part[2:]}"
        elif part.startswith("k:"):
            inside = part[3:-1].replace('":', '"=').split(',"')
            text += f"[{','.join(_unquoted_name(piece) for piece in inside)}]"
        else:
            text += f"[={part[2:]}]"
    return text


def _unquoted_name(piece: str) -> str:
    name, _, value = piece.partition("=")
    return f"{name.strip(chr(34))}={value}"
