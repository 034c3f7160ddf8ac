"""Server-side apply: what makes an object, who owns what, and what a conflict says."""

from rollouts.model.kinds import JSON, POD, REPLICA_SET, SERVICE
from tests.contract.api_server.definitions import INTEGER, defined, fields
from tests.contract.api_server.objects import NOBODY, pod, replica_set, service
from tests.contract.api_server.wire import APPLY, Wire


def selecting(app: str, **metadata: str) -> JSON:
    body = service(**metadata)
    body["spec"]["selector"] = {"app": app}
    return body


async def test_what_is_not_there_is_made_whatever_version_was_meant(wire: Wire) -> None:
    made = await wire.apply(wire.of(SERVICE, "web"), service(resourceVersion="5"))
    assert made.status == 201


async def test_what_is_not_there_has_no_uid(wire: Wire) -> None:
    refused = await wire.apply(wire.of(SERVICE, "web"), service(uid=NOBODY))
    assert refused.status == 409
    why = f"uid mismatch: the provided object specified uid {NOBODY}, and no existing object was found"
    assert refused.message == f'Operation cannot be fulfilled on services "web": {why}'


async def test_another_uid_is_refused(wire: Wire) -> None:
    await wire.apply(wire.of(SERVICE, "web"), service())
    refused = await wire.apply(wire.of(SERVICE, "web"), service(uid=NOBODY))
    assert refused.status == 422
    assert ("FieldValueInvalid", "metadata.uid") in refused.causes


async def test_another_version_is_a_conflict(wire: Wire) -> None:
    await wire.apply(wire.of(SERVICE, "web"), service())
    refused = await wire.apply(wire.of(SERVICE, "web"), service(resourceVersion="1"))
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")


async def test_nobody_applies_managed_fields(wire: Wire) -> None:
    refused = await wire.apply(wire.of(SERVICE, "web"), service(managedFields=[]))
    assert (refused.status, refused.message) == (400, "metadata.managedFields must be nil")


async def test_an_applier_has_a_name(wire: Wire) -> None:
    refused = await wire.ask("PATCH", wire.of(SERVICE, "web"), service(), APPLY)
    assert (refused.status, refused.causes) == (422, [("FieldValueRequired", "fieldManager")])


async def test_a_conflict_with_another_applier(wire: Wire) -> None:
    await wire.apply(wire.of(SERVICE, "web"), service(), fieldManager="one")
    refused = await wire.apply(wire.of(SERVICE, "web"), selecting("next"), fieldManager="two")
    assert refused.status == 409
    assert refused.causes == [("FieldManagerConflict", ".spec.selector")]
    why = 'conflict with "one": .spec.selector'
    assert refused.message == f"Apply failed with 1 conflict: {why}"


async def test_conflicts_with_who_has_patched(wire: Wire) -> None:
    await wire.apply(wire.of(SERVICE, "web"), service(labels={"a": "b"}))
    change = {"spec": {"selector": {"app": "theirs"}}, "metadata": {"labels": {"a": "c"}}}
    await wire.merge(wire.of(SERVICE, "web"), change, fieldManager="them")
    refused = await wire.apply(wire.of(SERVICE, "web"), service(labels={"a": "b"}))
    assert refused.message == (
        'Apply failed with 2 conflicts: conflicts with "them" using v1:\n'
        "- .metadata.labels.a\n- .spec.selector"
    )
    forced = await wire.apply(wire.of(SERVICE, "web"), service(labels={"a": "b"}), force="true")
    assert (forced.status, forced.body["spec"]["selector"]) == (200, {"app": "web"})


async def test_what_is_named_no_more_goes(wire: Wire) -> None:
    await wire.apply(wire.of(SERVICE, "web"), service(annotations={"a": "1", "b": "2"}))
    applied = await wire.apply(wire.of(SERVICE, "web"), service(annotations={"a": "1"}))
    assert applied.body["metadata"]["annotations"] == {"a": "1"}


async def test_the_status_of_what_is_not_there_is_not_applied(wire: Wire) -> None:
    kind = await defined(wire, fields(size=INTEGER))
    body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "one"}}
    refused = await wire.apply(wire.of(kind, "one", "status"), {**body, "status": {"a": 1}})
    assert refused.status == 404


async def test_an_apply_of_what_its_kind_is_not_made_of_is_an_error(wire: Wire) -> None:
    body = pod(resources={"requests": {"cpu": "1x"}})
    body["metadata"]["namespace"] = wire.namespace
    refused = await wire.apply(wire.of(POD, "web-1"), body)
    assert refused.status == 500
    said = f"failed to convert new object ({wire.namespace}/web-1; /v1, Kind=Pod) to proper version"
    assert refused.message.startswith(
        f"{said}: unable to convert unstructured object to /v1, Kind=Pod: quantities"
    )
    fraction = replica_set()
    fraction["metadata"]["namespace"] = wire.namespace
    fraction["spec"]["replicas"] = 2.5
    assert (await wire.apply(wire.of(REPLICA_SET, "web"), fraction)).status == 500


async def test_a_variable_that_is_named_twice_is_an_error(wire: Wire) -> None:
    body = pod(env=[{"name": "A", "value": value} for value in "12"])
    body["metadata"]["namespace"] = wire.namespace
    refused = await wire.apply(wire.of(POD, "web-1"), body)
    assert refused.status == 500
    why = '.spec.containers[name="web"].env: duplicate entries for key [name="A"]'
    assert refused.message.endswith(why)


async def test_a_repeated_key_is_an_error(wire: Wire) -> None:
    body = service()
    body["spec"]["ports"] = [{"name": name, "port": 80} for name in ("one", "two")]
    refused = await wire.apply(wire.of(SERVICE, "web"), body)
    assert refused.status == 500
    assert '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]' in refused.message
