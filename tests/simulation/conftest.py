"""What every story needs."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _without_a_log() -> Iterator[None]:
    """A story has a log of its own; that of the controller costs more than all else of it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)
