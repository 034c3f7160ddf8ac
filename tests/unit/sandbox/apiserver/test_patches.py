"""JSON merge patch and JSON patch, by example and by property."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.patches import json_patch, merge_patch

KEYS = st.sampled_from("abc")
SCALARS = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["x", "y"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The merge patch from one object to another, as RFC 7386 describes it."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict):
            before = old.get(key)
            patch[key] = difference(before if isinstance(before, dict) else {}, value)
            if not isinstance(before, dict) and key in old and not value:
                patch[key] = value
        elif old.get(key) != value or type(old.get(key)) is not type(value):
            patch[key] = value
    return patch


@given(OBJECTS, OBJECTS)
def test_a_difference_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge_patch(old, difference(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


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
        {"op": "replace", "path": "/nowhere", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
    ],
)
def test_json_patch_that_does_not_fit(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"a": 1}, [operation])
    assert refusal.value.code == 422
