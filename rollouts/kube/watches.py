"""
Which reflectors run: one for each scope of each kind, at the version that the cluster serves.

A kind that comes with a CRD is read as its CRD says, which is watched as any other object: from
the moment at which one of the versions that we know is served, at another when that changes, and
not at all when the CRD is gone. Until the objects have been listed at a new version they stay
as they were.

When one of them finds that the API server has come back from an older backup, all begin anew: what the
others know may never have happened, and their watches would not say so.
Whenever it could not be reached, that is asked (`restore_check`).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import structlog

from rollouts.errors import Outdated
from rollouts.kube.cache import KindCache
from rollouts.kube.connection import Connection
from rollouts.kube.paths import watch_scopes
from rollouts.kube.reflector import Reflector, ReflectorHandler, WatchTiming
from rollouts.kube.restore_check import RestoreCheck
from rollouts.model.kinds import CRD, Kind, Ref, served_version

log = structlog.get_logger(__name__)

BEGINS_ANEW = "the API server came back from an older backup; nothing is written until all that it has is read again"


class Watch:
    """One kind, read by its reflectors as `read` says: at that version, or, for None, not at all."""

    def __init__(
        self,
        connection: Connection,
        cache: KindCache,
        namespaces: Sequence[str],
        handler: ReflectorHandler,
        timing: WatchTiming,
    ) -> None:
        self.cache = cache
        self.read: Kind | None = None
        self.reflectors: list[Reflector] = []
        self._connection = connection
        self._scopes = watch_scopes(cache.kind, namespaces, cache.kept.names)
        self._handler = handler
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, read: Kind | None) -> None:
        """Read the kind as `read` says from now on."""
        if read == self.read:
            return
        self._cancel()
        self.read = read
        self.reflectors = []
        if read is None:
            self._handler.changed(self.cache.clear())
        else:
            self.begin_anew()

    def begin_anew(self) -> None:
        """List what is read, whatever is known of it."""
        self._cancel()
        self.reflectors = []
        if self.read is None:
            return
        for scope in self._scopes:
            reflector = Reflector(
                self._connection, self.cache, self.read, scope, self._handler, timing=self._timing
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
    """
    All the kinds that are watched. `synced` says whether every cache has been filled once.

    `beginning_anew` says that the API server has come back from an older backup, and that not all
    that it has was listed since.
    """

    def __init__(
        self,
        connection: Connection,
        caches: Mapping[Kind, KindCache],
        namespaces: Sequence[str],
        on_change: Callable[[list[Ref]], None],
        timing: WatchTiming,
    ) -> None:
        self.synced = False
        self._anew: asyncio.Task[None] | None = None
        self._rewinds = 0
        self._restored = RestoreCheck(self._reflectors, self.rewound)
        self._on_change = on_change
        self._definitions = caches.get(CRD)
        self._watches = {
            kind: Watch(connection, cache, namespaces, self, timing)
            for kind, cache in caches.items()
        }

    async def start(self) -> None:
        """Begin, and return when everything that the cluster serves is in the caches."""
        for kind, watch in self._watches.items():
            if not watch.cache.kept.versions:
                watch.follow(kind)
        await self._filled()
        self.synced = True

    async def stop(self) -> None:
        if self._anew is not None:
            self._anew.cancel()
        await asyncio.gather(*(watch.stop() for watch in self._watches.values()))
        await self._restored.stop()

    def read(self, kind: Kind) -> Kind | None:
        """Return the kind at the version that it is read at; None when it is not."""
        watch = self._watches.get(kind)
        return watch.read if watch else None

    def refusal(self, kind: Kind, namespace: str) -> str:
        """Return why a kind, or the CRD that says whether there is one, may not be read; empty where it may."""
        asked = (Ref(kind, namespace, ""), Ref(CRD, "", kind.crd_name))
        found = (
            each.refusal
            for ref in asked
            if ref.kind in self._watches
            for each in self._watches[ref.kind].reflectors
            if each.scope.contains(ref)
        )
        return next(filter(None, found), "")

    def problems(self) -> list[str]:
        """Return what keeps which caches from being up to date, in sentences."""
        found = [f"{each.kind}: {each.problem}" for each in self._reflectors() if each.problem]
        anew = BEGINS_ANEW if self.beginning_anew else ""
        return [*dict.fromkeys(found), *filter(None, (self._restored.problem, anew))]

    @property
    def beginning_anew(self) -> bool:
        return self._anew is not None and not self._anew.done()

    def rewound(self) -> None:
        """Begin anew with everything, unless that is being done."""
        if self.beginning_anew:
            return
        log.warning("the API server came back from an older backup, listing everything again")
        self._rewinds += 1
        for watch in self._watches.values():
            watch.begin_anew()
        self._anew = asyncio.create_task(self._filled(), name="watches begin anew")

    def unreachable(self) -> None:
        """Ask who answers now, until somebody does."""
        self._restored.doubt()

    def grants_another(self, kind: Kind) -> bool:
        """Return whether any other kind may be read now: otherwise a refusal is no word about this one."""
        return any(each.is_granted for each in self._reflectors() if each.kind != kind)

    async def make_sure(self) -> None:
        """
        Return when no doubt is left whether the API server has come back from a backup.

        Raises:
            Outdated: it does not say, or it has: what was decided before is not to be written.
        """
        rewinds = self._rewinds
        await self._restored.make_sure()
        if self._rewinds != rewinds or self.beginning_anew:
            raise Outdated(BEGINS_ANEW)

    async def _filled(self) -> None:
        """Wait until there is nothing to wait for."""
        while waiting := [each for each in self._reflectors() if not each.synced.is_set()]:
            await asyncio.gather(*(each.synced.wait() for each in waiting))

    def _reflectors(self) -> Iterator[Reflector]:
        for watch in self._watches.values():
            yield from watch.reflectors

    def changed(self, refs: list[Ref]) -> None:
        """Pass on what has changed, and follow the definitions."""
        self._on_change(refs)
        defined = {ref.name for ref in refs if ref.kind == CRD}
        for kind, watch in self._watches.items() if defined else ():
            if watch.cache.kept.versions and kind.crd_name in defined:
                watch.follow(self._served(kind, watch.cache.kept.versions))

    def _served(self, kind: Kind, versions: Sequence[str]) -> Kind | None:
        definition = self._definitions.get("", kind.crd_name) if self._definitions else None
        version = served_version(definition, versions) if definition else None
        return replace(kind, version=version) if version else None
