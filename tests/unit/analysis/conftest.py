from collections.abc import AsyncIterator

import pytest

from tests.unit.analysis.harness import ERRORS, Harness


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = Harness(ERRORS)
    yield made
    await made.monitor.close()
