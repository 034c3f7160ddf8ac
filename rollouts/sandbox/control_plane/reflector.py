"""
Keeps what is known of one kind equal to what an API server has: a list, then a watch, again and again.

A kind that is defined by a CustomResourceDefinition may come and go. After each watch there is a
new list: the server that answers next may know less than the one before.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import structlog

from rollouts.errors import Unavailable
from rollouts.model.kinds import Kind
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.cluster import RETRY
from rollouts.sandbox.control_plane.cache import Cache
from rollouts.sandbox.control_plane.client import Client, path_of

_LOOKS_SECONDS = 0.1
"""How often it is looked, in memory, whether a kind that is not served has come."""
log = structlog.get_logger(__name__)


class Reflector:
    """Follows `kind`, in the version that `served` says; `is_known` once it was listed, or is not served."""

    def __init__(
        self, client: Client, cache: Cache, kind: Kind, served: Callable[[Kind], Kind | None]
    ) -> None:
        self._client = client
        self._cache = cache
        self.kind = kind
        self._served = served
        self.is_known = asyncio.Event()

    async def run(self) -> None:
        """Follow, for ever."""
        for failures in itertools.count(1):
            kind = await self._version()
            try:
                await self._follow(kind)
            except ApiError as error:
                if error.code == 404:
                    self._cache.listed(kind, (), 0)
                elif error.code != 410:
                    log.warning("kind not followed", kind=kind.name, reason=error.message)
            except Unavailable as error:
                if self.is_known.is_set():
                    log.warning(
                        "kind not followed, trying again", kind=kind.name, reason=str(error)
                    )
            await asyncio.sleep(RETRY.delay(min(failures, 3)))

    async def _version(self) -> Kind:
        """Wait until the kind is served; return it in the version in which it is."""
        while (kind := self._served(self.kind)) is None:
            self._cache.listed(self.kind, (), 0)
            self.is_known.set()
            await asyncio.sleep(_LOOKS_SECONDS)
        return kind

    async def _follow(self, kind: Kind) -> None:
        path = path_of(kind)
        listed = await self._client.get(path)
        version = listed["metadata"]["resourceVersion"]
        self._cache.listed(kind, listed.get("items") or (), int(version))
        self.is_known.set()
        asked = {"resourceVersion": version, "allowWatchBookmarks": "true"}
        async with contextlib.aclosing(self._client.watch(path, asked)) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(int(status.get("code", 500)), status.get("message", ""))
                self._cache.happened(kind, event["type"], event["object"])
