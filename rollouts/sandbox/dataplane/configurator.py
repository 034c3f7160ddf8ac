"""
Keeps nginx equal to a cluster: Ingresses, TrafficSplits and routes of a Gateway in, nginx's table out.

A change is in force about 20 ms after it is heard of; changes that come together are applied
together. Into the cluster, it writes the status of what it serves; and the sandbox's Gateway,
when its kind comes. While the API server does not answer, nginx goes on as it is.
"""

import asyncio
import contextlib
from collections.abc import Collection

import structlog

from rollouts.errors import Unavailable
from rollouts.model.kinds import Kind
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.dataplane import initial_objects
from rollouts.sandbox.dataplane.ingresses import IngressSettings
from rollouts.sandbox.dataplane.nginx import Nginx
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot, snapshot, watched
from rollouts.sandbox.dataplane.statuses import Statuses
from rollouts.sandbox.dataplane.table import routing_table

log = structlog.get_logger(__name__)

COALESCE_SECONDS = 0.01
RETRY_SECONDS = 0.2


class Configurator:
    """Runs until cancelled. One per nginx."""

    def __init__(self, cluster: Cluster, nginx: Nginx, settings: IngressSettings) -> None:
        self._cluster = cluster
        self._nginx = nginx
        self._settings = settings
        self._statuses = Statuses(cluster, nginx.listener.address, settings)
        self._changed = asyncio.Event()
        self._served = RoutingSnapshot()
        self._serves_anew = asyncio.Event()

    async def run(self) -> None:
        """Apply the cluster's state now and after every change."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._apply_changes())
            tasks.create_task(self._publish())

    async def apply(self) -> bool:
        """
        Bring nginx and then what we say of it up to date; return whether routes have changed.

        Raises:
            Unavailable: nginx did not take the routes, or the API server not what we say.
        """
        changed = await self._route()
        await self._statuses.publish(self._served)
        return changed

    async def _route(self) -> bool:
        seen = snapshot(self._cluster, self._settings.network)
        changed = await self._nginx.apply(routing_table(seen, self._settings))
        self._served = seen
        return changed

    async def _watch(self) -> None:
        while True:
            kinds = watched(self._cluster)
            try:
                await initial_objects.create(self._cluster)
            except Unavailable as error:
                log.warning("no Gateway made, trying again", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._watch_kinds(kinds)

    async def _watch_kinds(self, kinds: Collection[Kind]) -> None:
        """Take note of changes until other kinds are served than `kinds`."""
        changes = self._cluster.changes(*kinds)
        async with contextlib.aclosing(changes):
            async for _change in changes:
                self._changed.set()
                if watched(self._cluster) != kinds:
                    return

    async def _apply_changes(self) -> None:
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            self._changed.clear()
            try:
                await self._route()
            except Unavailable as error:
                log.warning("routes not applied, trying again", reason=str(error))
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._serves_anew.set()

    async def _publish(self) -> None:
        """Say what is served, once it is: no route waits for that."""
        while True:
            await self._serves_anew.wait()
            self._serves_anew.clear()
            try:
                await self._statuses.publish(self._served)
            except Unavailable as error:
                log.warning("statuses not written, trying again", reason=str(error))
                self._serves_anew.set()
                await asyncio.sleep(RETRY_SECONDS)
