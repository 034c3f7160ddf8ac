"""
Server-side apply.

The applier owns exactly the fields of its configuration. A field that somebody else owns
with another value is a conflict; a field that the applier no longer names, and nobody else
owns, is removed. Sources: "Server-Side Apply" in the Kubernetes documentation, and KEP 555.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import without_nulls
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.fieldsets import Path, repeated, undeclared, words
from rollouts.sandbox.apiserver.objects import clone, metadata, timestamp
from rollouts.sandbox.apiserver.ownership import (
    APPLY,
    UPDATE,
    Share,
    owned_fields,
    shares_of,
    write_shares,
)
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.shapes import Shape, canonical, in_order, shape_of
from rollouts.sandbox.apiserver.unknown_fields import pruned_of_unknown


@dataclass(frozen=True, slots=True)
class Application:
    """One apply request: what is wanted, by whom, and whether conflicts are to be overruled."""

    resource: Resource
    config: FrozenJSON
    manager: str
    force: bool = False
    subresource: str = ""


def applied(application: Application, current: FrozenJSON | None, now: datetime) -> JSON:
    """
    Return the object after an apply, its managedFields included.

    Raises:
        ApiError: 409 with a cause per conflict, 500 for a field that the schema does not have, or
            for two items of a list with one key.
    """
    resource = application.resource
    config = without_nulls(application.config)
    shape = shape_of(resource)
    _check_declared(resource, config, shape)
    _check_unique(resource, config, shape)
    wanted = owned_fields(resource, config, application.subresource)
    shares = _shares_before(resource, current) if current else []
    mine = _own_share(application, shares, now)
    others = [share for share in shares if share is not mine]
    if current is not None:
        live = owned_fields(resource, current, application.subresource)
        _settle_conflicts(others, live, wanted, force=application.force)
    live_object = clone(current) if current else {}
    merged: JSON = merged_value(live_object, config, shape)
    elsewhere = set(wanted).union(*(share.paths for share in others))
    _remove(merged, mine.paths - elsewhere, elsewhere, shape)
    if mine.paths != set(wanted) or merged != current:
        mine.time = timestamp(now)
    mine.paths = set(wanted)
    write_shares(merged, [*others, mine])
    return merged


def _check_declared(resource: Resource, config: JSON, shape: Shape) -> None:
    if resource.custom is None:
        unknown = [f".{path}" for path in pruned_of_unknown(resource.kind, clone(config))]
    else:
        unknown = undeclared(config, shape)
    if unknown:
        listed = "\n".join(f"{path}: field not declared in schema" for path in unknown)
        listed = listed if len(unknown) == 1 else "errors:\n  " + listed.replace("\n", "\n  ")
        raise _untyped(resource, config, listed)


def _check_unique(resource: Resource, config: JSON, shape: Shape) -> None:
    found = next(repeated(config, shape), None)
    if found:
        path, key = found
        inside = words((f"k:{key}",))
        raise _untyped(resource, config, f"{words(path)}: duplicate entries for key {inside}")


def _untyped(resource: Resource, config: JSON, why: str) -> ApiError:
    meta, kind = metadata(config), resource.kind
    version = f"{kind.group}/{kind.version}, Kind={kind.name}"
    where = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {version}"
    return ApiError(500, f"failed to create typed patch object ({where}): {why}")


def _shares_before(resource: Resource, current: FrozenJSON) -> list[Share]:
    shares = shares_of(current)
    if not shares:
        paths = set(owned_fields(resource, current, ""))
        kind = resource.kind
        shares = [Share("before-first-apply", UPDATE, kind.api_version, paths=paths)]
    return shares


def _own_share(application: Application, shares: list[Share], now: datetime) -> Share:
    version = application.resource.kind.api_version
    mine = Share(application.manager, APPLY, version, application.subresource, timestamp(now))
    return next((share for share in shares if share.same_source(mine)), mine)


def _settle_conflicts(
    others: list[Share], live: dict[Path, Any], wanted: dict[Path, Any], *, force: bool
) -> None:
    different = {path for path, value in wanted.items() if path not in live or live[path] != value}
    conflicts = [(share, path) for share in others for path in sorted(share.paths & different)]
    if conflicts and not force:
        raise conflict_error(conflicts)
    for share, path in conflicts:
        share.paths.discard(path)


def conflict_error(conflicts: list[tuple[Share, Path]]) -> ApiError:
    """Return the 409 that names every field and its manager."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_described(share)}",
            "field": words(path),
        }
        for share, path in conflicts
    ]
    if len(conflicts) == 1:
        detail = f"conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        by_manager: dict[str, list[str]] = {}
        for share, path in conflicts:
            by_manager.setdefault(_described(share), []).append(f"- {words(path)}")
        listed = [f"conflicts with {who}:\n" + "\n".join(by_manager[who]) for who in by_manager]
        detail = "conflicts: " + "\n".join(listed)
    message = f"Apply failed with {len(conflicts)} {detail}"
    return ApiError(409, message, details={"causes": causes})


def _described(share: Share) -> str:
    text = json.dumps(share.manager)
    if share.subresource:
        text += f" with subresource {json.dumps(share.subresource)}"
    if share.operation == UPDATE:
        text += f" using {share.api_version}"
    return text


def merged_value(live: Any, config: Any, shape: Shape) -> Any:
    """Return `live` with `config` laid over it, by the rules of the shape."""
    if shape.atomic:
        return clone(config)
    if isinstance(live, dict) and isinstance(config, dict):
        result = dict(live)
        for key, value in config.items():
            result[key] = merged_value(result.get(key), value, shape.child(key))
        return result
    if isinstance(live, list) and isinstance(config, list) and (shape.keys or shape.is_set):
        return _merged_list(live, config, shape)
    return clone(config)


def _merged_list(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    def name(item: Any) -> str:
        return shape.key(item) if shape.keys else canonical(item)

    before = {name(item): item for item in live}
    ours = [merged_value(before.get(name(item)), item, shape.items) for item in config]
    named = {name(item) for item in config}
    theirs = [item for key, item in before.items() if key not in named]
    return in_order(ours, theirs, list(before), name)


def _remove(obj: JSON, paths: Iterable[Path], kept: set[Path], shape: Shape) -> None:
    """Take `paths` out of `obj`, but nothing that holds a path of `kept`."""
    for path in sorted(paths, key=len):
        if not any(other[: len(path)] == path for other in kept):
            _take_out(obj, path, shape)
            _drop_empty(obj, path[:-1], kept, shape)


def _drop_empty(obj: JSON, path: Path, kept: set[Path], shape: Shape) -> None:
    while path and path != ("f:metadata",) and path not in kept and path[-1].startswith("f:"):
        holder, _ = _holder(obj, path, shape)
        if holder is None or holder.get(path[-1][2:]) not in ({}, []):
            return
        _take_out(obj, path, shape)
        path = path[:-1]


def _holder(obj: Any, path: Path, shape: Shape) -> tuple[Any, Shape]:
    """Return what holds the last part of a path, or None when it is not there."""
    for part in path[:-1]:
        if part.startswith("f:") and isinstance(obj, dict):
            obj, shape = obj.get(part[2:]), shape.child(part[2:])
        elif part.startswith("k:") and isinstance(obj, list):
            obj = next((item for item in obj if f"k:{shape.key(item)}" == part), None)
            shape = shape.items
        else:
            return None, shape
    return obj, shape


def _take_out(obj: JSON, path: Path, shape: Shape) -> None:
    holder, shape = _holder(obj, path, shape)
    part = path[-1]
    if isinstance(holder, dict) and part.startswith("f:"):
        if not _names_item(path):
            holder.pop(part[2:], None)
    elif isinstance(holder, list) and part.startswith("k:"):
        holder[:] = [item for item in holder if f"k:{shape.key(item)}" != part]
    elif isinstance(holder, list):
        holder[:] = [item for item in holder if f"v:{canonical(item)}" != part]


def _names_item(path: Path) -> bool:
    """Return whether a path is a key of the list item that it is in: that stays with the item."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])
