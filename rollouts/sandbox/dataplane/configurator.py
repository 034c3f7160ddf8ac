"""
Keeps nginx equal to the store: Ingresses, TrafficSplits and routes of a Gateway in, nginx's table out.

A change is in force about 20 ms after it is stored; changes that come together are applied
together. Of the store, it writes the status of what it serves; and the sandbox's Gateway,
when its kind comes.
"""

import asyncio
import contextlib
from collections.abc import Collection

import structlog

from rollouts.errors import Unavailable
from rollouts.model.kinds import Kind
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.dataplane import default_gateway
from rollouts.sandbox.dataplane.ingresses import IngressSettings
from rollouts.sandbox.dataplane.nginx import Nginx
from rollouts.sandbox.dataplane.snapshot import snapshot, watched
from rollouts.sandbox.dataplane.statuses import Statuses
from rollouts.sandbox.dataplane.table import routing_table

log = structlog.get_logger(__name__)

COALESCE_SECONDS = 0.01
RETRY_SECONDS = 0.2


class Configurator:
    """Runs until cancelled. One per nginx."""

    def __init__(self, store: Store, nginx: Nginx, settings: IngressSettings) -> None:
        self._store = store
        self._nginx = nginx
        self._settings = settings
        self._statuses = Statuses(store, nginx.listener.address, settings)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Apply the store's state now and after every change."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._apply_changes())

    async def apply(self) -> bool:
        """
        Bring nginx and then what we say of it up to date; return whether routes have changed.

        Raises:
            Unavailable: nginx did not take the routes.
        """
        seen = snapshot(self._store)
        changed = await self._nginx.apply(routing_table(seen, self._settings))
        self._statuses.publish(seen)
        return changed

    async def _watch(self) -> None:
        while True:
            kinds = watched(self._store)
            default_gateway.furnish(self._store)
            await self._watch_kinds(kinds)

    async def _watch_kinds(self, kinds: Collection[Kind]) -> None:
        """Take note of changes until other kinds are served than `kinds`."""
        changes = self._store.changes(*kinds)
        async with contextlib.aclosing(changes):
            async for _change in changes:
                self._changed.set()
                if watched(self._store) != kinds:
                    return

    async def _apply_changes(self) -> None:
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            self._changed.clear()
            try:
                await self.apply()
            except Unavailable as error:
                log.warning("routes not applied, trying again", reason=str(error))
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)
