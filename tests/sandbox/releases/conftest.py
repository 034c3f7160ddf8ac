"""One sandbox for all tests of releases; a module's scenarios run at the same time."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.sandbox.releases.scenarios import Running
from tests.sandbox.releases.town import Town


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    made = Town(tmp_path_factory.mktemp("town") / "sandbox")
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(town: Town, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """The scenarios of this module that were asked for, under way."""
    begun = Running(town)
    begun.begin(
        item.callspec.params["scenario"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
        and "scenario" in item.callspec.params
    )
    yield begun
    await begun.end()
