"""One sandbox for most tests of releases, whose scenarios run at the same time."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

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
async def running(
    sandbox: ReleaseSandbox,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Running]:
    """All scenarios that were asked for, under way."""
    begun = Running(sandbox, tmp_path_factory.mktemp("own"))
    begun.begin(asked_for(request))
    yield begun
    await begun.end()


def asked_for(request: pytest.FixtureRequest) -> Iterator[Any]:
    for item in request.session.items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            scenario = item.callspec.params.get("scenario")
            if scenario is not None:
                yield scenario
