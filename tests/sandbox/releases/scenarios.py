"""
Scenarios that run at the same time, and are tests one by one.

A release is mostly waiting. So all scenarios of a group begin with the first test that wants a
result of one, a few at once, and each test awaits its own. One that takes a `release` gets a
namespace of the common sandbox. One that takes a `sandbox` gets one of its own: it may break
what everybody leans on.

A group (`tests/groups.py`) is what one process runs: it has a common sandbox, and so many at once.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from tests.groups import group_of
from tests.sandbox.releases.sandbox import ReleaseSandbox

AT_ONCE = 3
SANDBOXES_AT_ONCE = 1

Scenario = Callable[[Any], Awaitable[None]]


def name_of(scenario: Scenario) -> str:
    return str(getattr(scenario, "__name__", "")).replace("_", "-")


def needs_a_sandbox(scenario: Scenario) -> bool:
    return "sandbox" in inspect.signature(scenario).parameters


def scenario_of(item: pytest.Item) -> Scenario | None:
    """Return the scenario that the test awaits, if it does."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("scenario") if callspec else None


class Running:
    """
    Scenarios under way, by name; `items` are all tests that this process might run.

    `another` makes a sandbox, of that name, for a scenario that wants one of its own.
    """

    def __init__(
        self,
        sandbox: ReleaseSandbox,
        another: Callable[[str], ReleaseSandbox],
        items: Iterable[pytest.Item],
    ) -> None:
        self._sandbox = sandbox
        self._another = another
        self._shared = asyncio.Semaphore(AT_ONCE)
        self._own = asyncio.Semaphore(SANDBOXES_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._groups: dict[str, list[Scenario]] = {}
        for item in items:
            scenario = scenario_of(item)
            if scenario is not None and item.get_closest_marker("skip") is None:
                self._groups.setdefault(group_of(item.nodeid), []).append(scenario)

    def begin(self, item: pytest.Item) -> None:
        """Begin the test's group, unless it is under way."""
        self._begin(self._groups.pop(group_of(item.nodeid), []))

    def _begin(self, scenarios: Iterable[Scenario]) -> None:
        """Begin all of them; those that take longest, in sandboxes of their own, first."""
        for each in sorted(scenarios, key=needs_a_sandbox, reverse=True):
            run = self._in_own_sandbox if needs_a_sandbox(each) else self._in_a_namespace
            self._tasks[name_of(each)] = asyncio.create_task(run(each))

    async def result(self, scenario: Scenario) -> None:
        """Wait for the end of a scenario, and raise what it raised."""
        await self._tasks[name_of(scenario)]

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _in_own_sandbox(self, scenario: Scenario) -> None:
        async with self._own:
            sandbox = self._another(name_of(scenario))
            await sandbox.start()
            try:
                await scenario(sandbox)
            finally:
                await sandbox.stop()

    async def _in_a_namespace(self, scenario: Scenario) -> None:
        async with self._shared:
            release = self._sandbox.release(name_of(scenario)[:50].strip("-"))
            try:
                await scenario(release)
            finally:
                release.ends()
