"""What lists and watches answer about the past, and about what has not happened yet."""

import asyncio
import json
import re
from functools import partial

import pytest

from rollouts.kube.connection import SILENT_SECONDS, Connection
from rollouts.model.kinds import SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.contract.api_server.definitions import defined
from tests.contract.api_server.objects import service, version
from tests.contract.api_server.wire import Answer, Wire
from tests.waiting import answer

FAR = 1_000_000
UNTIL_FORGOTTEN_SECONDS = 30
"""An API server looks every 15 seconds whether etcd has forgotten something."""


async def test_a_watch_from_the_future_is_silent(wire: Wire) -> None:
    services = wire.of(SERVICE)
    future = await version(wire, services) + FAR
    await wire.post(services, service())
    told = await wire.watch(services, resourceVersion=future)
    assert (told.status, told.documents) == (200, [])


async def test_a_watch_from_the_future_tells_nothing_of_what_comes_before_it(wire: Wire) -> None:
    """Who watched before a backup was restored never hears that what it knows did not happen."""
    services = wire.of(SERVICE)
    future = await version(wire, services) + 20
    connection = Connection(wire.kubeconfig)
    query: dict[str, str | int] = {"watch": "true", "resourceVersion": future, "timeoutSeconds": 30}
    async with connection.stream(services, query, longest_seconds=30) as lines:
        made = [0]
        while made[-1] <= future:
            posted = await wire.post(services, service(f"web-{len(made)}"))
            made.append(int(posted.body["metadata"]["resourceVersion"]))
        event = json.loads(await anext(lines))
    await connection.close()
    assert made[1] <= future
    assert int(event["object"]["metadata"]["resourceVersion"]) == made[-1]


async def test_a_list_from_the_future_is_refused(wire: Wire) -> None:
    services = wire.of(SERVICE)
    future = await version(wire, services) + FAR
    refused = await wire.get(services, resourceVersion=future)
    assert refused.status == 504
    words = rf"Timeout: Too large resource version: {future}, current: \d+"
    assert re.fullmatch(words, refused.message)
    assert refused.causes == [("ResourceVersionTooLarge", "")]


async def test_a_watch_from_a_forgotten_past_is_told_so_by_an_event(wire: Wire) -> None:
    """Of a kind nobody remembers what was before its definition."""
    widget = await defined(wire, {"type": "object"})
    told = await wire.watch(wire.of(widget), resourceVersion=1)
    assert told.status == 200
    (event,) = told.documents
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["reason"] == "Expired"
    assert re.fullmatch(r"too old resource version: 1 \(\d+\)", event["object"]["message"])


async def test_what_etcd_has_forgotten_can_be_listed_no_more(wire: Wire) -> None:
    services = wire.of(SERVICE)
    for name in ("one", "two"):
        await wire.post(services, service(name))
    first = await wire.get(services, limit=1)
    token = first.body["metadata"]["continue"]
    past = first.body["metadata"]["resourceVersion"]
    await wire.post(services, service("three"))
    await wire.compact()

    async def refused(**query: str | int) -> Answer | None:
        answered = await wire.get(services, **query)
        return answered if answered.status != 200 else None

    page = await answer(
        partial(refused, **{"limit": 1, "continue": token}), UNTIL_FORGOTTEN_SECONDS
    )
    assert (page.status, page.body["reason"]) == (410, "Expired")
    exact = await answer(
        partial(refused, resourceVersion=past, resourceVersionMatch="Exact"),
        UNTIL_FORGOTTEN_SECONDS,
    )
    assert (exact.status, exact.body["reason"]) == (410, "Expired")


async def test_from_a_cache_the_whole_list_comes_at_once(wire: Wire) -> None:
    services = wire.of(SERVICE)
    for name in ("one", "two"):
        await wire.post(services, service(name))
    listed = await wire.get(services, limit=1, resourceVersion=0)
    assert len(listed.body["items"]) == 2
    assert "continue" not in listed.body["metadata"]


async def test_initial_events_are_asked_for_with_a_match(wire: Wire) -> None:
    refused = await wire.watch(wire.of(SERVICE), sendInitialEvents="true")
    assert refused.status == 422
    assert refused.causes == [("FieldValueForbidden", "resourceVersionMatch")]


@pytest.mark.parametrize("given", ["", "0"])
async def test_exactly_needs_a_version(wire: Wire, given: str) -> None:
    query = {"resourceVersion": given} if given else {}
    refused = await wire.get(wire.of(SERVICE), resourceVersionMatch="Exact", **query)
    assert refused.status == 422
    assert refused.causes == [("FieldValueForbidden", "resourceVersionMatch")]


async def test_initial_events_end_with_a_bookmark(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    told = await wire.watch(
        wire.of(SERVICE),
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    added, end = told.documents[:2]
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "web")
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_tells_what_happened_since_in_order(wire: Wire) -> None:
    services = wire.of(SERVICE)
    since = await version(wire, services)
    await wire.post(services, service())
    await wire.merge(wire.of(SERVICE, "web"), {"metadata": {"labels": {"a": "b"}}})
    await wire.delete(wire.of(SERVICE, "web"))
    told = await wire.watch(services, resourceVersion=since)
    assert [event["type"] for event in told.documents] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in told.documents]
    assert versions == sorted(set(versions))


@pytest.mark.nightly
async def test_a_watch_that_has_nothing_to_tell_gets_a_bookmark_every_minute(wire: Wire) -> None:
    """
    Nothing for longer means that something is wrong (`SILENT_SECONDS`).

    On a real server only once anything at all has happened, which it hears of by a list that is up to date.
    """
    await wire.post(wire.of(SERVICE), service())
    since = await version(wire, wire.of(INGRESS))
    connection = Connection(wire.kubeconfig)
    query: dict[str, str | int] = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": since,
        "timeoutSeconds": 300,
    }
    asked_at = asyncio.get_running_loop().time()
    async with connection.stream(wire.of(INGRESS), query, longest_seconds=80) as lines:
        event = json.loads(await anext(lines))
    assert event["type"] == "BOOKMARK"
    assert 50 < asyncio.get_running_loop().time() - asked_at < SILENT_SECONDS - 20
    await connection.close()


async def test_a_watch_that_begins_with_what_there_is_goes_on(wire: Wire) -> None:
    """Since 1.37 such an answer is compressed, in parts, for who says that it may be; we say that it may not."""
    services = wire.of(SERVICE)
    await wire.post(services, service("one"))
    connection = Connection(wire.kubeconfig)
    query: dict[str, str | int] = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "timeoutSeconds": 20,
    }
    async with connection.stream(services, query, longest_seconds=20) as lines:
        begun = [json.loads(await anext(lines))["type"] for _ in range(2)]
        assert begun == ["ADDED", "BOOKMARK"]
        await wire.post(services, service("two"))
        async with asyncio.timeout(5):
            event = json.loads(await anext(lines))
    assert event["object"]["metadata"]["name"] == "two"
    await connection.close()
