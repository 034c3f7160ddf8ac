"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import merged
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import clone


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` merged in; it shares nothing with either argument."""
    return clone(merged(target, patch))


def json_patch(target: FrozenJSON, operations: Any) -> Any:
    """
    Return `target` after all operations, or none of them. Neither argument is changed.

    Raises:
        ApiError: 400 when they are no list of operations, 422 when one does not fit the object.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise ApiError(
            400, "error decoding patch: json: cannot unmarshal object into a list of operations"
        )
    patched: Any = target
    try:
        for operation in operations:
            patched = JsonPatch([_lenient(patched, operation)]).apply(patched)
    except (JsonPatchException, JsonPointerException) as type_error:
        raise ApiError(
            422, "the server rejected our request due to an error in our request"
        ) from type_error
    return patched


def _lenient(target: Any, operation: JSON) -> JSON:
    """Return an operation as Kubernetes takes it: what is replaced in an object need not be there."""
    if operation.get("op") != "replace":
        return operation
    holder, key = JsonPointer(str(operation.get("path"))).to_last(target)
    is_new = isinstance(holder, dict) and key not in holder
    return {**operation, "op": "add"} if is_new and key is not None else operation
