"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import merged
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import clone


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` merged in; it shares nothing with either argument."""
    return clone(merged(target, patch))


def json_patch(target: FrozenJSON, operations: Any) -> JSON:
    """
    Return `target` after all operations, or none of them.

    Raises:
        ApiError: 400 when they are no JSON patch, 422 when one does not fit the object.
    """
    document: Any = clone(target)
    if not isinstance(operations, list):
        raise ApiError(
            400, "error decoding patch: json: cannot unmarshal object into a list of operations"
        )
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise ApiError(400, "error decoding patch: an operation needs op and path")
        document = _operate(document, operation)
    return document  # type: ignore[no-any-return]


def _operate(document: Any, operation: JSON) -> Any:
    op, path = operation.get("op"), _tokens(operation.get("path", ""))
    if op == "add":
        return _add(document, path, clone(operation.get("value")))
    if op == "remove":
        return _remove(document, path)
    if op == "replace":
        _find(document, path)
        return _replace(document, path, clone(operation.get("value")))
    if op == "test":
        if _find(document, path, missing=None) != operation.get("value"):
            raise _unfit(f"testing value {operation.get('path')} failed")
        return document
    if op in ("move", "copy"):
        origin = _tokens(str(operation.get("from", "")))
        value = clone(_find(document, origin))
        document = _remove(document, origin) if op == "move" else document
        return _add(document, path, value)
    raise ApiError(400, f"Unexpected kind: {op}")


def _unfit(why: str) -> ApiError:
    return ApiError(422, f"the server rejected our request due to an error in our request: {why}")


def _tokens(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise _unfit(f"invalid pointer {pointer}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


_ABSENT = object()


def _find(document: Any, path: list[str], missing: Any = _ABSENT) -> Any:
    for token in path:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list) and _index(token, len(document)) < len(document):
            document = document[_index(token, len(document))]
        elif missing is not _ABSENT:
            return missing
        else:
            raise _unfit(f"nonexistent path: /{'/'.join(path)}")
    return document


def _index(token: str, length: int) -> int:
    if token == "-":  # noqa: S105 - RFC 6901's "after the last", no password
        return length
    if not token.isdigit():
        raise _unfit(f"invalid array index: {token}")
    return int(token)


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, token = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        index = _index(token, len(parent))
        if index > len(parent):
            raise _unfit(f"array index out of bounds: {token}")
        parent.insert(index, value)
    elif isinstance(parent, dict):
        parent[token] = value
    else:
        raise _unfit(f"nothing can be added below /{'/'.join(path[:-1])}")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    _find(document, path)
    if not path:
        return None
    parent, token = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(token, len(parent))]
    else:
        del parent[token]
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, token = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent[_index(token, len(parent))] = value
    else:
        parent[token] = value
    return document
