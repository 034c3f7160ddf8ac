"""Events about objects, as `kubectl describe` shows them."""

import asyncio
import uuid
from collections import deque
from datetime import datetime
from typing import Literal, Protocol

from rollouts.errors import Unavailable
from rollouts.model.kinds import EVENT, JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import utc_now
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.cluster import RETRY, Cluster

_REMEMBERED = 2000
_WAITING = 1000
EventType = Literal["Normal", "Warning"]
_Same = tuple[str, str, str, str]


class Events(Protocol):
    """Where events go: an event is worth no failure, so none is told."""

    def now(self) -> datetime: ...

    def post(self, event: JSON) -> None:
        """Store the event; where it is counted up, the count of the one that is there."""
        ...


class StoredEvents:
    """Events of the sandbox's own store, in which they are at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        return self._store.now()

    def post(self, event: JSON) -> None:
        meta = event["metadata"]
        try:
            if self._store.get(EVENT, meta["namespace"], meta["name"]) is None:
                self._store.create(EVENT, event)
            else:
                self._store.patch(EVENT, meta["namespace"], meta["name"], _again(event))
        except ApiError:
            return  # its namespace is going


class PostedEvents:
    """
    Events that wait until a cluster takes them, in their order.

    Of more than a thousand that wait, the oldest are dropped.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting: deque[JSON] = deque(maxlen=_WAITING)
        self._arrived = asyncio.Event()

    def now(self) -> datetime:
        return utc_now()

    def post(self, event: JSON) -> None:
        self._waiting.append(event)
        self._arrived.set()

    async def run(self) -> None:
        """Post what waits, and what comes, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                event = self._waiting.popleft()
                try:
                    await self._send(event)
                except ApiError:
                    continue  # its namespace is going
                except Unavailable:
                    self._waiting.appendleft(event)
                    await asyncio.sleep(RETRY.longest_seconds)

    async def _send(self, event: JSON) -> None:
        meta = event["metadata"]
        if event["count"] > 1:
            try:
                await self._cluster.patch(EVENT, meta["namespace"], meta["name"], _again(event))
            except ApiError as error:
                if error.code != 404:
                    raise
            else:
                return
        await self._cluster.create(EVENT, event)


class Recorder:
    """
    Records events in the name of one component.

    The same event about the same object is counted up.
    """

    def __init__(self, events: Events, component: str) -> None:
        self._events = events
        self._component = component
        self._known: dict[_Same, JSON] = {}

    def normal(self, about: FrozenJSON, reason: str, message: str) -> None:
        self._record(about, "Normal", reason, message)

    def warning(self, about: FrozenJSON, reason: str, message: str) -> None:
        self._record(about, "Warning", reason, message)

    def _record(self, about: FrozenJSON, kind: EventType, reason: str, message: str) -> None:
        same = (about["metadata"]["uid"], kind, reason, message)
        now = timestamp(self._events.now())
        known = self._known.get(same)
        if known is None:
            event = self._first(about, same, now)
        else:
            event = {**known, "count": known["count"] + 1, "lastTimestamp": now}
        if known is None and len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[same] = event
        self._events.post(event)

    def _first(self, about: FrozenJSON, same: _Same, now: str) -> JSON:
        meta = about["metadata"]
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {
                "name": f"{meta['name']}.{uuid.uuid4().hex[:16]}",
                "namespace": meta.get("namespace") or "default",
            },
            "involvedObject": _reference(about),
            "type": same[1],
            "reason": same[2],
            "message": same[3],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }


def _again(event: JSON) -> JSON:
    return {field: event[field] for field in ("count", "lastTimestamp")}


def _reference(about: FrozenJSON) -> JSON:
    meta = about["metadata"]
    return {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "uid": meta["uid"],
        "resourceVersion": meta.get("resourceVersion", ""),
    }
