"""
Which servers a test runs on, and when.

Debian's Prometheus is always there; so is, by day too, Prometheus 3 if it has been made. The others'
turn is by night.
"""

from pathlib import Path

import pytest

from tests.metric_servers.servers import (
    KINDS,
    PROMETHEUS,
    PROMETHEUS_OF_DEBIAN,
    REQUIRED,
    Absent,
    ServerKind,
)

BY_DAY = (PROMETHEUS_OF_DEBIAN, PROMETHEUS)


def each_of(*kinds: ServerKind) -> pytest.MarkDecorator:
    """Run a test, with `kind`, on each of these servers."""
    given = [
        pytest.param(kind, id=kind.name, marks=() if kind in BY_DAY else (pytest.mark.nightly,))
        for kind in kinds
    ]
    return pytest.mark.parametrize("kind", given)


EVERY_SERVER = each_of(*KINDS)


async def program_of(kind: ServerKind) -> Path:
    """Return the program; without it the test is skipped, or fails where it is required."""
    try:
        return await kind.program()
    except Absent as reason:
        if REQUIRED:
            pytest.fail(str(reason))
        pytest.skip(str(reason))
