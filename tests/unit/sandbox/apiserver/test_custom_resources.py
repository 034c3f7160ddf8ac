"""Custom resources: schema, defaults, pruning, rules, in the server's words."""

import pytest

from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import crd_body, gadget

GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")


def refusal_of(store: Store, body: JSON) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        store.create(GADGET, body)
    assert refusal.value.code == 422
    return refusal.value


def test_a_definition_is_established(gadgets: Store) -> None:
    crd = gadgets.get(CRD, "", "gadgets.example.dev")
    assert crd is not None
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["spec"]["names"]["listKind"] == "GadgetList"


def test_defaults_fill_in_and_unknown_fields_are_pruned(gadgets: Store) -> None:
    body = gadget(parts=[{"name": "x"}], unknown=1, free={"any": {"thing": 1}}, tags={"a": "b"})
    created = gadgets.create(GADGET, body)
    assert created["spec"] == {
        "size": 5,
        "replicas": 1,
        "parts": [{"name": "x", "weight": 7}],
        "free": {"any": {"thing": 1}},
        "tags": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": 101}, "spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100"),
        ({"size": -1}, "spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0"),
        ({"colour": "pink"}, 'spec.colour: Unsupported value: "pink": supported values: "red", "blue"'),
        ({"nick": "A"}, "spec.nick: Invalid value: \"A\": spec.nick in body should match '^[a-z]+$'"),
        ({"tags": {"a": 1}}, "spec.tags.a: Invalid value: 1: spec.tags.a in body must be of type string: 1"),
        ({"parts": [{"name": "x"}, {"name": "x"}]}, 'spec.parts[1]: Duplicate value: {"name":"x"}'),
        ({"nick": "ab", "size": 0}, 'spec: Invalid value: "object": a named gadget has a size'),
        ({"wait": True}, "spec.wait: Invalid value: true: spec.wait in body must be of type integer,string: true"),
    ],
)  # fmt: skip
def test_refusals(gadgets: Store, spec: JSON, message: str) -> None:
    error = refusal_of(gadgets, gadget(**spec))
    start = 'Gadget.example.dev "one" is invalid: '
    assert error.message.startswith(start)
    assert message in error.message


def test_wrong_types_block_the_rules(gadgets: Store) -> None:
    body = gadget()
    del body["spec"]["size"]
    causes = refusal_of(gadgets, body).details["causes"]
    assert causes[0] == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec.size",
    }
    assert "some validation rules were not checked" in causes[1]["message"]


def test_several_causes_are_listed(gadgets: Store) -> None:
    error = refusal_of(gadgets, gadget(colour="pink", nick="toolong"))
    assert "is invalid: [spec.colour: " in error.message
    fields = [cause["field"] for cause in error.details["causes"]]
    assert fields == ["spec.colour", "spec.nick", "<nil>"]


def test_transition_rules_see_the_old_value(gadgets: Store) -> None:
    gadgets.create(GADGET, gadget(parts=[{"name": "x", "fixed": "a"}]))
    with pytest.raises(ApiError, match='spec: Invalid value: "object": size was 5'):
        gadgets.patch(GADGET, "default", "one", {"spec": {"size": 4}})
    grown = gadgets.patch(GADGET, "default", "one", {"spec": {"size": 6}})
    assert grown["metadata"]["generation"] == 2
    with pytest.raises(ApiError, match=r"spec.parts\[0\]: .*fixed stays"):
        gadgets.patch(GADGET, "default", "one", {"spec": {"parts": [{"name": "x", "fixed": "b"}]}})
    parts = [{"name": "y", "fixed": "b"}]
    assert gadgets.patch(GADGET, "default", "one", {"spec": {"parts": parts}})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": ""}, "spec.versions[0].schema.openAPIV3Schema.properties[spec].type"),
        ({"x-kubernetes-validations": [{"rule": "self.("}]}, "x-kubernetes-validations[0].rule"),
        (
            {"x-kubernetes-validations": [{"rule": "self.nowhere > 1"}]},
            "x-kubernetes-validations[0].rule",
        ),
        (
            {
                "properties": {
                    "a": {
                        "type": "array",
                        "items": {
                            "type": "string",
                            "x-kubernetes-validations": [{"rule": "self == oldSelf"}],
                        },
                    }
                }
            },
            "properties[a].items.x-kubernetes-validations[0]",
        ),
        ({"properties": {"a": {"type": "array"}}}, "properties[spec].properties[a].items"),
        ({"anyOf": [{"type": "object"}]}, "properties[spec].anyOf[0].type"),
    ],
)
def test_schemas_that_no_server_takes(store: Store, change: JSON, field: str) -> None:
    crd = crd_body()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] |= change
    with pytest.raises(ApiError) as refusal:
        store.create(CRD, crd)
    assert any(field in cause["field"] for cause in refusal.value.details["causes"])


@pytest.mark.parametrize("scale", [{}, {"name": 7}])
def test_a_scale_without_its_paths_is_refused(store: Store, scale: JSON) -> None:
    crd = crd_body()
    crd["spec"]["versions"][0]["subresources"] = {"scale": scale}
    with pytest.raises(ApiError) as refusal:
        store.create(CRD, crd)
    fields = [cause["field"].rsplit(".", 1)[1] for cause in refusal.value.details["causes"]]
    assert fields == ["specReplicasPath", "statusReplicasPath"]


def test_our_own_definition_is_accepted(store: Store) -> None:

    store.create(CRD, crd())
    assert store.select(Kind("rollouts.dev", "v1alpha1", "rollouts", "Rollout")) == []
