import pytest

from tests.fakes.control_loop import ControlLoop


@pytest.fixture
def loop() -> ControlLoop:
    return ControlLoop()
