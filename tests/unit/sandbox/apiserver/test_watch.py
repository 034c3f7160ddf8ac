"""Watches: order, bookmarks, selections, 410, cuts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs
from yarl import URL

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, SECRET
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store

MAPS = "/api/v1/namespaces/default/configmaps"


@asynccontextmanager
async def watch(
    http: ClientSession, *, accept: str = "*/*", **query: str
) -> AsyncIterator[AsyncIterator[JSON]]:
    async with http.get(
        MAPS, params={"watch": "true"} | query, headers={"Accept": accept}
    ) as response:
        assert response.status == 200

        async def events() -> AsyncIterator[JSON]:
            async with asyncio.timeout(10):
                async for line in response.content:
                    yield json.loads(line)

        yield events()


def told(event: JSON) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_from_a_version_on_in_order(http: ClientSession, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "before"}})
    version = str(store.revision)
    store.create(CONFIG_MAP, {"metadata": {"name": "missed"}})
    async with watch(http, resourceVersion=version) as events:
        store.create(SECRET, {"metadata": {"name": "other-kind"}})
        store.create(CONFIG_MAP, {"metadata": {"name": "elsewhere", "namespace": "kube-system"}})
        store.patch(CONFIG_MAP, "default", "missed", {"data": {"a": "1"}})
        store.delete(CONFIG_MAP, "default", "before")
        got = [told(await anext(events)) for _ in range(3)]
    assert got == [("ADDED", "missed"), ("MODIFIED", "missed"), ("DELETED", "before")]


async def test_initial_events_end_with_a_bookmark(http: ClientSession, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true"}
    async with watch(http, **query, resourceVersionMatch="NotOlderThan") as events:
        assert told(await anext(events)) == ("ADDED", "one")
        bookmark = await anext(events)
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["resourceVersion"] == str(store.revision)
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_timeout_ends_it_with_a_bookmark(http: ClientSession, store: Store) -> None:
    version = str(store.revision)
    query = {"timeoutSeconds": "0.05", "allowWatchBookmarks": "true"}
    async with watch(http, resourceVersion=version, **query) as events:
        assert [event["type"] async for event in events] == ["BOOKMARK"]


async def test_a_selection_is_entered_and_left(http: ClientSession, store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    query = {"labelSelector": "a=b", "resourceVersion": str(store.revision)}
    async with watch(http, **query) as events:
        for labels in ({"a": "b"}, {"a": "b", "c": "d"}, {"a": None}):
            store.patch(CONFIG_MAP, "default", "one", {"metadata": {"labels": labels}})
        got = [told(await anext(events))[0] for _ in range(3)]
    assert got == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_forgotten_version_is_gone(http: ClientSession, server: ApiServer) -> None:
    version = str(server.store.revision)
    server.store.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    server.compact()
    async with watch(http, resourceVersion=version) as events:
        event = await anext(events)
    assert (event["type"], event["object"]["reason"]) == ("ERROR", "Expired")
    async with watch(http, resourceVersion=str(server.store.revision)):
        pass


async def test_a_reader_that_is_too_slow_is_told(server: ApiServer) -> None:
    store = Store(history=3)
    small = ApiServer(store)
    await small.start()
    async with (
        ClientSession(small.url) as http,
        watch(http, resourceVersion=str(store.revision)) as events,
    ):
        for number in range(10):  # all at once: the watch can't keep up
            store.create(CONFIG_MAP, {"metadata": {"name": f"m{number}"}})
        event = await anext(events)
    await small.stop()
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert server.open_watches == 0


async def test_cut_watches_break(http: ClientSession, server: ApiServer) -> None:
    async with watch(http, resourceVersion=str(server.store.revision)) as events:
        assert server.open_watches == 1
        server.cut_watches()
        with pytest.raises(aiohttp.ClientError):
            await anext(events)
    async with http.get(MAPS) as response:
        assert response.status == 200


async def test_a_version_of_the_future_is_waited_for(http: ClientSession, store: Store) -> None:
    async with watch(http, resourceVersion=str(store.revision + 1)) as events:
        store.create(CONFIG_MAP, {"metadata": {"name": "before"}})
        store.create(CONFIG_MAP, {"metadata": {"name": "after"}})
        assert told(await anext(events))[1] == "after"


async def test_rows_of_a_table_are_watched(http: ClientSession, store: Store) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    store.create(CONFIG_MAP, {"metadata": {"name": "one"}, "data": {"a": "1"}})
    async with watch(http, accept=accept) as events:
        first = await anext(events)
        store.patch(CONFIG_MAP, "default", "one", {"data": {"b": "1"}})
        second = await anext(events)
    names = [column["name"] for column in first["object"]["columnDefinitions"]]
    assert names == ["Name", "Data", "Age"]
    assert first["object"]["rows"][0]["cells"][:2] == ["one", 1]
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][:2] == ["one", 2]


async def test_a_client_that_leaves_before_its_watch_begins_is_no_failure(
    http: ClientSession, server: ApiServer
) -> None:
    address = URL(server.url)
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(f"GET {MAPS}?watch=true HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
        writer.close()  # the server learns of both in one turn of its loop
        await writer.wait_closed()
        async with http.get(MAPS) as response:
            assert response.status == 200
    assert logs == []
    assert server.open_watches == 0
