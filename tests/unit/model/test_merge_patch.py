"""JSON Merge Patch: by the examples of RFC 7386, appendix A, and by property."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.merge_patch import difference, merged

RFC = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC)
def test_merging_is_that_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


KEYS = st.sampled_from("abc")
SCALARS = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["x", "y"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_difference_leads_from_before_to_after(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    kept = copy.deepcopy(before)
    assert merged(before, difference(before, after)) == after
    assert before == kept


@given(OBJECTS)
def test_without_a_difference_there_is_no_patch(obj: dict[str, Any]) -> None:
    assert difference(obj, copy.deepcopy(obj)) == {}


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merged(target, patch)
    assert merged(once, patch) == once
