"""
Scenarios that run at the same time, each in a shop of its own, and are tests one by one.

A release is mostly waiting. A module lists its scenarios; the first test that wants a
result starts those that were asked for, a few at once, and each test awaits its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.town import Town

AT_ONCE = 6

Scenario = Callable[[Shop], Awaitable[None]]


def name_of(scenario: Scenario) -> str:
    return str(getattr(scenario, "__name__", "")).replace("_", "-")


class Running:
    """Scenarios under way, by name."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, scenarios: Iterable[Scenario]) -> None:
        for each in scenarios:
            self._tasks[name_of(each)] = asyncio.create_task(self._run(each))

    async def result(self, scenario: Scenario) -> None:
        """Wait for the end of a scenario, and raise what it raised."""
        await self._tasks[name_of(scenario)]

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, scenario: Scenario) -> None:
        async with self._free:
            namespace = name_of(scenario)[:50].strip("-")
            shop = self._town.shop(namespace)
            try:
                await scenario(shop)
            finally:
                shop.closes()
