"""
Keeps one kind's cache equal to the cluster: list once, then watch, for ever.

The protocol is Kubernetes' own (API concepts, "efficient detection of changes"): a list in
pages gives a resourceVersion, from which a watch tells of every later change; bookmarks move
the resourceVersion on; HTTP 410 means that it has been forgotten, and a new list is made,
whose differences are told; so does the lack of a bookmark that was due. It never gives up, never lists twice at once and never raises.

A watch that breaks goes on where it was. One that can't begin is followed by a list: the API server
that answers next may have come back from an older backup, and would then tell of a resourceVersion that
it has not reached only what comes after it, and never that what was known so far did not happen.
(One that has restarted remembers no past, and would answer most watches with 410.)
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

import structlog

from rollouts.backoff import Backoff
from rollouts.errors import Forbidden, NotFound, RetryLater, RolloutsError
from rollouts.kube import deep_json
from rollouts.kube.api_errors import Expired, api_error, is_unreachable
from rollouts.kube.cache import KindCache, StateBeforeList, number_of
from rollouts.kube.connection import SILENT_SECONDS, Connection
from rollouts.kube.paths import WatchScope, collection_paths
from rollouts.model.kinds import CRD, JSON, Kind, Ref

log = structlog.get_logger(__name__)

PAGE_SIZE = 500
REFUSALS = 5
"""So often in a row is refused what is not for us, while something else is granted: some seconds."""


class ReflectorHandler(Protocol):
    """Who hears what the reflectors find."""

    def changed(self, refs: list[Ref]) -> None:
        """Know what has changed in a cache."""
        ...

    def rewound(self) -> None:
        """Know that the API server has come back from an older backup: other caches may be of a lost future."""
        ...

    def unreachable(self) -> None:
        """Know that the API server could not be reached: the one that answers next may have come back from a backup."""
        ...

    def grants_another(self, kind: Kind) -> bool:
        """Return whether the API server lets us read any other kind now, and so has read the roles."""
        ...


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """How long a watch lasts, and how long to wait before trying again what has failed."""

    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 30.0
    refused_delay_seconds: float = 60.0
    shortest_watch_seconds: int = 300
    longest_watch_seconds: int = 600
    silent_seconds: float = SILENT_SECONDS

    @property
    def backoff(self) -> Backoff:
        return Backoff(self.first_delay_seconds, self.longest_delay_seconds)

    @property
    def when_refused(self) -> Backoff:
        """
        A permission is given by a person: it is asked for now and then.

        But one API server of several that has just started refuses for a moment what it has not read the roles for.
        """
        return Backoff(self.first_delay_seconds, self.refused_delay_seconds)


class MalformedEvent(RetryLater):
    """An event of the watch is none; what came before it is not to be trusted either."""


class Reflector:
    """
    One scope of a kind, read as `read` says: the kind at the version that is served.

    `problem` says why it is not up to date. What it may not read it goes on asking for.
    """

    def __init__(
        self,
        connection: Connection,
        cache: KindCache,
        read: Kind,
        scope: WatchScope,
        handler: ReflectorHandler,
        *,
        timing: WatchTiming,
    ) -> None:
        self.kind = cache.kind
        self.problem = ""
        self.refusal = ""
        """Why it may not be read, once that has settled; until it may."""
        self.synced = asyncio.Event()
        """
        Set when there is nothing to wait for.

        The cache is filled, the API server has no such kind, it is not for us and not needed,
        or nobody reads it any more.
        """
        self._connection = connection
        self._cache = cache
        self._read = read
        self.scope = scope
        self._handler = handler
        self._timing = timing
        self._random = random.Random()
        self._paths = collection_paths(read, scope.namespace)
        self._about: dict[str, str | int] = {}
        if cache.kept.label:
            self._about["labelSelector"] = cache.kept.label
        if scope.name:
            self._about["fieldSelector"] = f"metadata.name={scope.name}"
        self._untried = len(self._paths) - 1
        self._version = ""
        self._watching = False
        self._failures = 0
        self._refusals = 0

    @property
    def is_granted(self) -> bool:
        """Whether the API server lets us read it: the last that it said was no refusal, nor anything else wrong."""
        return bool(self._version) and not self.problem

    @property
    def known(self) -> StateBeforeList:
        """What is known by now."""
        return self._cache.known(self.scope)

    async def version_now(self) -> int | None:
        """
        Return the resourceVersion that the API server is at, for this kind; None when it is no number.

        Raises:
            RolloutsError: it does not say.
        """
        # Without the selectors: it would go through all that there is for one that they select.
        named = {"fieldSelector": self._about["fieldSelector"]} if self.scope.name else {}
        page = await self._connection.request(
            "GET", self._paths[0], query={**named, "limit": 1}, timeout_seconds=5.0
        )
        return number_of(str((page.get("metadata") or {}).get("resourceVersion", "")))

    async def run(self) -> None:
        """List and watch until cancelled."""
        try:
            await self._follow()
        finally:
            self.synced.set()

    async def _follow(self) -> None:
        while True:
            try:
                if not self._version:
                    await self._list()
                self._watching = False
                await self._watch()
            except Expired:
                log.info("watch expired, listing again", kind=str(self.kind))
                self._version = ""
                await self._rest()
            except RolloutsError as error:
                self._note(error)
                await self._rest(getattr(error, "after_seconds", None) or 0.0)
            except Exception as error:
                log.exception("reflector failed, listing again", kind=str(self.kind))
                self.problem = f"{type(error).__name__}: {error}"
                self._version = ""
                await self._rest()

    def _note(self, error: Exception) -> None:
        """Say what is wrong, once as long as it stays the same, and decide where to go on."""
        if str(error) != self.problem:
            log.warning("watch interrupted", kind=str(self.kind), problem=str(error))
        self.problem = str(error)
        if is_unreachable(error):
            self._handler.unreachable()
        if isinstance(error, NotFound):
            self._paths = [*self._paths[1:], self._paths[0]]
            if self._untried == 0:
                self.synced.set()
            self._untried = max(0, self._untried - 1)
        # One that has just started refuses everything, until it has read the roles.
        counts = isinstance(error, Forbidden) and self._handler.grants_another(self.kind)
        self._refusals = self._refusals + 1 if counts else 0
        if self._refusals >= REFUSALS and not self._cache.kept.needed:
            self._settle(str(error))
            self.synced.set()
        goes_on = self._watching and not isinstance(error, MalformedEvent) and self._failures < 5
        if not goes_on:
            self._version = ""

    def _settle(self, refusal: str) -> None:
        """Know whether it may be read, and tell who went by the contrary."""
        is_news = bool(refusal) != bool(self.refusal)
        self.refusal = refusal
        if is_news:
            name = self.scope.name if self.kind == CRD else self.kind.crd_name
            self._handler.changed([Ref(CRD, "", name)])

    async def _rest(self, after_seconds: float = 0.0) -> None:
        self._failures += 1
        timing = self._timing
        backoff = timing.when_refused if self._refusals else timing.backoff
        delay = backoff.delay(self._refusals or self._failures, self._random)
        await asyncio.sleep(max(delay, min(after_seconds, timing.refused_delay_seconds)))

    async def _list(self) -> None:
        items: list[JSON] = []
        query: dict[str, str | int] = {**self._about, "limit": PAGE_SIZE}
        known = self._cache.known(self.scope)
        while True:
            page = await self._connection.request("GET", self._paths[0], query=query)
            metadata = page.get("metadata") or {}
            items += page.get("items") or []
            if not metadata.get("continue"):
                break
            query = {**self._about, "limit": PAGE_SIZE, "continue": metadata["continue"]}
        version = str(metadata.get("resourceVersion") or "")
        if not version:
            raise MalformedEvent(f"the list of {self.kind.plural} has no resourceVersion")
        for item in items:
            item.setdefault("apiVersion", self._read.api_version)
        listed = self._cache.replace(self.scope, items, version, known)
        self._handler.changed(listed.differing)
        self._version = version
        self._restored()
        self.synced.set()
        if listed.rewound:
            self._handler.rewound()

    async def _watch(self) -> None:
        """Follow the changes until the API server ends the watch, as it does by the clock."""
        timing = self._timing
        seconds = self._random.randint(timing.shortest_watch_seconds, timing.longest_watch_seconds)
        query: dict[str, str | int] = {
            **self._about,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": seconds,
        }
        began = asyncio.get_running_loop().time()
        async with self._connection.stream(
            self._paths[0],
            query,
            longest_seconds=seconds + 30,
            silent_seconds=timing.silent_seconds,
        ) as lines:
            self._watching = True
            self._settle("")  # a list alone is half of what reading is
            async for line in lines:
                self._take(line)
        if asyncio.get_running_loop().time() - began < 1.0:
            await self._rest()  # an API server that ends every watch at once is not to be pestered
        else:
            self._succeeded()

    def _take(self, line: bytes) -> None:
        event, obj = parse_event(line)
        version = str(obj["metadata"]["resourceVersion"])
        if event == "BOOKMARK":
            self._cache.advance(self.scope, version)
        else:
            self._handler.changed(self._cache.watched(self.scope, event, obj))
        self._version = version
        self._succeeded()

    def _restored(self) -> None:
        if self.problem:
            log.info("watch restored", kind=str(self.kind))
        self.problem = ""

    def _succeeded(self) -> None:
        """Start the back-off anew; a list alone does not, as each watch after it may expire."""
        self._restored()
        self._failures = self._refusals = 0


def parse_event(line: bytes) -> tuple[str, JSON]:
    """
    Return the type and the object of one line of a watch.

    Raises:
        Malformed: it is no event.
        RolloutsError: it is an ERROR event, for its status; `Expired` for 410.
    """
    try:
        event = deep_json.loads(line)
        kind_of_event, obj = event["type"], event["object"]
        if kind_of_event == "ERROR":
            raise api_error(int(obj.get("code", 500)), obj, asked="watch")
        metadata = obj["metadata"]
        well_formed = (
            kind_of_event in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}
            and isinstance(metadata["resourceVersion"], str)
            and (kind_of_event == "BOOKMARK" or isinstance(metadata["name"], str))
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _malformed(line) from error
    if not well_formed:
        raise _malformed(line)
    return kind_of_event, obj


def _malformed(line: bytes) -> MalformedEvent:
    return MalformedEvent(f"the API server sent no event of a watch: {line[:200]!r}")
