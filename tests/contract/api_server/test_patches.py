"""What patches do: JSON patches, merge patches, and who may be patched into whom."""

import pytest

from rollouts.model.kinds import JSON, SERVICE
from tests.contract.api_server.objects import NOBODY, service
from tests.contract.api_server.wire import Wire

BARE = "the server rejected our request due to an error in our request"


async def test_what_is_replaced_need_not_be_there(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    path = "/metadata/annotations"
    first = {"op": "replace", "path": path, "value": {"a": "1"}}
    second = {"op": "replace", "path": f"{path}/b", "value": "2"}
    patched = await wire.json_patch(wire.of(SERVICE, "web"), first, second)
    assert patched.status == 200
    assert patched.body["metadata"]["annotations"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/metadata/annotations/a", "value": "1"},
        {"op": "add", "path": "/metadata/labels/a", "value": "1"},
        {"op": "remove", "path": "/metadata/annotations/a"},
        {"op": "remove", "path": "/spec/ports/9"},
        {"op": "test", "path": "/spec/selector/app", "value": "another"},
        {"op": "frobnicate", "path": "/spec/selector/app"},
    ],
)
async def test_an_operation_that_does_not_fit_is_refused_without_a_reason(
    wire: Wire, operation: JSON
) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.json_patch(wire.of(SERVICE, "web"), operation)
    assert (refused.status, refused.message) == (422, BARE)


async def test_a_patch_gives_no_other_name(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    for refused in (
        await wire.merge(wire.of(SERVICE, "web"), {"metadata": {"name": "other"}}),
        await wire.json_patch(
            wire.of(SERVICE, "web"), {"op": "replace", "path": "/metadata/name", "value": "other"}
        ),
    ):
        assert refused.status == 400
        why = "the name of the object (other) does not match the name on the URL (web)"
        assert refused.message == why


async def test_a_patch_gives_no_other_uid(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.merge(wire.of(SERVICE, "web"), {"metadata": {"uid": NOBODY}})
    assert refused.status == 422
    assert f'metadata.uid: Invalid value: "{NOBODY}": field is immutable' in refused.message


async def test_a_patch_of_another_version_is_a_conflict(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    stale = {"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}}
    refused = await wire.merge(wire.of(SERVICE, "web"), stale)
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")


@pytest.mark.parametrize("replicas", [2.5, "2", []])
async def test_what_a_patch_makes_has_to_be_decodable(wire: Wire, replicas: object) -> None:
    await wire.post(wire.of(SERVICE), service())
    patch = {"spec": {"ports": [{"port": replicas}]}}
    refused = await wire.merge(wire.of(SERVICE, "web"), patch)
    assert (refused.status, refused.causes) == (422, [("FieldValueInvalid", "patch")])


async def test_a_merge_patch_is_an_object(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.ask("PATCH", wire.of(SERVICE, "web"), [], "application/merge-patch+json")
    assert refused.status == 400
    assert "json: cannot unmarshal array" in refused.message
