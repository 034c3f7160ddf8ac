"""
How the suite is shared out: which tests one process has to run, and which come first.

Everything follows from the id of a test, so that the workers of pytest-xdist and the process that
gives them work agree. (Its own `xdist_group` mark has no effect with pytest 9.2.)
"""

from zlib import crc32

WAITING_FIRST = (
    "sandbox/releases/",
    "sandbox/",
    "contract/",
    "test_packaging.py",
    "simulation/",
    "unit/",
)
COMPUTING = ("simulation/", "unit/")
EACH_ALONE = ("sandbox/", "simulation/")
"""Tests that take long and share nothing; elsewhere the tests of one file are one group."""
TOGETHER = ("sandbox/test_command_line.py",)
"""What shares a sandbox all the same."""
RELEASES = "sandbox/releases/"
SANDBOXES_OF_RELEASES = 3
REAL = "real"
"""The parameter of a test that runs on the real control plane, which is started once."""


def group_of(nodeid: str) -> str:
    """Return the name of the group that runs in one process."""
    file = file_of(nodeid)
    if REAL in nodeid.partition("[")[2].removesuffix("]").split("-"):
        return f"{RELEASES}{REAL}" if file.startswith(RELEASES) else REAL
    if file.startswith(RELEASES):
        return f"{RELEASES}{crc32(nodeid.encode()) % SANDBOXES_OF_RELEASES}"
    if file.startswith(EACH_ALONE) and file not in TOGETHER:
        return nodeid
    return file


def place_of(nodeid: str) -> int:
    """
    Return when a test's turn is: what waits for pods and scrapes comes first.

    What computes then fills what that leaves of the cores.
    """
    file = file_of(nodeid)
    found = (place for place, folder in enumerate(WAITING_FIRST) if file.startswith(folder))
    return next(found, len(WAITING_FIRST))


def computes(nodeid: str) -> bool:
    """Return whether a test, or a group of them, is of those that come last and keep a core busy."""
    return file_of(nodeid).startswith(COMPUTING)


def file_of(nodeid: str) -> str:
    """Return the test's file below `tests/`."""
    return nodeid.split("::", 1)[0].removeprefix("tests/")
