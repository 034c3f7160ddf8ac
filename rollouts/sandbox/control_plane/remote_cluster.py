"""A real API server, as a node and a data plane ask it: reads from what was heard, writes over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping

from rollouts.errors import Unavailable
from rollouts.model.kinds import CRD, JSON, POD, FrozenJSON, Kind, served_version
from rollouts.sandbox.apiserver.builtins import BUILTIN
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.control_plane.cache import Cache
from rollouts.sandbox.control_plane.client import MERGE, STRATEGIC, Client, path_of
from rollouts.sandbox.control_plane.reflector import Reflector
from rollouts.sandbox.tasks import cancel_all

_KNOWN_WITHIN_SECONDS = 30.0
_BUILT_IN = frozenset(resource.kind.crd_name for resource in BUILTIN)


class RemoteCluster:
    """
    A `Cluster` whose API server `client` asks, and of which `kinds` are followed.

    `follow` adds some, before `start`. What the answer to a write says is known at once.
    """

    def __init__(self, client: Client, kinds: Iterable[Kind]) -> None:
        self._client = client
        self.cache = Cache()
        self._reflectors: list[Reflector] = []
        self.follow(CRD, *kinds)
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, *kinds: Kind) -> None:
        """Let objects of these kinds be read as well, from `start` on."""
        for kind in kinds:
            self._reflectors.append(Reflector(self._client, self.cache, kind, self.served))

    async def start(self) -> None:
        """
        Return when all that there is was heard of.

        Raises:
            Unavailable: the API server does not say it in time.
        """
        definitions, *others = self._reflectors
        try:
            async with asyncio.timeout(_KNOWN_WITHIN_SECONDS):
                await self._run(definitions)  # they say which of the others are served
                await asyncio.gather(*(self._run(each) for each in others))
        except TimeoutError:
            missing = ", ".join(
                each.kind.name for each in self._reflectors if not each.is_known.is_set()
            )
            raise Unavailable(
                f"the API server has not listed {missing} within {_KNOWN_WITHIN_SECONDS:g} s; see its log, in the"
                " sandbox's directory under logs/"
            ) from None

    async def _run(self, reflector: Reflector) -> None:
        self._tasks.append(asyncio.create_task(reflector.run()))
        await reflector.is_known.wait()

    async def stop(self) -> None:
        """Follow no longer. Stopping again does nothing."""
        tasks, self._tasks = self._tasks, []
        await cancel_all(tasks)
        await self._client.close()

    # -- what is known ------------------------------------------------------------------------

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        return self.cache.get(kind, namespace, name)

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        return self.cache.select(kind, namespace, labels)

    def changes(self, *kinds: Kind) -> AsyncGenerator[Change]:
        return self.cache.changes(*kinds)

    def served(self, kind: Kind) -> Kind | None:
        if kind.crd_name in _BUILT_IN:
            return kind
        definition = self.cache.get(CRD, "", kind.crd_name)
        if definition is None:
            return None
        others = (each["name"] for each in definition["spec"]["versions"])
        version = served_version(definition, (kind.version, *others))
        return Kind(kind.group, version, kind.plural, kind.name) if version else None

    # -- what is written ----------------------------------------------------------------------

    async def create(self, kind: Kind, body: FrozenJSON) -> None:
        path = path_of(kind, body["metadata"].get("namespace", ""))
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        self.cache.answered(kind, await self._client.request("POST", path, whole))

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: FrozenJSON, subresource: str = ""
    ) -> None:
        media = STRATEGIC if kind.crd_name in _BUILT_IN else MERGE
        path = path_of(kind, namespace, name, subresource)
        self.cache.answered(kind, await self._client.request("PATCH", path, patch, media))

    async def delete(self, kind: Kind, obj: FrozenJSON, grace_seconds: int) -> None:
        meta = obj["metadata"]
        options = {"gracePeriodSeconds": grace_seconds, "preconditions": {"uid": meta["uid"]}}
        path = path_of(kind, meta.get("namespace", ""), meta["name"])
        await self._client.request("DELETE", path, options)

    async def bind(self, pod: FrozenJSON, node: str) -> None:
        meta = pod["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {key: meta[key] for key in ("name", "namespace", "uid")},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        path = path_of(POD, meta["namespace"], meta["name"], "binding")
        await self._client.request("POST", path, body)
