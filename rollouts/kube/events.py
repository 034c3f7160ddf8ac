"""
Kubernetes Events (core/v1) about objects, as `kubectl describe` shows them.

An Event's name follows from what it says about whom, so that saying the same again counts
it up by a patch, also after a restart. Events are courtesy: their failures are logged and
never fail what reports them.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from rollouts.errors import Conflict, NotFound, RolloutsError
from rollouts.kube.connection import MERGE_PATCH, Connection
from rollouts.kube.paths import collection_path, object_path
from rollouts.model.kinds import EVENT, JSON, FrozenJSON, Ref
from rollouts.model.moments import format_time
from rollouts.model.truncation import truncated_to_bytes
from rollouts.ports import Record

log = structlog.get_logger(__name__)

COMPONENT = "rollouts"
LONGEST_MESSAGE = 1024  # bytes: what the events API accepts in a note

_REMEMBERED = 4096


class EventRecorder:
    """Writes Records as Events."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._connection = connection
        self._now = now
        self._counts: OrderedDict[str, int] = OrderedDict()

    async def record(self, record: Record, *, timeout_seconds: float) -> None:
        """Create the Event, or count it up; logs when that fails."""
        event = event_for(record, self._now())
        metadata = event["metadata"]
        ref = Ref(EVENT, metadata["namespace"], metadata["name"])
        try:
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


def event_for(record: Record, now: datetime) -> JSON:
    """Return the Event that says `record`, for the first time at `now`."""
    regarding = record.regarding
    metadata: FrozenJSON = regarding["metadata"]
    said = "\n".join((str(metadata.get("uid", "")), record.reason, record.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    namespace = metadata.get("namespace") or "default"
    at = format_time(now, "seconds")
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
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
    }
