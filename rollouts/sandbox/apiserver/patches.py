"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from rollouts.model.kinds import FrozenJSON
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
    try:
        return JsonPatch(operations).apply(target)
    except (JsonPatchException, JsonPointerException) as misfit:
        raise ApiError(
            422, "the server rejected our request due to an error in our request"
        ) from misfit
