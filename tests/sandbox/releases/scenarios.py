"""
Scenarios that run at the same time, and are tests one by one.

A release is mostly waiting. So all scenarios that were asked for begin with the first test
that wants a result, a few at once, and each test awaits its own. One that takes a `shop`
gets a namespace of the common town. One that takes a `town` gets a sandbox of its own: it
may break what everybody leans on.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from tests.sandbox.releases.town import Town

AT_ONCE = 6
TOWNS_AT_ONCE = 2

Scenario = Callable[[Any], Awaitable[None]]


def name_of(scenario: Scenario) -> str:
    return str(getattr(scenario, "__name__", "")).replace("_", "-")


def needs_a_town(scenario: Scenario) -> bool:
    return "town" in inspect.signature(scenario).parameters


class Running:
    """Scenarios under way, by name."""

    def __init__(self, town: Town, directory: Path) -> None:
        self._town = town
        self._directory = directory
        self._free = asyncio.Semaphore(AT_ONCE)
        self._lots = asyncio.Semaphore(TOWNS_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, scenarios: Iterable[Scenario]) -> None:
        """Begin all of them; those that take longest, in towns of their own, first."""
        for each in sorted(scenarios, key=needs_a_town, reverse=True):
            run = self._in_own_town if needs_a_town(each) else self._in_a_shop
            self._tasks[name_of(each)] = asyncio.create_task(run(each))

    async def result(self, scenario: Scenario) -> None:
        """Wait for the end of a scenario, and raise what it raised."""
        await self._tasks[name_of(scenario)]

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _in_own_town(self, scenario: Scenario) -> None:
        async with self._lots:
            town = Town(self._directory / name_of(scenario))
            await town.start()
            try:
                await scenario(town)
            finally:
                await town.stop()

    async def _in_a_shop(self, scenario: Scenario) -> None:
        async with self._free:
            shop = self._town.shop(name_of(scenario)[:50].strip("-"))
            try:
                await scenario(shop)
            finally:
                shop.closes()
