"""
Kubernetes Events (core/v1) about objects, as `kubectl describe` shows them.

An Event's name follows from what it says about whom, so that saying the same again counts
it up by a patch, also after a restart. Events are courtesy: their failures are logged and
never fail what reports them.

What may wait is gathered, by object, and told in one Event with what follows it: with the next
one that may not, unless that is a warning, which speaks for itself; or after a minute.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from rollouts.errors import Conflict, NotFound, RolloutsError
from rollouts.kube.connection import MERGE_PATCH, REQUEST_TIMEOUT_SECONDS, Connection
from rollouts.kube.paths import collection_path, object_path
from rollouts.model.kinds import EVENT, JSON, FrozenJSON, Ref
from rollouts.model.moments import format_time
from rollouts.model.truncation import truncated_to_bytes
from rollouts.ports import Record

log = structlog.get_logger(__name__)

COMPONENT = "rollouts"
LONGEST_MESSAGE = 1024  # bytes: what the events API accepts in a note

GATHER_SECONDS = 60.0
"""The longest that what may wait does."""

FLUSH_SECONDS = 2.0
"""The longest that is spent on what still waits at the end: others want to lead."""

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What waits to be told of one object, since when, and what tells it in the end."""

    records: tuple[Record, ...]
    since: datetime
    timer: asyncio.TimerHandle


class EventRecorder:
    """
    Writes Records as Events. `seconds_left` is how long a request may take; it may raise.

    Belongs to one event loop; `close` it at the end.
    """

    def __init__(
        self,
        connection: Connection,
        seconds_left: Callable[[], float],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._connection = connection
        self._seconds_left = seconds_left
        self._now = now
        self._gather_seconds = gather_seconds
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str, _Waiting] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def record(self, record: Record) -> None:
        """Create the Event, or count it up, or keep it for the next; logs when that fails."""
        about, now = _about(record), self._now()
        if record.may_wait:
            self._keep(about, record, now)
        elif record.type == "Normal" and about in self._waiting:
            before = self._take(about)
            await self._tell(_after(record, before.records), before.since, now)
        else:
            await self._tell(record, now, now)

    async def flush(self, within_seconds: float = FLUSH_SECONDS) -> None:
        """Tell all that waits, as far as there is time for it."""
        for about in list(self._waiting):
            self._waiting[about].timer.cancel()
            self._ring(about)
        if self._telling:
            await asyncio.wait(self._telling, timeout=within_seconds)

    def close(self) -> None:
        """Tell nothing more."""
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting.clear()
        for task in self._telling:
            task.cancel()

    def _keep(self, about: str, record: Record, now: datetime) -> None:
        waiting = self._waiting.get(about)
        if waiting is None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._gather_seconds, self._ring, about)
            waiting = _Waiting((), now, timer)
        self._waiting[about] = replace(waiting, records=(*waiting.records, record))

    def _take(self, about: str) -> _Waiting:
        waiting = self._waiting.pop(about)
        waiting.timer.cancel()
        return waiting

    def _ring(self, about: str) -> None:
        task = asyncio.create_task(self._tell_waiting(about), name="tell what waits")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_waiting(self, about: str) -> None:
        if about not in self._waiting:
            return  # somebody told it just now
        waiting = self._take(about)
        first, *others = waiting.records
        text = "; ".join([first.message, *(each.message for each in others)])
        await self._tell(replace(first, message=text), waiting.since, self._now())

    async def _tell(self, record: Record, since: datetime, now: datetime) -> None:
        event = event_for(record, since, now)
        metadata = event["metadata"]
        ref = Ref(EVENT, metadata["namespace"], metadata["name"])
        try:
            timeout_seconds = min(self._seconds_left(), REQUEST_TIMEOUT_SECONDS)
            await self._write(ref, event, timeout_seconds)
        except RolloutsError as error:
            log.warning("event not written", reason=record.reason, problem=str(error))

    async def _write(self, ref: Ref, event: JSON, timeout_seconds: float) -> None:
        if ref.name in self._counts:
            try:
                await self._count_up(ref, event, timeout_seconds)
            except NotFound:
                del self._counts[ref.name]  # events expire, after an hour by default
            else:
                return
        try:
            await self._connection.request(
                "POST",
                collection_path(EVENT, ref.namespace),
                body=event,
                timeout_seconds=timeout_seconds,
            )
            self._remember(ref.name, 1)
        except Conflict:
            stored = await self._connection.request(
                "GET", object_path(ref), timeout_seconds=timeout_seconds
            )
            self._remember(ref.name, int(stored.get("count") or 1))
            await self._count_up(ref, event, timeout_seconds)

    async def _count_up(self, ref: Ref, event: JSON, timeout_seconds: float) -> None:
        count = self._counts[ref.name] + 1
        await self._connection.request(
            "PATCH",
            object_path(ref),
            body={"count": count, "lastTimestamp": event["lastTimestamp"]},
            content_type=MERGE_PATCH,
            timeout_seconds=timeout_seconds,
        )
        self._remember(ref.name, count)

    def _remember(self, name: str, count: int) -> None:
        self._counts[name] = count
        self._counts.move_to_end(name)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)


def _about(record: Record) -> str:
    """Return what tells the object apart that a record is about."""
    metadata = record.regarding["metadata"]
    return str(metadata.get("uid") or (metadata.get("namespace"), metadata["name"]))


def _after(record: Record, before: Sequence[Record]) -> Record:
    """Return the record with what has come before it."""
    earlier = "; ".join(each.message for each in before)
    return replace(record, message=f"{record.message}; before that: {earlier}")


def event_for(record: Record, since: datetime, now: datetime) -> JSON:
    """Return the Event that says `record`, which began to be so at `since`, and is told at `now`."""
    regarding = record.regarding
    metadata: FrozenJSON = regarding["metadata"]
    said = "\n".join((str(metadata.get("uid", "")), record.reason, record.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    namespace = metadata.get("namespace") or "default"
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"namespace": namespace, "name": f"{metadata['name'][:200]}.{digest}"},
        "involvedObject": {
            "apiVersion": regarding.get("apiVersion", ""),
            "kind": regarding.get("kind", ""),
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": record.type,
        "reason": record.reason,
        "message": truncated_to_bytes(record.message, LONGEST_MESSAGE),
        "count": 1,
        "firstTimestamp": format_time(since, "seconds"),
        "lastTimestamp": format_time(now, "seconds"),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
    }
