from collections.abc import AsyncIterator

import pytest

from tests.fakes.api_server import FakeApiServer


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    await server.start()
    yield server
    await server.stop()
