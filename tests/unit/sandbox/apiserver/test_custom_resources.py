"""Custom resources: schema, defaults, pruning, rules, in the server's words."""

import pytest
import structlog

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
        ({"tags": {"a": 1}}, 'spec.tags.a: Invalid value: "integer": spec.tags.a in body must be of type string: "integer"'),
        ({"parts": [{"name": "x"}, {"name": "x"}]}, 'spec.parts[1]: Duplicate value: {"name":"x"}'),
        ({"nick": "ab", "size": 0}, "spec: Invalid value: a named gadget has a size"),
        ({"wait": True}, 'spec.wait: Invalid value: "boolean": spec.wait in body must be of type integer,string: "boolean"'),
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
    with pytest.raises(ApiError, match="spec: Invalid value: size was 5"):
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


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("self.split('/').size() == 2", "a/b", "a"),
        ("self.split('/', 2)[1].indexOf('b') == 0", "a/b/b", "a/c"),
        ("self.lowerAscii() == self", "abc", "aBc"),
        ("self.find('[0-9]+') == '42'", "a42b7", "a7b42"),
        ("self.findAll('[0-9]+').size() == 2", "1a2", "1a"),
        ("self.replace('-', '').substring(0, 2) == 'ab'", "a-b", "b-a"),
        ("self.trim().lastIndexOf('a') == 2", " aba ", "a"),
        ("self.split(',').map(each, int(each)).sum() == 6", "1,2,3", "1,2"),
        ("self.split(',').isSorted()", "a,b", "b,a"),
        ("self.split(',').join('').charAt(1) == 'b'", "a,b", "a,c"),
    ],
)
def test_rules_may_use_the_functions_of_kubernetes(
    store: Store, rule: str, good: str, bad: str
) -> None:
    store.create(CRD, with_rule(rule))
    assert store.create(GADGET, gadget(steps=[good]))
    assert "this is the rule" in refusal_of(store, gadget("two", steps=[bad])).message


@pytest.mark.parametrize("rule", ["isURL(self)", "self.?other.orValue('a') == 'b'"])
def test_rules_that_can_not_be_evaluated_let_everything_pass(store: Store, rule: str) -> None:
    store.create(CRD, with_rule(rule))
    with structlog.testing.capture_logs() as logged:
        assert store.create(GADGET, gadget(steps=["any"]))
        assert store.create(GADGET, gadget("two", steps=["any"]))
    assert [entry["event"] for entry in logged] == ["rule not evaluated"], "it is said once"


def with_rule(rule: str) -> JSON:
    crd = crd_body()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    steps = schema["properties"]["spec"]["properties"]["steps"]["items"]
    steps["x-kubernetes-validations"] = [{"rule": rule, "message": "this is the rule"}]
    return crd
