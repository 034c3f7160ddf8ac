"""Status and scale: what each of them may change, and what it shows."""

from typing import Any

from rollouts.model.kinds import REPLICA_SET, Kind
from tests.contract.api_server.definitions import INTEGER, STRING, defined, fields, widget
from tests.contract.api_server.objects import replica_set
from tests.contract.api_server.wire import Wire

PATHS = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
SUBRESOURCES = {"status": {}, "scale": PATHS | {"labelSelectorPath": ".status.selector"}}


async def scalable(wire: Wire, **spec: Any) -> Kind:
    kind = await defined(wire, fields(replicas=INTEGER, note=STRING), subresources=SUBRESOURCES)
    await wire.post(wire.of(kind), widget(spec))
    return kind


async def test_a_status_that_comes_with_an_object_is_dropped(wire: Wire) -> None:
    kind = await defined(wire, fields(replicas=INTEGER))
    body = {**widget({}), "status": {"phase": "Fine"}}
    assert "status" not in (await wire.post(wire.of(kind), body)).body
    patched = await wire.merge(wire.of(kind, "one"), {"status": {"phase": "Fine"}})
    assert (patched.status, "status" in patched.body) == (200, False)


async def test_only_the_status_changes_through_the_status(wire: Wire) -> None:
    kind = await scalable(wire, replicas=1)
    change = {
        "metadata": {"labels": {"a": "b"}, "finalizers": ["example.dev/held"]},
        "spec": {"replicas": 9},
        "status": {"replicas": 1},
    }
    changed = await wire.merge(wire.of(kind, "one", "status"), change)
    assert changed.status == 200
    assert changed.body["status"] == {"replicas": 1}
    assert changed.body["spec"] == {"replicas": 1}
    assert not {"labels", "finalizers"} & set(changed.body["metadata"])
    assert changed.body["metadata"]["generation"] == 1


async def test_a_status_that_is_as_it_was_is_no_write(wire: Wire) -> None:
    kind = await scalable(wire)
    first = await wire.merge(wire.of(kind, "one", "status"), {"status": {"replicas": 1}})
    again = await wire.merge(wire.of(kind, "one", "status"), {"status": {"replicas": 1}})
    assert again.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]


async def test_what_has_no_replicas_has_no_scale_until_it_gets_one(wire: Wire) -> None:
    kind = await scalable(wire)
    scale = wire.of(kind, "one", "scale")
    missing = await wire.get(scale)
    assert missing.status == 500
    why = 'the spec replicas field ".spec.replicas" does not exist'
    assert missing.message == f"Internal error occurred: {why}"
    scaled = await wire.merge(scale, {"spec": {"replicas": 2}})
    assert (scaled.status, scaled.body["spec"]) == (200, {"replicas": 2})


async def test_a_scale_shows_status_and_selector(wire: Wire) -> None:
    kind = await scalable(wire, replicas=2)
    status = {"replicas": 1, "selector": "app=web"}
    await wire.merge(wire.of(kind, "one", "status"), {"status": status})
    shown = await wire.get(wire.of(kind, "one", "scale"))
    assert shown.body["apiVersion"] == "autoscaling/v1"
    assert (shown.body["spec"], shown.body["status"]) == ({"replicas": 2}, status)


async def test_scaling_is_a_change_of_the_spec(wire: Wire) -> None:
    await wire.post(wire.of(REPLICA_SET), replica_set())
    await wire.merge(wire.of(REPLICA_SET, "web", "scale"), {"spec": {"replicas": 2}})
    seen = await wire.get(wire.of(REPLICA_SET, "web"))
    assert seen.body["spec"]["replicas"] == 2
    assert seen.body["metadata"]["generation"] == 2


async def test_replicas_are_a_number_from_zero(wire: Wire) -> None:
    await wire.post(wire.of(REPLICA_SET), replica_set())
    scale = wire.of(REPLICA_SET, "web", "scale")
    refused = await wire.merge(scale, {"spec": {"replicas": -2}})
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "spec.replicas")])
    for wrong in (2.5, "2"):
        refused = await wire.merge(scale, {"spec": {"replicas": wrong}})
        assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "patch")])


async def test_a_scale_of_another_version_is_a_conflict(wire: Wire) -> None:
    await wire.post(wire.of(REPLICA_SET), replica_set())
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}
    refused = await wire.merge(wire.of(REPLICA_SET, "web", "scale"), stale)
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")


async def test_a_scale_is_not_deleted(wire: Wire) -> None:
    kind = await scalable(wire, replicas=1)
    assert (await wire.ask("DELETE", wire.of(kind, "one", "scale"))).status == 405
    assert (await wire.get(wire.of(kind, "one"))).status == 200
