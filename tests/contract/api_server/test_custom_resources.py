"""What of a custom resource is dropped, filled in, warned of and refused."""

from typing import Any

import pytest

from rollouts.kube.paths import collection_path
from rollouts.model.crd import crd
from rollouts.model.kinds import CRD
from tests.contract.api_server.definitions import (
    INTEGER,
    INVALID_MEANWHILE,
    STRING,
    defined,
    fields,
    told,
    widget,
)
from tests.contract.api_server.wire import Wire

STEPS = {"type": "array", "items": STRING}
ANALYSIS = fields(required=["duration"], duration=STRING)


async def test_a_null_where_none_may_be_is_dropped(wire: Wire) -> None:
    spec = fields(
        steps=STEPS,
        analysis=ANALYSIS,
        kept={**INTEGER, "nullable": True},
        filled={**INTEGER, "default": 3},
    )
    kind = await defined(wire, spec)
    nulls = {"steps": None, "analysis": None, "kept": None, "filled": None}
    created = await wire.post(wire.of(kind), widget(nulls))
    assert (created.status, created.body["spec"]) == (201, {"kept": None, "filled": 3})


async def test_a_null_in_place_of_what_is_required_is_missing(wire: Wire) -> None:
    kind = await defined(wire, fields(analysis=ANALYSIS))
    refused = await wire.post(wire.of(kind), widget({"analysis": {"duration": None}}))
    assert refused.status == 422
    assert refused.message.endswith("is invalid: spec.analysis.duration: Required value")


async def test_a_null_in_a_list_is_refused(wire: Wire) -> None:
    kind = await defined(wire, fields(steps=STEPS))
    refused = await wire.post(wire.of(kind), widget({"steps": ["a", None]}))
    assert refused.status == 422
    assert refused.causes == [("FieldValueTypeInvalid", "spec.steps[1]")]
    assert 'spec.steps[1] in body must be of type string: "null"' in refused.message


async def test_a_float_that_is_an_integer_becomes_one_where_no_rule_reads_it(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    created = await wire.post(wire.of(kind), widget({"size": 2.0}))
    assert created.status == 201
    assert repr(created.body["spec"]["size"]) == "2"


async def test_a_rule_does_not_read_a_float(wire: Wire) -> None:
    rule = {"rule": "!has(self.size) || self.size > 0", "message": "there is some"}
    kind = await defined(wire, fields(size=INTEGER, rules=[rule]))
    refused = await wire.post(wire.of(kind), widget({"size": 2.0}))
    assert refused.status == 422
    why = "invalid data, expected int, got float64 evaluating rule: there is some"
    assert refused.message.endswith(f'spec: Invalid value: "object": {why}')


async def test_an_unknown_field_is_dropped_with_a_warning(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    created = await wire.post(wire.of(kind), widget({"size": 1, "szie": 2}, foo="bar"))
    assert (created.status, created.body["spec"]) == (201, {"size": 1})
    assert created.warnings == ['unknown field "metadata.foo"', 'unknown field "spec.szie"']
    patched = await wire.merge(wire.of(kind, "one"), {"spec": {"szie": 2}})
    assert (patched.status, patched.warnings) == (200, ['unknown field "spec.szie"'])


async def test_an_unknown_field_is_refused_by_who_is_strict(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    body = widget({"szie": 2})
    refused = await wire.post(wire.of(kind), body, fieldValidation="Strict")
    assert refused.status == 400
    why = 'strict decoding error: unknown field "spec.szie"'
    assert (
        refused.message == f'{kind.name} in version "v1" cannot be handled as a {kind.name}: {why}'
    )
    created = await wire.post(wire.of(kind), body, fieldValidation="Ignore")
    assert (created.status, created.warnings) == (201, [])
    patch = {"spec": {"szie": 3}}
    refused = await wire.merge(wire.of(kind, "one"), patch, fieldValidation="Strict")
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "patch")])
    assert refused.message.endswith(why)


async def test_an_unknown_field_in_an_apply_is_an_error(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    refused = await wire.apply(wire.of(kind, "one"), widget({"szie": 2}))
    assert refused.status == 500
    assert refused.message.endswith("Kind=Widget): .spec.szie: field not declared in schema")


async def test_no_rule_is_asked_of_what_has_a_wrong_enum(wire: Wire) -> None:
    rule = {"rule": "!has(self.size) || self.size > 3"}
    colour = {**STRING, "enum": ["red"]}
    kind = await defined(wire, fields(size=INTEGER, colour=colour, rules=[rule]))
    refused = await wire.post(wire.of(kind), widget({"size": 1, "colour": "pink"}))
    assert refused.causes == [("FieldValueNotSupported", "spec.colour"), INVALID_MEANWHILE]
    assert "some validation rules were not checked" in refused.message


async def test_without_rules_nobody_speaks_of_rules(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    refused = await wire.post(wire.of(kind), widget({"size": "1"}))
    words = (
        'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'
    )
    assert refused.message.endswith(f"is invalid: {words}")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"size": 1}, ("spec", "object", "failed rule: !has(self.size) || self.size > 3")),
        ({"part": {"size": 1}}, ("spec", "object", "a part has some size")),
        ({"part": {}}, ("spec", "object", "no such key: size evaluating rule: a part has some size", '"object"')),
        ({"list": []}, ("spec", "object", "index out of bounds: 0 evaluating rule: first", '"object"')),
        ({"plain": 7}, ("spec.plain", "integer", "plain is small", "7")),
    ],
)  # fmt: skip
async def test_a_broken_rule_in_words(
    wire: Wire, spec: dict[str, object], said: tuple[str, str, str]
) -> None:
    rules = [
        {"rule": "!has(self.size) || self.size > 3"},
        {"rule": "!has(self.part) || self.part.size > 3", "message": "a part has some size"},
        {"rule": "!has(self.list) || self.list[0] > 3", "message": "first"},
    ]
    plain = {
        **INTEGER,
        "x-kubernetes-validations": [{"rule": "self < 5", "message": "plain is small"}],
    }
    listed = {"type": "array", "maxItems": 5, "items": INTEGER}
    kind = await defined(
        wire,
        fields(size=INTEGER, part=fields(size=INTEGER), list=listed, plain=plain, rules=rules),
    )
    refused = await wire.post(wire.of(kind), widget(spec))
    assert refused.status == 422
    assert refused.message.endswith(f"is invalid: {await told(wire, *said)}")


async def test_a_rule_may_ask_for_an_old_value_that_need_not_be_there(wire: Wire) -> None:
    rule = {
        "rule": "oldSelf.hasValue() ? oldSelf.value().size <= self.size : self.size > 3",
        "optionalOldSelf": True,
        "message": "born large, and grows",
    }
    kind = await defined(wire, fields(size=INTEGER, rules=[rule]))
    refused = await wire.post(wire.of(kind), widget({"size": 1}))
    assert refused.message.endswith(await told(wire, "spec", "object", "born large, and grows"))
    assert (await wire.post(wire.of(kind), widget({"size": 5}))).status == 201
    assert (await wire.merge(wire.of(kind, "one"), {"spec": {"size": 4}})).status == 422
    assert (await wire.merge(wire.of(kind, "one"), {"spec": {"size": 6}})).status == 200


FORMATS = {
    "duration": {
        True: ["1d", "2 weeks", "PT5M", "-5m", "1h30m", "1.5h", "5 s", "1w2d", "1m1m", "1µs"],
        False: ["1", "abc", "1y", ""],
    },
    "date-time": {
        True: ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123+01:00"],
        False: ["yesterday", "2026-01-01 00:00:00Z", "2026-01-01T00:00Z", "2026-02-30T00:00:00Z"],
    },
}


@pytest.mark.parametrize("name", FORMATS)
async def test_a_text_of_another_format_is_refused_before_rules_are_asked(
    wire: Wire, name: str
) -> None:
    text = {**STRING, "format": name}
    kind = await defined(wire, fields(text=text, rules=[{"rule": "has(self.text)"}]))
    for good, texts in FORMATS[name].items():
        for each in texts:
            said = await wire.post(wire.of(kind), widget({"text": each}), dryRun="All")
            assert (said.status == 201) is good, each
            if not good:
                assert said.causes == [("FieldValueTypeInvalid", "spec.text"), INVALID_MEANWHILE]
                why = f'spec.text in body must be of type {name}: "{each}"'
                assert f'spec.text: Invalid value: "{each}": {why}' in said.message


async def test_a_put_names_the_version_that_it_replaces(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    await wire.post(wire.of(kind), widget({"size": 1}))
    refused = await wire.put(wire.of(kind, "one"), widget({"size": 2}))
    assert refused.status == 422
    why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert refused.message == f'{kind.crd_name} "one" is invalid: {why}'


async def test_a_put_makes_no_custom_resource(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    refused = await wire.put(wire.of(kind, "one"), widget({"size": 2}))
    assert refused.status == 404


REAL = pytest.mark.parametrize("server", [pytest.param("real", marks=pytest.mark.control_plane)])


def widened(schema: Any, times: int) -> Any:
    """Return a schema whose limits of size are so many times as large."""
    if isinstance(schema, list):
        return [widened(each, times) for each in schema]
    if not isinstance(schema, dict):
        return schema
    sizes = {"maxItems", "maxLength", "maxProperties"}
    return {
        name: part * times if name in sizes and isinstance(part, int) else widened(part, times)
        for name, part in schema.items()
    }


@REAL
async def test_the_rules_of_a_rollout_would_cost_too_much_only_if_it_were_thrice_as_large(
    real_wire: Wire, server: str
) -> None:
    """A server estimates what the rules of a definition cost at the most, and refuses what is too much."""
    path = collection_path(CRD)
    doubled = await real_wire.post(path, widened(crd(), 2), dryRun="All")
    assert doubled.status in {201, 409}, doubled.message
    tripled = await real_wire.post(path, widened(crd(), 3), dryRun="All")
    assert tripled.status == 422
    assert "estimated rule cost exceeds budget" in tripled.message
