"""Strategic merge patch: kubectl's way of patching built-in kinds, by their merge keys."""

from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import clone
from rollouts.sandbox.apiserver.shapes import Shape, canonical, in_order

_DIRECTIVE = "$patch"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def strategic_merge(target: Any, patch: Any, shape: Shape) -> Any:
    """
    Return `target` with `patch` merged in. Neither argument is changed.

    Raises:
        ApiError: 400, the patch is malformed or lacks a merge key.
    """
    if not isinstance(patch, dict):
        raise ApiError(400, "cannot decode the patch: it is no object")
    directive = patch.get(_DIRECTIVE)
    if directive == "delete":
        return {}
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != _DIRECTIVE}
    if directive not in (None, "merge"):
        raise ApiError(400, f"unknown patch type found in: {directive}")
    result: JSON = clone(target) if isinstance(target, dict) else {}
    _retain(result, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, patch, shape.child(key))
        elif key.startswith(_DELETE_PRIMITIVES):
            field = key.removeprefix(_DELETE_PRIMITIVES)
            result[field] = [item for item in result.get(field, []) if item not in value]
    for key in patch:
        field = key.removeprefix(_ORDER)
        if field != key and field not in patch and isinstance(result.get(field), list):
            result[field] = _ordered(result[field], patch[key], shape.child(field), result[field])
    return result


def _retain(result: JSON, patch: JSON) -> None:
    if _RETAIN in patch:
        for key in [key for key in result if key not in patch[_RETAIN]]:
            del result[key]


def _merge_field(result: JSON, key: str, patch: JSON, shape: Shape) -> None:
    value, current = patch[key], result.get(key)
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        if value.get(_DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            result[key] = strategic_merge(current, value, shape)
    elif isinstance(value, list) and (shape.keys or shape.is_set):
        before = current if isinstance(current, list) else []
        merged = _merge_list(before, value, shape)
        order = patch.get(_ORDER + key)
        result[key] = merged if order is None else _ordered(merged, order, shape, before)
    else:
        result[key] = clone(value)


def _merge_list(current: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    if shape.is_set:
        return current + [item for item in patch if item not in current]
    key = shape.patch_key
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [
            clone(item) for item in patch if not (isinstance(item, dict) and _DIRECTIVE in item)
        ]
    result: list[Any] = clone(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(400, f"map: {item} does not contain declared merge key: {key}")
        place = next((n for n, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif place is None:
            result.append(strategic_merge({}, item, shape.items))
        else:
            result[place] = strategic_merge(result[place], item, shape.items)
    return result


def _ordered(items: list[Any], order: list[Any], shape: Shape, before: list[Any]) -> list[Any]:
    def name(item: Any) -> str:
        return canonical(item.get(shape.patch_key) if isinstance(item, dict) else item)

    wanted = {name(item): number for number, item in enumerate(order)}
    ours = sorted((item for item in items if name(item) in wanted), key=lambda i: wanted[name(i)])
    theirs = [item for item in items if name(item) not in wanted]
    return in_order(ours, theirs, [name(item) for item in before], name)
