"""Which objects a write is about, and in which version: POST, PUT, and the preconditions of DELETE."""

import re

import pytest

from rollouts.model.kinds import REPLICA_SET, SERVICE
from tests.contract.api_server.objects import NOBODY, replica_set, service
from tests.contract.api_server.wire import Wire

MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


async def test_a_put_without_a_version_replaces_whatever_is_there(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service(labels={"a": "b"}))
    put = await wire.put(wire.of(SERVICE, "web"), service())
    assert put.status == 200
    assert "labels" not in put.body["metadata"]


@pytest.mark.parametrize("given", ["", "5"])
async def test_a_put_of_a_service_that_is_not_there_makes_it(wire: Wire, given: str) -> None:
    body = service(resourceVersion=given) if given else service()
    assert (await wire.put(wire.of(SERVICE, "web"), body)).status == 201


async def test_a_put_of_a_replica_set_that_is_not_there_does_not(wire: Wire) -> None:
    refused = await wire.put(wire.of(REPLICA_SET, "web"), replica_set())
    assert refused.status == 404


async def test_a_put_of_another_version_is_a_conflict(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.put(wire.of(SERVICE, "web"), service(resourceVersion="1"))
    assert refused.status == 409
    assert refused.message == f'Operation cannot be fulfilled on services "web": {MODIFIED}'


async def test_a_put_of_another_object_of_the_name_is_a_conflict(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.put(wire.of(SERVICE, "web"), service(uid=NOBODY))
    assert refused.status == 409
    assert f"UID in precondition: {NOBODY}" in refused.message


async def test_a_put_has_the_name_of_its_path(wire: Wire) -> None:
    refused = await wire.put(wire.of(SERVICE, "web"), service("other"))
    assert refused.status == 400
    why = "the name of the object (other) does not match the name on the URL (web)"
    assert refused.message == why


async def test_what_is_created_has_no_version(wire: Wire) -> None:
    refused = await wire.post(wire.of(SERVICE), service(resourceVersion="5"))
    assert refused.status == 500
    assert refused.message == "resourceVersion should not be set on objects to be created"


async def test_what_exists_is_not_created_again(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    refused = await wire.post(wire.of(SERVICE), service())
    assert (refused.status, refused.body["reason"]) == (409, "AlreadyExists")
    assert refused.message == 'services "web" already exists'


@pytest.mark.parametrize(
    ("precondition", "value", "word", "fate"),
    [
        ("uid", NOBODY, "UID", "deleted and then recreated"),
        ("resourceVersion", "1", "ResourceVersion", "modified"),
    ],
)
async def test_a_deletion_means_one_object(
    wire: Wire, precondition: str, value: str, word: str, fate: str
) -> None:
    made = await wire.post(wire.of(SERVICE), service())
    known = made.body["metadata"][precondition]
    refused = await wire.delete(wire.of(SERVICE, "web"), preconditions={precondition: value})
    assert refused.status == 409
    why = f"the {word} in the precondition ({value}) does not match the {word} in record ({known})."
    assert refused.message == (
        f'Operation cannot be fulfilled on Service "web": {why} The object might have been {fate}'
    )
    right = await wire.delete(wire.of(SERVICE, "web"), preconditions={precondition: known})
    assert right.status == 200


@pytest.mark.parametrize("name", ["web", ""])
async def test_a_dry_run_deletes_nothing(wire: Wire, name: str) -> None:
    await wire.post(wire.of(SERVICE), service())
    tried = await wire.ask("DELETE", wire.of(SERVICE, name), query={"dryRun": "All"})
    assert tried.status == 200
    assert (await wire.get(wire.of(SERVICE, "web"))).status == 200


@pytest.mark.parametrize("name", ["web", ""])
async def test_of_a_deletion_with_a_body_the_query_counts_for_nothing(
    wire: Wire, name: str
) -> None:
    await wire.post(wire.of(SERVICE), service())
    tried = await wire.ask("DELETE", wire.of(SERVICE, name), {}, query={"dryRun": "All"})
    assert tried.status == 200
    assert (await wire.get(wire.of(SERVICE, "web"))).status == 404


async def test_a_write_that_changes_nothing_is_no_write(wire: Wire) -> None:
    made = await wire.post(wire.of(SERVICE), service(labels={"a": "b"}))
    version = made.body["metadata"]["resourceVersion"]
    same = await wire.merge(wire.of(SERVICE, "web"), {"metadata": {"labels": {"a": "b"}}})
    assert same.body["metadata"]["resourceVersion"] == version
    told = await wire.watch(wire.of(SERVICE), resourceVersion=version)
    assert told.documents == []


async def test_annotations_have_a_limit(wire: Wire) -> None:
    """All of an object's together: a large object has no room for a copy of itself there."""
    body = service(annotations={"a": "x" * 200_000, "b": "x" * 100_000})
    refused = await wire.post(wire.of(SERVICE), body)
    assert refused.status == 422
    assert refused.causes == [("FieldValueTooLong", "metadata.annotations")]


async def test_a_name_is_made_up_for_who_has_only_a_beginning(wire: Wire) -> None:
    body = service()
    body["metadata"] = {"generateName": "web-"}
    made = await wire.post(wire.of(SERVICE), body)
    assert made.status == 201
    assert re.fullmatch("web-[a-z0-9]{5}", made.body["metadata"]["name"])
