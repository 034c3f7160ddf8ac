"""
Which reflectors run: one for each part of each kind, at the version that the cluster serves.

A kind that comes with a CRD is read as its CRD says, which is watched as any other object: from
the moment at which one of the versions that we know is served, at another when that changes, and
not at all when the CRD is gone. Until the objects have been listed at a new version they stay
as they were.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rollouts.kube.cache import KindCache
from rollouts.kube.connection import Connection
from rollouts.kube.paths import parts
from rollouts.kube.reflector import OnChange, Pace, Reflector
from rollouts.model.kinds import CRD, Kind, Ref, served_version


class Watch:
    """One kind, read by its reflectors as `read` says: at that version, or, for None, not at all."""

    def __init__(
        self,
        connection: Connection,
        cache: KindCache,
        namespaces: Sequence[str],
        on_change: OnChange,
        pace: Pace,
    ) -> None:
        self.cache = cache
        self.read: Kind | None = None
        self.reflectors: list[Reflector] = []
        self._connection = connection
        self._parts = parts(cache.kind, namespaces, cache.kept.names)
        self._on_change = on_change
        self._pace = pace
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, read: Kind | None) -> None:
        """Read the kind as `read` says from now on."""
        if read == self.read:
            return
        self._cancel()
        self.read = read
        self.reflectors = []
        if read is None:
            self._on_change(self.cache.clear())
            return
        for part in self._parts:
            reflector = Reflector(
                self._connection, self.cache, read, part, self._on_change, pace=self._pace
            )
            task = asyncio.create_task(reflector.run(), name=f"watch {reflector.kind}")
            self.reflectors.append(reflector)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End what runs; what has been read stays."""
        self._cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class Watches:
    """All the kinds that are watched. `synced` says whether every cache has been filled once."""

    def __init__(
        self,
        connection: Connection,
        caches: Mapping[Kind, KindCache],
        namespaces: Sequence[str],
        on_change: OnChange,
        pace: Pace,
    ) -> None:
        self.synced = False
        self._on_change = on_change
        self._definitions = caches.get(CRD)
        self._watches = {
            kind: Watch(connection, cache, namespaces, self._tell, pace)
            for kind, cache in caches.items()
        }

    async def start(self) -> None:
        """Begin, and return when everything that the cluster serves is in the caches."""
        for kind, watch in self._watches.items():
            if not watch.cache.kept.versions:
                watch.follow(kind)
        while waiting := [each for each in self._reflectors() if not each.synced.is_set()]:
            await asyncio.gather(*(each.synced.wait() for each in waiting))
        self.synced = True

    async def stop(self) -> None:
        await asyncio.gather(*(watch.stop() for watch in self._watches.values()))

    def read(self, kind: Kind) -> Kind | None:
        """Return the kind at the version that it is read at; None when it is not."""
        watch = self._watches.get(kind)
        return watch.read if watch else None

    def problems(self) -> list[str]:
        """Return what keeps which caches from being up to date, in sentences."""
        found = [f"{each.kind}: {each.problem}" for each in self._reflectors() if each.problem]
        return list(dict.fromkeys(found))

    def _reflectors(self) -> Iterator[Reflector]:
        for watch in self._watches.values():
            yield from watch.reflectors

    def _tell(self, refs: list[Ref]) -> None:
        self._on_change(refs)
        defined = {ref.name for ref in refs if ref.kind == CRD}
        for kind, watch in self._watches.items() if defined else ():
            if watch.cache.kept.versions and kind.crd_name in defined:
                watch.follow(self._served(kind, watch.cache.kept.versions))

    def _served(self, kind: Kind, versions: Sequence[str]) -> Kind | None:
        definition = self._definitions.get("", kind.crd_name) if self._definitions else None
        version = served_version(definition, versions) if definition else None
        return replace(kind, version=version) if version else None
