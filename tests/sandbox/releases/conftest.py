"""
One sandbox for most tests of releases, whose scenarios run at the same time.

Each is there twice: on the sandbox's own control plane, and on a real one, marked `[real-…]`.
On the real one a change has to pass a third of them, and all of them run by night.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from zlib import crc32

import pytest
import pytest_asyncio

from tests.groups import REAL
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, name_of, scenario_of

OWN = pytest.param("own", id=pytest.HIDDEN_PARAM)
ALWAYS_OF_THE_THIRD = {
    "a-bad-release-is-rolled-back",
    "a-bad-one-is-taken-out-of-the-route-at-once",
    "a-split-sends-the-share-that-is-configured-and-goes",
    "a-bake-that-fails-is-switched-back",
    "a-bad-release-gives-its-pods-back",
    "a-release-under-way-is-given-back-as-it-was",
}
"""One for each strategy and router."""
REMAINDER = 2
"""The remainder, by 3, of the others' names that `.ci/run` asks for: it changes only when they do."""
FAULTS = "orders faults of the sandbox's own API server"
KEDA = "nobody looks after ScaledObjects on a real control plane"
ON_OWN_ONLY = {
    "killed-after-each-of-its-writes-it-loses-nothing": FAULTS,
    "cut-off-refused-and-told-that-the-past-is-gone-it-goes-on": FAULTS,
    "routers-in-trouble": FAULTS,
    "example-autoscaling-keda": KEDA,
    "keda-scales-a-release-on-its-way-up-and-never-below-its-start": KEDA,
}
"""What can't be had on a real control plane, and why."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "sandbox" in metafunc.fixturenames:
        real = pytest.param(REAL, marks=pytest.mark.control_plane)
        metafunc.parametrize("programs", [OWN, real], indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("programs") != REAL:
            continue
        scenario = scenario_of(item)
        name = name_of(scenario) if scenario else ""
        item.add_marker(pytest.mark.nightly)
        if name in ALWAYS_OF_THE_THIRD or crc32(name.encode()) % 3 == REMAINDER:
            item.add_marker(pytest.mark.third)
        if name in ON_OWN_ONLY:
            item.add_marker(pytest.mark.skip(reason=ON_OWN_ONLY[name]))


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Path | None:
    """Where the programs of the control plane are; None for the sandbox's own."""
    if request.param != REAL:
        return None
    found: Path = request.getfixturevalue("control_plane_programs")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(
    programs: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ReleaseSandbox]:
    made = ReleaseSandbox(tmp_path_factory.mktemp("shared") / "sandbox", programs)
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def begun(
    sandbox: ReleaseSandbox,
    programs: Path | None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Running]:
    directory = tmp_path_factory.mktemp("own")
    made = Running(
        sandbox, lambda name: ReleaseSandbox(directory / name, programs), request.session.items
    )
    yield made
    await made.end()


@pytest_asyncio.fixture(loop_scope="session")
async def running(begun: Running, request: pytest.FixtureRequest) -> Running:
    """The scenarios of the test's group, under way."""
    begun.begin(request.node)
    return begun
