"""
Watches: the stream of changes of one kind, from a revision on.

A watch begins at a revision that is still in the log, or is told of 410 Gone and ends; from then on it
sees every change that its selector is about, once and in order. One that begins at a revision
which has not been reached is silent until then. An object that leaves the
selection is reported as DELETED, one that enters it as ADDED. The watch of a custom kind ends
when its definition changes or goes.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.answers import dumps, wants_table
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.feed import Entry, Feed
from rollouts.sandbox.apiserver.list_options import check_watch, revision_of
from rollouts.sandbox.apiserver.listing import presented, selected
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.selectors import Selection, selection
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.tables import Tabulator

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one watch is to be served."""

    call: Call
    feed: Feed
    chosen: Selection
    initial: bool
    bookmarks: bool
    tabulator: Tabulator | None
    deadline: float
    since: int


@dataclass(frozen=True, slots=True)
class _Begun:
    """
    A watch that has begun, and what it tells first.

    It goes on from a position in the log; from none when what it tells first is all.
    """

    plan: _Plan
    position: int | None
    initial: list[JSON]

    @property
    def code(self) -> int:
        """What its client is told: that it has begun, or in its only event that the past is gone."""
        return 410 if self.position is None else 200


class Watches:
    """All watches that are open now."""

    def __init__(self, store: Store, *, bookmark_seconds: float = 60.0) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._open: dict[int, web.Request] = {}

    def __len__(self) -> int:
        return len(self._open)

    def cut(self) -> None:
        """Break every connection that carries a watch, without a word."""
        for request in self._open.values():
            if request.transport is not None:
                request.transport.abort()
        for resource in self._store.registry:
            self._store.feed(resource).wake()

    def begin(self, call: Call) -> _Begun:
        """
        Return a watch that has begun: nothing that happens from now on escapes it.

        One from a revision that is too old is answered all the same, and then told so.

        Raises:
            ApiError: 400, a parameter makes no sense; 422, several contradict each other.
        """
        check_watch(call)
        plan = self._plan(call)
        try:
            since = self._store.revision if plan.initial else plan.since
            position = plan.feed.position_after(since)
        except ApiError as error:
            return _Begun(plan, None, [_told(error)])
        return _Begun(plan, position, self._initial(plan) if plan.initial else [])

    async def serve(self, begun: _Begun) -> web.StreamResponse:
        """Stream a watch until its timeout, its client's end, or a cut."""
        plan = begun.plan
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        with self._tracked(plan.call.request), suppress(ConnectionError):
            await response.prepare(plan.call.request)
            await _send(response, begun.initial)
            if begun.position is not None:
                await self._stream(plan, response, begun.position)
            await response.write_eof()
        return response

    def _plan(self, call: Call) -> _Plan:
        query = call.request.query
        all_events = call.asks("sendInitialEvents")
        seconds = call.number("timeoutSeconds") or random.uniform(1800, 3600)
        return _Plan(
            call=call,
            feed=self._store.feed(call.resource),
            chosen=selection(query, call.resource.kind.plural, call.target.name),
            initial=all_events == "true"
            or (not all_events and call.asks("resourceVersion") in ("", "0")),
            bookmarks=call.asks("allowWatchBookmarks") in ("true", "1"),
            tabulator=Tabulator(call) if wants_table(call.request) else None,
            deadline=asyncio.get_running_loop().time() + seconds,
            since=revision_of(call.asks("resourceVersion")),
        )

    @contextmanager
    def _tracked(self, request: web.Request) -> Iterator[None]:
        self._open[id(request)] = request
        try:
            yield
        finally:
            del self._open[id(request)]

    async def _stream(self, plan: _Plan, response: web.StreamResponse, position: int) -> None:
        loop = asyncio.get_running_loop()
        bookmark_at = loop.time() + self._bookmark_seconds
        while True:
            try:
                entries, position = plan.feed.read(position)
            except ApiError as error:
                await _send(response, [_told(error)])
                return
            await _send(
                response, [event for entry in entries if (event := self._event(plan, entry))]
            )
            if not self._store.registry.serves(plan.call.resource):
                return
            transport = plan.call.request.transport
            if transport is None or transport.is_closing():
                return
            now = loop.time()
            told_all = not plan.feed.read(position)[0]  # sending may have taken a while
            reached = self._store.revision >= plan.since
            if plan.bookmarks and told_all and reached and now >= min(bookmark_at, plan.deadline):
                await _send(response, [self._bookmark(plan)])
                bookmark_at = now + self._bookmark_seconds
            if now >= plan.deadline:
                return
            if plan.feed.read(position)[0]:
                continue
            until = min(bookmark_at, plan.deadline) if plan.bookmarks else plan.deadline
            await plan.feed.arrival(max(0.0, until - loop.time()))

    def _initial(self, plan: _Plan) -> list[JSON]:
        """Return the events that tell what exists when the watch begins."""
        call = plan.call
        found = selected(self._store, call)
        events = [{"type": "ADDED", "object": self._shape(plan, obj)} for obj in found]
        if plan.bookmarks and call.asks("sendInitialEvents") == "true":
            events.append(self._bookmark(plan, {INITIAL_EVENTS_END: "true"}))
        return events

    def _bookmark(self, plan: _Plan, annotations: JSON | None = None) -> JSON:
        meta: JSON = {"resourceVersion": str(self._store.revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        if plan.tabulator:
            return {"type": "BOOKMARK", "object": plan.tabulator.bookmark(meta)}
        kind = plan.call.resource.kind
        body = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta}
        return {"type": "BOOKMARK", "object": body}

    def _event(self, plan: _Plan, entry: Entry) -> JSON | None:
        """Return the event that this watch sees of a change, if it sees any."""
        if entry.revision <= plan.since:  # it waits for a revision that was not reached yet
            return None
        namespace = plan.call.target.namespace
        if namespace and entry.object["metadata"].get("namespace") != namespace:
            return None
        before = entry.previous is not None and plan.chosen.matches(entry.previous)
        after = entry.type != "DELETED" and plan.chosen.matches(entry.object)
        if not before and not after:
            return None
        kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
        return {"type": kind, "object": self._shape(plan, entry.object)}

    def _shape(self, plan: _Plan, obj: FrozenJSON) -> JSON:
        shown = presented(obj, plan.call.resource)
        return plan.tabulator.event(shown, self._store.now()) if plan.tabulator else shown


def _told(error: ApiError) -> JSON:
    return {"type": "ERROR", "object": error.status()}


async def _send(response: web.StreamResponse, events: list[JSON]) -> None:
    if events:
        await response.write("".join(dumps(event) + "\n" for event in events).encode())
