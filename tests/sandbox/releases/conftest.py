"""
One sandbox for most tests of releases, whose scenarios run at the same time.

Each is there twice: on the sandbox's own control plane, and on a real one, marked `[real-…]`.
By day only those of `BY_DAY` run on the real one.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.groups import REAL
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, name_of, own_only, scenario_of

OWN = pytest.param("own", id=pytest.HIDDEN_PARAM)
BY_DAY = {
    "a-good-release-gets-the-traffic-that-is-configured-and-is-promoted",
}


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
        if scenario is None or name_of(scenario) not in BY_DAY:
            item.add_marker(pytest.mark.nightly)
        if scenario is not None and (reason := own_only.get(scenario)):
            item.add_marker(pytest.mark.skip(reason=reason))


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
