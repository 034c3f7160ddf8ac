"""A definition is tightened: what was stored before may stay as it is, and not get worse."""

from rollouts.model.kinds import JSON, Kind
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

BEFORE: JSON = {
    "size": 500,
    "colour": "pink",
    "parts": ["too long"],
    "map": [{"name": "a", "size": 500}],
}
RULE = {"rule": "!has(self.size) || self.size < 100", "message": "size is small"}
SMALL = {**INTEGER, "maximum": 100}


async def excused(wire: Wire) -> str:
    """Return what is said of the rule."""
    return await told(wire, "spec", "object", RULE["message"])


def schema(
    size: JSON = INTEGER,
    colour: JSON = STRING,
    part: JSON = STRING,
    rules: list[JSON] | None = None,
) -> JSON:
    keyed = {
        "type": "array",
        "items": fields(required=["name"], name=STRING, size=size),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    parts = {"type": "array", "items": part}
    return fields(size=size, colour=colour, nick=STRING, parts=parts, map=keyed, rules=rules)


TIGHT = schema(SMALL, {**STRING, "enum": ["red"]}, {**STRING, "maxLength": 3})


async def tightened(wire: Wire, now: JSON) -> Kind:
    """Store what is valid, then define the kind so that it is not."""
    kind = await defined(wire, schema())
    await wire.post(wire.of(kind), widget(BEFORE, finalizers=["example.dev/held"]))
    await defined(wire, now)
    return kind


async def test_what_is_around_the_spec_may_change(wire: Wire) -> None:
    kind = await tightened(wire, {**TIGHT, "required": ["nick"]})
    one, status = wire.of(kind, "one"), wire.of(kind, "one", "status")
    assert (await wire.merge(one, {"metadata": {"labels": {"a": "b"}}})).status == 200
    assert (await wire.merge(status, {"status": {"phase": "Fine"}})).status == 200
    unnamed = {key: value for key, value in widget({}).items() if key != "spec"}
    unnamed["metadata"] = {"name": "one", "labels": {"c": "d"}}
    assert (await wire.apply(one, unnamed)).status == 200
    assert (await wire.merge(one, {"metadata": {"finalizers": None}})).status == 200


async def test_what_is_beside_it_may_change(wire: Wire) -> None:
    kind = await tightened(wire, TIGHT)
    changed = await wire.merge(wire.of(kind, "one"), {"spec": {"nick": "me"}})
    assert (changed.status, changed.body["spec"]) == (200, {**BEFORE, "nick": "me"})


async def test_it_may_not_become_another_wrong_value(wire: Wire) -> None:
    kind = await tightened(wire, TIGHT)
    worse = {"spec": {"size": 600, "colour": "green"}}
    refused = await wire.merge(wire.of(kind, "one"), worse)
    assert refused.status == 422
    wrong = {("FieldValueInvalid", "spec.size"), ("FieldValueNotSupported", "spec.colour")}
    assert set(refused.causes) == wrong


async def test_what_is_required_now_is_asked_for_once_the_spec_changes(wire: Wire) -> None:
    kind = await tightened(wire, {**TIGHT, "required": ["nick"]})
    refused = await wire.merge(wire.of(kind, "one"), {"spec": {"size": 5}})
    assert (refused.status, refused.causes) == (422, [("FieldValueRequired", "spec.nick")])


async def test_items_with_a_key_are_looked_at_one_by_one(wire: Wire) -> None:
    kind = await tightened(wire, TIGHT)
    old = {"name": "a", "size": 500}
    fine = {"spec": {"map": [{"name": "b", "size": 1}, old]}}
    assert (await wire.merge(wire.of(kind, "one"), fine)).status == 200
    bad = {"spec": {"map": [{"name": "b", "size": 101}, old]}}
    refused = await wire.merge(wire.of(kind, "one"), bad)
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "spec.map[0].size")])


async def test_a_list_without_keys_is_looked_at_as_a_whole(wire: Wire) -> None:
    kind = await tightened(wire, TIGHT)
    refused = await wire.merge(wire.of(kind, "one"), {"spec": {"parts": ["too long", "x"]}})
    assert (refused.status, refused.causes) == (422, [("FieldValueTooLong", "spec.parts[0]")])


async def test_a_rule_that_is_excused_is_a_warning(wire: Wire) -> None:
    kind = await tightened(wire, schema(rules=[RULE]))
    labelled = await wire.merge(wire.of(kind, "one"), {"metadata": {"labels": {"a": "b"}}})
    assert (labelled.status, labelled.warnings) == (200, [await excused(wire)])
    status = await wire.merge(wire.of(kind, "one", "status"), {"status": {"phase": "Fine"}})
    assert (status.status, status.warnings) == (200, [await excused(wire)])


async def test_a_rule_counts_once_anything_below_it_changes(wire: Wire) -> None:
    kind = await tightened(wire, schema(rules=[RULE]))
    refused = await wire.merge(wire.of(kind, "one"), {"spec": {"nick": "me"}})
    assert refused.status == 422
    assert refused.message.endswith(f"is invalid: {await excused(wire)}")


async def test_a_new_object_is_not_excused(wire: Wire) -> None:
    kind = await tightened(wire, {**TIGHT, "x-kubernetes-validations": [RULE]})
    refused = await wire.post(wire.of(kind), widget(BEFORE, "two"))
    assert refused.status == 422
    assert refused.causes[-1] == INVALID_MEANWHILE
