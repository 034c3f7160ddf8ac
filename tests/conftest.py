"""The suite in several processes, when pytest is given `-n`: see `tests/groups.py`."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from rollouts.sandbox.network import Network
from rollouts.sandbox.processes import Processes
from tests import permissions
from tests.control_plane.processes import Absent, ControlPlane, binaries
from tests.groups import computes, group_of, place_of
from tests.helm.program import present as helm_present
from tests.metric_servers.servers import present

NICENESS = 10
REQUIRED = os.environ.get("ROLLOUTS_CONTROL_PLANE") == "required"
"""Whether a test that needs a real control plane fails without one, rather than being skipped."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun with `&`, we and all that we start would be deaf to Ctrl-C, which tests try.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:
    # An example's time by the clock says nothing about it while others have the cores.
    hypothesis.settings.register_profile("shared cores", deadline=None)
    hypothesis.settings.load_profile("shared cores")


class Groups(LoadScopeScheduling):
    """
    Gives each worker a group as a whole, in the order in which they are collected.

    But one of them computes from the beginning, for the others wait more than they work then.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        computing = next(filter(computes, self.workqueue), None)
        if computing is not None and len(self.nodes) > 1 and node is self.nodes[-1]:
            self.workqueue.move_to_end(computing, last=False)
        super()._assign_work_unit(node)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(permissions.Plugin())
    log_as_the_controller_does()


def log_as_the_controller_does() -> None:
    """
    Print a stack without each frame's variables, as the product does.

    With them, one takes more than a second of processor time, in which a test's sandbox and its
    load stand still: requests of that moment would be called lost.
    """
    *others, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, renderer])


@pytest.hookimpl(optionalhook=True)  # without xdist nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


def pytest_report_header() -> list[str]:
    """Say which of the real things there are that some tests need."""
    try:
        control_plane = f"control plane: {binaries()}"
    except Absent as reason:
        control_plane = f"control plane: {reason}; the tests that need one are skipped"
    return [control_plane, f"metric servers: {present()}; helm: {helm_present()}"]


@pytest.fixture(scope="session")
def control_plane_programs() -> Path:
    """Where the programs of a real one are; the test is skipped where they are not."""
    try:
        return binaries()
    except Absent as reason:
        if REQUIRED:
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def control_plane(
    control_plane_programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A real one, which all tests that ask for it share."""
    with ControlPlane(control_plane_programs, tmp_path_factory.mktemp("control-plane")) as real:
        yield real


@pytest.fixture
def network() -> Iterator[Network]:
    """A part of loopback that no other test has."""
    network = Network.claim()
    yield network
    network.release()


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    """What a test starts there ends with it."""
    processes = Processes(tmp_path / "logs")
    yield processes
    await processes.stop_all()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Look for no garbage among thousands of tests that are being collected."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.enable()


def pytest_collection_finish() -> None:
    """Let the collector forget what lives as long as the process does: thousands of collected tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # the stories make much that dies young


def pytest_runtest_setup(item: pytest.Item) -> None:
    """
    Let a worker stand back once it computes: the others are held against a clock.

    It can't step forward again without root, and need not: what comes later computes too.
    """
    if hasattr(item.config, "workerinput") and computes(item.nodeid) and not os.nice(0):
        os.nice(NICENESS)
