from collections.abc import AsyncIterator

import pytest

from tests.unit.analysis.bench import ERRORS, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(ERRORS)
    yield made
    await made.monitor.close()
