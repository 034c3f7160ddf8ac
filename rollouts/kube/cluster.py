"""
The `Cluster` port over an API server: reads from watch caches, writes as requests.

A settled cluster costs no request: reads never make one, and a write is skipped when the
cache already shows it: a patch that merging would change nothing by, and an apply as
`rollouts.kube.apply_cache` says. A skipped write can be wrong only about a change that the watch
has not shown yet; the watch shows it next, and the reconcile that follows decides anew.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from rollouts.errors import Conflict, NotFound, Outdated, Permanent, Unavailable
from rollouts.kube.api_errors import is_unreachable
from rollouts.kube.apply_cache import ApplyCache
from rollouts.kube.cache import ChangeFeed, KindCache
from rollouts.kube.connection import (
    APPLY_PATCH,
    MERGE_PATCH,
    WRITE_TIMEOUT_SECONDS,
    Connection,
)
from rollouts.kube.events import EventRecorder
from rollouts.kube.paths import collection_path, kind_named_in, object_path, ref_of, with_kind
from rollouts.kube.reflector import WatchTiming
from rollouts.kube.watches import BEGINS_ANEW, Watches
from rollouts.kube.write_diff import patch_changes
from rollouts.model.kinds import FIELD_MANAGER, JSON, FrozenJSON, Kind, Ref
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Scope, Write

log = structlog.get_logger(__name__)

UNSEEN_SECONDS = 3.0
"""How long the watch may take to show what a create has run into."""

EVICTIONS = tuple(Kind("policy", each, "evictions", "Eviction") for each in ("v1", "v1beta1"))
"""What asks a pod to go, the best first: before 1.22, Kubernetes refuses a v1 as unknown (400)."""

SecondsLeft = Callable[[], float]


def connect(
    kubeconfig: Path | None,
    context: str | None,
    namespaces: Sequence[str],
    kinds: Mapping[Kind, Scope],
) -> "KubeCluster":
    """
    Return the cluster that a kubeconfig (or the pod we run in) names; nothing is sent yet.

    `namespaces` empty means all of them. `kinds` are those that are watched, and how much
    of each; others can be written, but not read.
    """
    return KubeCluster(Connection(kubeconfig, context), namespaces, kinds)


class KubeCluster:
    """
    See `rollouts.ports.Cluster`. `start` first; `finish` after the last write, and `stop` last.

    `seconds_left` is how long we may still write, such as `Lease.seconds_left`: a write is
    refused when it is 0, and is given up on when it has ended, unless there is more by then.
    """

    def __init__(
        self,
        connection: Connection,
        namespaces: Sequence[str],
        kinds: Mapping[Kind, Scope],
        *,
        seconds_left: SecondsLeft = lambda: WRITE_TIMEOUT_SECONDS,
        timing: WatchTiming | None = None,
    ) -> None:
        self.connection = connection
        self.seconds_left = seconds_left
        self._caches = {kind: KindCache(kind, kept) for kind, kept in kinds.items()}
        self._watches = Watches(
            connection, self._caches, namespaces, self._tell, timing or WatchTiming()
        )
        self._feeds: list[ChangeFeed] = []
        self._events = EventRecorder(connection, self._check_time)
        self._applied = ApplyCache()
        self._taken_names: dict[Ref, float] = {}

    async def start(self) -> None:
        """
        Fill the caches; return when all are filled, or their kind is known not to be served.

        What is unreachable or not permitted is tried again until it succeeds; meanwhile
        `problems` says why. Acting on a cache that isn't filled would be wrong; only a kind
        that is not needed does not hold up the others when it is not permitted.

        Raises:
            UsageError: there is no kubeconfig, or it can't be used.
        """
        await self.connection.open()
        await self._watches.start()

    async def finish(self) -> None:
        """Tell what waits to be told, while we may still write."""
        await self._events.flush()

    async def stop(self) -> None:
        """End the watches and every reader of `changes`, and close the connection."""
        self._events.close()
        await self._watches.stop()
        for feed in self._feeds:
            feed.close()
        await self.connection.close()

    def problems(self) -> list[str]:
        """Return what keeps which caches from being up to date, in sentences."""
        return self._watches.problems()

    def synced(self) -> bool:
        """Return whether every cache has been filled; not while all are read again, and nothing is written."""
        return self._watches.synced and not self._watches.beginning_anew

    def get(self, ref: Ref) -> JSON | None:
        return self._cache(ref.kind).get(ref.namespace, ref.name)

    def select(
        self, kind: Kind, namespace: str, labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        return self._cache(kind).select(namespace, labels)

    def refusal(self, kind: Kind, namespace: str) -> str:
        return self._watches.refusal(kind, namespace)

    def changes(self) -> AsyncIterator[Ref]:
        feed = ChangeFeed()
        for cache in self._caches.values():
            feed.put(cache.refs())
        self._feeds.append(feed)
        return self._read(feed)

    async def write(self, write: Write) -> None:
        match write:
            case Create(kind, body, strict):
                await self._create(kind, body, strict=strict)
            case Apply():
                await self._apply(write)
            case Patch():
                await self._patch(write)
            case Delete(ref, uid):
                await self._delete(ref, uid)
            case Evict(ref):
                await self._evict(ref)
            case Record():
                await self._events.record(write)

    async def _create(self, kind: Kind, body: FrozenJSON, *, strict: bool) -> None:
        ref = ref_of(kind, body)
        path = collection_path(kind_named_in(kind, body), ref.namespace)
        query = {"fieldValidation": "Strict"} if strict else {}
        try:
            answer = await self._request("POST", path, body=with_kind(kind, body), query=query)
        except Conflict as error:
            self._note_taken_name(ref, error)
            raise
        self._taken_names.pop(ref, None)
        self._take(kind, answer)

    def _note_taken_name(self, ref: Ref, error: Conflict) -> None:
        """
        Tell a name that another object has from an object that the watch is about to show.

        Raises:
            Permanent: the object has stayed unseen, so it is outside of what we watch.
        """
        cache = self._caches.get(ref.kind)
        if cache is None or not cache.kept.label or cache.get(ref.namespace, ref.name):
            self._taken_names.pop(ref, None)
            return
        now = asyncio.get_running_loop().time()
        if now - self._taken_names.setdefault(ref, now) >= UNSEEN_SECONDS:
            raise Permanent(
                f"{ref} exists already and has no label {cache.kept.label}, so it is somebody"
                " else's; delete it, so that the controller can make its own"
            ) from error

    async def _apply(self, apply: Apply) -> None:
        kind, body = apply.kind, apply.body
        ref = ref_of(kind, body)
        cache = self._caches.get(kind)
        cached = cache.get(ref.namespace, ref.name) if cache else None
        if cache and cached and self._applied.is_noop(ref, body, cached, cache.owned(ref)):
            return
        answer = await self._request(
            "PATCH",
            object_path(replace(ref, kind=kind_named_in(kind, body))),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=with_kind(kind, body),
            content_type=APPLY_PATCH,
            within_seconds=apply.within_seconds,
        )
        self._take(kind, answer)
        self._applied.remember(ref, body, cache.trimmed(answer) if cache else answer)

    async def _patch(self, patch: Patch) -> None:
        ref = patch.ref
        cache = self._caches.get(ref.kind)
        cached = cache.get(ref.namespace, ref.name) if cache else None
        if cached is not None and not patch_changes(cached, patch.body):
            return
        answer = await self._request(
            "PATCH",
            self._path(ref, patch.subresource),
            query={"fieldManager": FIELD_MANAGER},
            body=patch.body,
            content_type=MERGE_PATCH,
        )
        if patch.subresource != "scale":
            self._take(ref.kind, answer)
        elif cached is not None:
            self._take(ref.kind, _scaled(cached, answer))

    async def _delete(self, ref: Ref, uid: str) -> None:
        options: JSON = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            answer = await self._request("DELETE", self._path(ref), body=options)
        except NotFound:
            answer = {}
        if _still_there(answer):
            self._take(ref.kind, answer)
        elif cache := self._caches.get(ref.kind):
            self._tell(cache.deleted(ref, uid))

    async def _evict(self, ref: Ref) -> None:
        metadata = {"namespace": ref.namespace, "name": ref.name}
        for eviction in EVICTIONS:
            body = with_kind(eviction, {"metadata": metadata})
            try:
                await self._request("POST", object_path(ref, "eviction"), body=body)
            except NotFound:
                return
            except Permanent as error:
                unknown = type(error) is Permanent and eviction != EVICTIONS[-1]
                if not unknown:
                    raise
            else:
                return

    def _path(self, ref: Ref, subresource: str = "") -> str:
        """Return the path of an object at the version that it is read at."""
        return object_path(replace(ref, kind=self._watches.read(ref.kind) or ref.kind), subresource)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: FrozenJSON,
        query: Mapping[str, str | int] | None = None,
        content_type: str = "application/json",
        within_seconds: float | None = None,
    ) -> JSON:
        self._check_time()
        await self._watches.make_sure()
        self._check_time()
        request = self._sent(
            method,
            path,
            query=query,
            body=body,
            content_type=content_type,
            timeout_seconds=within_seconds,
        )
        return await self._while_allowed(asyncio.create_task(request))

    async def _sent(self, method: str, path: str, **given: Any) -> JSON:
        """Return what the API server answers; that it was not reached raises a doubt."""
        try:
            return await self.connection.request(method, path, **given)
        except Unavailable as error:
            if is_unreachable(error):
                self._watches.unreachable()
            raise

    async def _while_allowed(self, writing: asyncio.Task[JSON]) -> JSON:
        """Return what a write is answered; it is cancelled as soon as we must not write."""
        try:
            while not writing.done():
                await asyncio.wait([writing], timeout=self._check_time())
            return writing.result()
        finally:
            if not writing.done():
                writing.cancel()
                await asyncio.wait([writing])

    def _check_time(self) -> float:
        """Return how long we may write; raises `Unavailable` when not at all."""
        left = self.seconds_left()
        if left <= 0:
            raise Unavailable("another controller leads, so this one must not write")
        if self._watches.beginning_anew:
            raise Outdated(BEGINS_ANEW)
        return left

    def _cache(self, kind: Kind) -> KindCache:
        cache = self._caches.get(kind)
        if cache is None:
            raise LookupError(f"{kind} is not among the kinds that are watched")
        return cache

    def _take(self, kind: Kind, answer: JSON) -> None:
        if self._watches.read(kind):  # otherwise no watch would ever correct it
            self._tell(self._caches[kind].wrote(answer))

    def _tell(self, refs: list[Ref]) -> None:
        for ref in refs:
            self._taken_names.pop(ref, None)
        for feed in self._feeds:
            feed.put(refs)

    async def _read(self, feed: ChangeFeed) -> AsyncIterator[Ref]:
        try:
            async for ref in feed.read():
                yield ref
        finally:
            self._feeds.remove(feed)


def _scaled(cached: FrozenJSON, scale: FrozenJSON) -> JSON:
    """Return the object as a change of its scale left it; the watch completes the rest."""
    version = scale["metadata"]["resourceVersion"]
    return {
        **cached,
        "metadata": {**cached["metadata"], "resourceVersion": version},
        "spec": {**cached["spec"], "replicas": scale["spec"]["replicas"]},
    }


def _still_there(answer: FrozenJSON) -> bool:
    """Return whether a delete's answer is an object that only has begun to go."""
    metadata = answer.get("metadata") or {}
    waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
    return bool(answer.get("kind") != "Status" and metadata.get("deletionTimestamp") and waits)
