"""A real API server restarts in the middle of releases, asked or killed: they end as ever, and lose nothing."""

from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.sandbox.control_plane.running import STOP_SECONDS
from tests.sandbox.kills.disasters import AT_ONCE, plane_of, restart_api_server, whole
from tests.sandbox.kills.points import Side
from tests.sandbox.kills.proxied_controller import KillSandbox, proxied_controller
from tests.sandbox.kills.proxy import Write
from tests.sandbox.kills.stories import BLUE_GREEN, CANARY, Story
from tests.sandbox.kills.story_runner import StoryRunner

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]

WAYS: tuple[tuple[Side, float], ...] = (
    ("before", STOP_SECONDS),
    ("after", AT_ONCE),
    ("after", STOP_SECONDS),
    ("before", AT_ONCE),
)


class Restarts:
    """Has the API server restart at every third write, asked or killed: before it is made, or before its answer is heard."""

    def __init__(self, sandbox: KillSandbox) -> None:
        self.count = 0
        self._plane = plane_of(sandbox)
        self._ways = cycle(WAYS)
        self._side, self._grace_seconds = next(self._ways)
        self._asked = 0

    async def before(self, _write: Write) -> web.Response | None:
        self._asked += 1
        await self._at("before")
        return None

    async def after(self, _write: Write) -> None:
        await self._at("after")

    async def _at(self, side: Side) -> None:
        if self._asked >= 3 and side == self._side:
            self.count += 1
            self._asked, grace_seconds = 0, self._grace_seconds
            self._side, self._grace_seconds = next(self._ways)
            await whole(restart_api_server(self._plane, grace_seconds))


@pytest.fixture
async def sandbox(control_plane_programs: Path, tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox", control_plane_programs) as made:
        yield made


@pytest.mark.parametrize("story", [CANARY, BLUE_GREEN], ids=["canary", "blue-green"])
async def test_an_api_server_that_restarts_in_the_middle_loses_nothing(
    story: Story, sandbox: KillSandbox
) -> None:
    trouble = Restarts(sandbox)
    async with proxied_controller(sandbox, "shop") as controller:
        runner = StoryRunner(story, sandbox.release("shop"), controller)
        await runner.opens()
        undisturbed = await runner.run()
        troubled = await runner.run(interference=trouble)
    print(f"{trouble.count} restarts in {len(troubled.writes)} writes, {troubled.sent} requests")
    assert trouble.count >= len(WAYS)
    assert (troubled.lost, troubled.failed) == ({}, 0)
    assert troubled.end == undisturbed.end
