"""One sandbox for most tests of releases, whose scenarios run at the same time."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReleaseSandbox]:
    made = ReleaseSandbox(tmp_path_factory.mktemp("shared") / "sandbox")
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def begun(
    sandbox: ReleaseSandbox,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Running]:
    made = Running(sandbox, tmp_path_factory.mktemp("own"), request.session.items)
    yield made
    await made.end()


@pytest_asyncio.fixture(loop_scope="session")
async def running(begun: Running, request: pytest.FixtureRequest) -> Running:
    """The scenarios of the test's group, under way."""
    begun.begin(request.node)
    return begun
