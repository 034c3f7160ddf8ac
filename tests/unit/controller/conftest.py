from collections.abc import AsyncIterator

import pytest

from tests.fakes.shop import Shop
from tests.unit.controller.bench import ERRORS, Bench


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(ERRORS)
    yield made
    await made.looks.close()
