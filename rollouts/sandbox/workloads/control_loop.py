"""
What every controller in here shares: changes become keys, keys are reconciled one by one.

Promises: a key is reconciled after the last change that concerns it; a reconcile that raises
is logged and tried again with a growing delay, and disturbs no other key; a reconcile may ask
to be called again later by returning seconds.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from rollouts.backoff import Backoff
from rollouts.model.kinds import Kind
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.cluster import Objects

Key = tuple[str, str]
"""Namespace and name."""

_RETRY = Backoff(first_seconds=0.05, longest_seconds=5.0)
_log = structlog.get_logger(__name__)


class Controller(Protocol):
    """A level-triggered controller: `reconcile` looks at what is there, never at the change."""

    name: str
    kinds: tuple[Kind, ...]

    def keys(self, change: Change) -> Iterable[Key]:
        """Return what may have to be reconciled because of `change`."""
        ...

    def reconcile(self, key: Key) -> float | None:
        """Bring the world closer to what is wanted; return when to look again, in seconds."""
        ...


class ControlLoop:
    """Runs one controller until it is cancelled."""

    def __init__(self, objects: Objects, controller: Controller) -> None:
        self._objects = objects
        self._controller = controller
        self._dirty: dict[Key, None] = {}
        self._arrived = asyncio.Event()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    async def run(self) -> None:
        """Follow changes and reconcile, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _follow(self) -> None:
        async for change in self._objects.changes(*self._controller.kinds):
            for key in self._keys(change):
                self._add(key)

    def _keys(self, change: Change) -> list[Key]:
        try:
            return list(self._controller.keys(change))
        except Exception as error:  # noqa: BLE001 -- one object never stops the others
            _log.error("change not understood", controller=self._controller.name, exc_info=error)
            return []

    def _add(self, key: Key) -> None:
        self._dirty[key] = None
        self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._dirty:
                key = next(iter(self._dirty))
                del self._dirty[key]
                self._attempt(key)
                await asyncio.sleep(0)

    def _attempt(self, key: Key) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        try:
            again = self._controller.reconcile(key)
        except Exception as error:  # noqa: BLE001 -- one object never stops the others
            self._failed(key, error)
            return
        self._failures.pop(key, None)
        if again is not None:
            self._later(key, again)

    def _failed(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = _RETRY.delay(failures)
        self._later(key, delay)
        facts = {"controller": self._controller.name, "key": "/".join(key), "delay_seconds": delay}
        if isinstance(error, ApiError):
            _log.warning("refused", reason=error.message, **facts)
        else:
            _log.error("reconcile failed", exc_info=error, **facts)

    def _later(self, key: Key, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(max(seconds, 0.0), self._add, key)
