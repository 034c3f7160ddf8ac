"""Server-side apply: who owns what, what conflicts, what goes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.kinds import CRD, DEPLOYMENT, JSON, Kind
from rollouts.sandbox.apiserver.apply import Application, applied
from rollouts.sandbox.apiserver.builtins import BUILTIN, CONFIG_MAP
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.fieldsets import fields_of, fields_v1, paths_of
from rollouts.sandbox.apiserver.ownership import Writer, shares_of
from rollouts.sandbox.apiserver.registry import Registry
from rollouts.sandbox.apiserver.shapes import shape_of
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import crd_body, deployment, gadget

NOW = datetime(2030, 1, 1, tzinfo=UTC)
GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")
STORE = Store()
STORE.create(CRD, crd_body())
GADGETS = STORE.registry.of(GADGET)
CONFIG_MAPS = Registry(BUILTIN).of(CONFIG_MAP)


def apply(config: JSON, current: JSON | None, manager: str = "a", *, force: bool = False) -> JSON:
    return applied(Application(GADGETS, config, manager, force), current, NOW)


def test_the_applier_owns_what_it_names() -> None:
    obj = apply(gadget(colour="red"), None)
    (share,) = shares_of(obj)
    assert (share.manager, share.operation) == ("a", "Apply")
    assert share.paths == {("f:spec", "f:size"), ("f:spec", "f:colour")}


def test_another_value_conflicts_and_names_the_manager() -> None:
    obj = apply(gadget(colour="red"), None)
    with pytest.raises(ApiError) as refusal:
        apply(gadget(colour="blue"), obj, "b")
    assert refusal.value.message == 'Apply failed with 1 conflict: conflict with "a": .spec.colour'
    assert refusal.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "a"', "field": ".spec.colour"}
    ]


def test_force_takes_over() -> None:
    obj = apply(gadget(colour="blue"), apply(gadget(colour="red"), None), "b", force=True)
    assert obj["spec"]["colour"] == "blue"
    owners = {share.manager: share.paths for share in shares_of(obj)}
    assert ("f:spec", "f:colour") not in owners["a"]
    assert ("f:spec", "f:colour") in owners["b"]


def test_equal_values_are_shared_and_survive_one_owner() -> None:
    obj = apply(gadget(colour="red"), apply(gadget(colour="red"), None), "b")
    obj = apply(gadget(), obj, "a")
    assert obj["spec"]["colour"] == "red"
    obj = apply(gadget(), obj, "b")
    assert "colour" not in obj["spec"]


def test_items_of_keyed_lists_come_and_go_by_key() -> None:
    obj = apply(gadget(parts=[{"name": "x", "weight": 1}]), None)
    obj = apply(gadget(parts=[{"name": "y"}]), obj, "b")
    assert [part["name"] for part in obj["spec"]["parts"]] == ["x", "y"]
    obj = apply(gadget(), obj, "a")
    assert obj["spec"]["parts"] == [{"name": "y"}]
    obj = apply(gadget(), obj, "b")
    assert "parts" not in obj["spec"]


def test_unknown_fields_are_no_typed_patch() -> None:
    with pytest.raises(ApiError, match=r"\.spec\.colr: field not declared in schema"):
        apply(gadget(colr="red"), None)


def test_an_update_is_owned_and_conflicts_too(gadgets: Store) -> None:
    created = gadgets.create(GADGET, gadget(colour="red"), Writer("kubectl-create"))
    with pytest.raises(ApiError, match=r'conflict with "kubectl-create" using example\.dev/v1: '):
        apply(gadget(colour="blue"), created)
    changed = gadgets.patch(GADGET, "default", "one", {"spec": {"colour": "blue"}})
    owners = {share.manager: share.paths for share in shares_of(changed)}
    assert owners["kube-controller-manager"] == {("f:spec", "f:colour")}


def test_atomic_values_have_one_owner() -> None:
    resource = STORE.registry.of(DEPLOYMENT)
    obj = applied(Application(resource, deployment(), "a"), None, NOW)
    (share,) = shares_of(obj)
    assert ("f:spec", "f:selector") in share.paths
    port = 'k:{"containerPort":8080,"protocol":"TCP"}'
    container = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"app"}')
    assert (*container, "f:ports", port) in share.paths


VALUES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(["one", "two"]), VALUES, st.booleans()), max_size=8)


def config(data: dict[str, str]) -> JSON:
    body: JSON = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    return body | ({"data": data} if data else {})


@given(STEPS)
def test_ownership_is_exactly_what_was_applied(
    steps: list[tuple[str, dict[str, str], bool]],
) -> None:
    current: JSON | None = None
    held: dict[str, dict[str, str]] = {"one": {}, "two": {}}
    for manager, data, force in steps:
        other = "two" if manager == "one" else "one"
        conflicting = {key for key in data if held[other].get(key, data[key]) != data[key]}
        application = Application(CONFIG_MAPS, config(data), manager, force)
        if conflicting and not force:
            with pytest.raises(ApiError) as refusal:
                applied(application, current, NOW)
            fields = {cause["field"] for cause in refusal.value.details["causes"]}
            assert fields == {f".data.{key}" for key in conflicting}
            continue
        current = applied(application, current, NOW)
        held[manager] = data
        held[other] = {k: v for k, v in held[other].items() if k not in conflicting}
        assert current.get("data", {}) == {**held[other], **data}
        owners = {share.manager: share.paths for share in shares_of(current)}
        for name, fields_held in held.items():
            expected = {("f:data", f"f:{key}") for key in fields_held}
            assert owners.get(name, set()) == expected
        assert applied(application, current, NOW) == current


@given(st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2))
def test_fields_v1_is_written_and_read_alike(data: dict[str, Any]) -> None:
    paths = set(fields_of({"spec": data, "parts": [{"name": "x"}]}, shape_of(GADGETS)))
    assert paths_of(fields_v1(paths)) == paths
