"""Strategic merge patch: by merge key, with its directives."""

from typing import Any

import pytest

from rollouts.model.kinds import DEPLOYMENT, JSON
from rollouts.sandbox.apiserver.builtins import BUILTIN
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.registry import Registry
from rollouts.sandbox.apiserver.shapes import shape_of
from rollouts.sandbox.apiserver.strategic import strategic_merge

SHAPE = shape_of(Registry(BUILTIN).of(DEPLOYMENT))


def in_template(containers: list[Any], **more: Any) -> JSON:
    return {"spec": {"template": {"spec": {"containers": containers} | more}}}


def merged(target: JSON, patch: JSON) -> list[Any]:
    result = strategic_merge(target, patch, SHAPE)
    return result["spec"]["template"]["spec"]["containers"]  # type: ignore[no-any-return]


APP = {"name": "app", "image": "demo:1", "env": [{"name": "A", "value": "1"}]}
SIDE = {"name": "side", "image": "side:1"}


def test_containers_merge_by_name() -> None:
    target = in_template([APP, SIDE])
    assert merged(target, in_template([{"name": "side", "image": "side:2"}])) == [
        APP,
        {"name": "side", "image": "side:2"},
    ]


def test_env_merges_by_name_and_null_removes() -> None:
    patch = {"name": "app", "env": [{"name": "B", "value": "2"}], "image": None}
    assert merged(in_template([APP]), in_template([patch])) == [
        {"name": "app", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    ]


def test_an_item_is_deleted_by_directive() -> None:
    assert merged(in_template([APP, SIDE]), in_template([{"name": "app", "$patch": "delete"}])) == [
        SIDE
    ]


def test_a_list_is_replaced_by_directive() -> None:
    assert merged(in_template([APP, SIDE]), in_template([{"$patch": "replace"}, SIDE])) == [SIDE]


def test_order_is_set() -> None:
    patch = {"$setElementOrder/containers": [{"name": "side"}, {"name": "app"}]}
    result = strategic_merge(
        in_template([APP, SIDE]), {"spec": {"template": {"spec": patch}}}, SHAPE
    )
    assert [c["name"] for c in result["spec"]["template"]["spec"]["containers"]] == ["side", "app"]


def test_primitives_are_deleted_and_keys_retained() -> None:
    target = {
        "metadata": {"finalizers": ["a", "b"]},
        "spec": {"strategy": {"type": "x", "rollingUpdate": {}}},
    }
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
        "spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
    }
    assert strategic_merge(target, patch, SHAPE) == {
        "metadata": {"finalizers": ["b", "c"]},
        "spec": {"strategy": {"type": "Recreate"}},
    }


def test_a_missing_merge_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        merged(in_template([APP]), in_template([{"image": "demo:2"}]))
