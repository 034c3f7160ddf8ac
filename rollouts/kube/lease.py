"""
Who of several controllers may write: leader election by a Lease (coordination.k8s.io/v1).

The promise is that no stale leader writes. A leader counts the time from *before* it sent
its last successful renewal, on its own monotonic clock, and stops leading after
`renew_deadline_seconds`; others take the Lease over only after they have themselves seen it
unchanged for the whole of its longer duration. So clocks need not agree, only run at the
same speed. What is still being written when leading ends is given up before the Lease can
be taken (`seconds_left`). Needs the verbs get, create and patch on leases.

A renewal is one request: it is bound to the resourceVersion of our last write, so that it succeeds
only when nobody has written since. Where that may be so, the Lease is read again first.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog

from rollouts.errors import Conflict, NotFound, RolloutsError
from rollouts.kube.connection import MERGE_PATCH, REQUEST_TIMEOUT_SECONDS, Connection
from rollouts.kube.paths import collection_path, object_path
from rollouts.model.kinds import JSON, Kind, Ref
from rollouts.model.moments import format_time

log = structlog.get_logger(__name__)

LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """Seconds. A leader gives up `renew_deadline` after its last renewal, before `duration` ends."""

    duration_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0
    margin_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not self.retry_seconds < self.renew_deadline_seconds < self.duration_seconds:
            raise ValueError("a lease needs retry < renew deadline < duration")


class Lease:
    """
    One candidate for the Lease `ref`.

    `async with lease:` waits until it leads, renews in the background, and releases at the
    end; `await lease.lost()` returns when it leads no more. A candidate that has lost does
    not try again by itself: its process has state of when it led, and should start anew.
    """

    def __init__(
        self,
        connection: Connection,
        ref: Ref,
        *,
        identity: str = "",
        timing: LeaseTiming | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.identity = identity or f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"
        self._connection = connection
        self._ref = ref
        self._timing = timing or LeaseTiming()
        self._monotonic = monotonic or (lambda: asyncio.get_running_loop().time())
        self._renewed_at: float | None = None
        self._holder = ""
        self._held: JSON | None = None
        self._seen_version = ""
        self._seen_at = 0.0
        self._lost = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    def is_leading(self) -> bool:
        """Return whether we lead now, by our own clock."""
        if self._renewed_at is None or self._lost.is_set():
            return False
        return self._monotonic() - self._renewed_at < self._timing.renew_deadline_seconds

    def seconds_left(self) -> float:
        """Return how long a write that begins now may take at the most; 0 for no write at all."""
        if not self.is_leading() or self._renewed_at is None:
            return 0.0
        ends_at = self._renewed_at + self._timing.duration_seconds - self._timing.margin_seconds
        return max(0.0, ends_at - self._monotonic())

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.release()

    async def acquire(self) -> None:
        """Wait until we lead, and keep renewing from then on."""
        log.info("waiting to lead", lease=str(self._ref), identity=self.identity)
        while not await self._try():  # noqa: ASYNC110 - the Lease is asked, nothing tells us
            await asyncio.sleep(self._timing.retry_seconds)
        log.info("leading", lease=str(self._ref), identity=self.identity)
        self._renewing = asyncio.create_task(self._renew(), name="renew lease")

    async def lost(self) -> None:
        """Return when we lead no more."""
        await self._lost.wait()

    async def release(self) -> None:
        """Stop leading, and let others lead at once; that it fails is only logged."""
        held = self.is_leading()
        self._lost.set()
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None
        if not held:
            return
        try:
            lease = await self._connection.request("GET", object_path(self._ref))
            if lease["spec"].get("holderIdentity") == self.identity:
                await self._write(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except RolloutsError as error:
            log.warning("lease not released", lease=str(self._ref), problem=str(error))

    async def _renew(self) -> None:
        """Renew as long as that is possible; however it ends, `lost` returns then."""
        try:
            await self._renew_until_lost()
        except Exception:
            log.exception("lease not renewed", lease=str(self._ref), identity=self.identity)
        finally:
            self._lost.set()
        log.error("leadership lost", lease=str(self._ref), identity=self.identity)

    async def _renew_until_lost(self) -> None:
        """Renew until the deadline has passed since the last time that it succeeded."""
        while self.is_leading():
            await asyncio.sleep(self._timing.retry_seconds)
            if not self.is_leading():
                break
            left = self._timing.renew_deadline_seconds - self._age_seconds()
            try:
                async with asyncio.timeout(max(left, 0.0)):
                    await self._try()
            except TimeoutError:
                break
            if self._holder not in {"", self.identity}:
                break

    async def _try(self) -> bool:
        """Take or renew the Lease, and return whether it is ours now."""
        asked_at = self._monotonic()
        # Until the answer is here, nobody knows whether it was written.
        held, self._held = self._held, None
        try:
            taken = held is not None and await self._write(held, self._renewal())
            taken = taken or await self._take()
        except RolloutsError as error:
            log.warning("lease not read or written", lease=str(self._ref), problem=str(error))
            return False
        if taken:
            self._holder = self.identity
            self._renewed_at = asked_at
        return taken

    async def _take(self) -> bool:
        try:
            lease = await self._connection.request("GET", object_path(self._ref))
        except NotFound:
            return await self._create()
        spec: JSON = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        self._note(holder, lease)
        if holder not in {"", self.identity} and not self._ran_out(spec):
            return False
        changes = self._renewal()
        if holder != self.identity:
            changes["acquireTime"] = changes["renewTime"]
            changes["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        return await self._write(lease, changes)

    def _renewal(self) -> JSON:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self._timing.duration_seconds) or 1,
            "renewTime": _now(),
        }

    async def _create(self) -> bool:
        spec = self._renewal()
        spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": 0}
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"namespace": self._ref.namespace, "name": self._ref.name},
            "spec": spec,
        }
        try:
            self._held = await self._connection.request(
                "POST",
                collection_path(LEASE, self._ref.namespace),
                body=body,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
        except Conflict:
            return False
        return True

    async def _write(self, lease: JSON, spec: JSON) -> bool:
        """Change the Lease that was read, or written by us, and return whether nobody else had by then."""
        version = lease["metadata"]["resourceVersion"]
        try:
            self._held = await self._connection.request(
                "PATCH",
                object_path(self._ref),
                body={"metadata": {"resourceVersion": version}, "spec": spec},
                content_type=MERGE_PATCH,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
        except (Conflict, NotFound):
            return False  # somebody else was faster
        return True

    def _note(self, holder: str, lease: JSON) -> None:
        """Remember who holds the Lease, and since when we have seen it as it is."""
        self._holder = holder
        version = str(lease["metadata"].get("resourceVersion"))
        if self._seen_version != version:
            self._seen_version, self._seen_at = version, self._monotonic()

    def _ran_out(self, spec: JSON) -> bool:
        duration = float(spec.get("leaseDurationSeconds") or self._timing.duration_seconds)
        return self._monotonic() - self._seen_at >= duration

    def _age_seconds(self) -> float:
        return self._monotonic() - (self._renewed_at or 0.0)


def _now() -> str:
    """Return the present as a Kubernetes MicroTime; for people to read, not compared by us."""
    return format_time(datetime.now(UTC), "microseconds")
