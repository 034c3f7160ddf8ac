"""JSON merge patch and JSON patch, by example."""

from typing import Any

import pytest

from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.patches import json_patch, merge_patch


def test_what_a_merge_patch_makes_shares_nothing_with_what_it_was_made_of() -> None:
    target, patch = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    made = merge_patch(target, patch)
    made["a"]["b"].append(3)
    made["c"]["d"].append(3)
    assert (target, patch) == ({"a": {"b": [1]}}, {"c": {"d": [2]}})


def test_json_patch_operations() -> None:
    target = {"a": [1, 2], "b": {"c/d": 1}}
    patched = json_patch(
        target,
        [
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "add", "path": "/a/0", "value": 0},
            {"op": "replace", "path": "/b/c~1d", "value": 2},
            {"op": "copy", "from": "/a/1", "path": "/e"},
            {"op": "move", "from": "/e", "path": "/f"},
            {"op": "remove", "path": "/a/1"},
        ],
    )
    assert patched == {"a": [0, 2, 3], "b": {"c/d": 2}, "f": 1}
    assert target == {"a": [1, 2], "b": {"c/d": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/nowhere"},
        {"op": "replace", "path": "/nowhere/below", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "merge", "path": "/a", "value": 1},
        {"op": "add", "value": 1},
    ],
)
def test_json_patch_that_does_not_fit(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"a": 1}, [operation])
    assert refusal.value.code == 422


@pytest.mark.parametrize("patch", [{"op": "remove", "path": "/a"}, ["remove"], None])
def test_what_is_no_json_patch(patch: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"a": 1}, patch)
    assert refusal.value.code == 400
