"""The API server restarts, or a webhook refuses what is written: releases end as ever, and lose nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.kills.proxied_controller import KillSandbox, proxied_controller
from tests.sandbox.kills.proxy import Write
from tests.sandbox.kills.stories import STORIES, Story
from tests.sandbox.kills.story_runner import RATE, StoryRun, StoryRunner

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]


NO_QUORUM_SECONDS = 30.0


class RefusesEverySecond:
    """An admission webhook that refuses every second write, as one that gives no code does: with 400."""

    def __init__(self, _sandbox: KillSandbox) -> None:
        self.count = 0
        self._asked = 0

    async def before(self, write: Write) -> web.Response | None:
        self._asked += 1
        if self._asked % 2:
            return None
        self.count += 1
        message = 'admission webhook "moody.example.com" denied the request: not this one'
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": 400,
        }
        return web.Response(text=json.dumps(status), status=400, content_type="application/json")

    async def after(self, _write: Write) -> None:
        return None


class RestartsTheApiServer:
    """Has the API server restart at every third write: before it is made, or before its answer is heard."""

    def __init__(self, sandbox: KillSandbox) -> None:
        self.count = 0
        self._sandbox = sandbox
        self._asked = 0

    async def before(self, _write: Write) -> web.Response | None:
        self._asked += 1
        if self._asked % 6 == 3:
            await self._restart()
        return None

    async def after(self, _write: Write) -> None:
        if self._asked % 6 == 0:
            await self._restart()

    async def _restart(self) -> None:
        self.count += 1
        await self._sandbox.restart_api_server()


class TakesQuorum:
    """Has etcd without quorum for half a minute, from the write on that begins to move traffic."""

    def __init__(self, sandbox: KillSandbox) -> None:
        self.count = 0
        self._sandbox = sandbox

    async def before(self, write: Write) -> web.Response | None:
        if not self.count and write.target.plural == INGRESS.plural:
            self.count += 1
            self._sandbox.take_quorum(NO_QUORUM_SECONDS)
        return None

    async def after(self, _write: Write) -> None:
        return None


Trouble = RefusesEverySecond | RestartsTheApiServer | TakesQuorum


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox") as made:
        yield made


@pytest.fixture
async def real(control_plane_programs: Path, tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox", control_plane_programs) as made:
        yield made


async def run_under(
    trouble: Trouble, sandbox: KillSandbox, story: Story, namespace: str
) -> StoryRun:
    """Tell a story under the trouble; see that nothing was lost, and that it ended as without."""
    async with proxied_controller(sandbox, namespace) as controller:
        runner = StoryRunner(story, sandbox.release(namespace), controller)
        await runner.opens()
        undisturbed = await runner.run()
        troubled = await runner.run(interference=trouble)
        assert (troubled.lost, troubled.failed) == ({}, 0), story.name
        assert troubled.end == undisturbed.end, story.name
        return troubled


@pytest.mark.parametrize(
    ("trouble", "stories"),
    [(RefusesEverySecond, STORIES), (RestartsTheApiServer, STORIES[::4])],  # that meet each other's
    ids=["refuses-every-second", "restarts"],
)
async def test_stories_end_as_ever_under(
    trouble: Callable[[KillSandbox], Trouble], stories: Sequence[Story], sandbox: KillSandbox
) -> None:
    async def told(number: int, story: Story) -> None:
        made = trouble(sandbox)
        troubled = await run_under(made, sandbox, story, f"shop-{number}")
        print(f"{story.name}: {made.count} times in {len(troubled.writes)} writes")
        assert made.count >= len(troubled.writes) // 4

    await asyncio.gather(*(told(number, story) for number, story in enumerate(stories)))


async def test_an_etcd_without_quorum_for_half_a_minute_loses_nothing(real: KillSandbox) -> None:
    trouble = TakesQuorum(real)
    troubled = await run_under(trouble, real, STORIES[0], "shop")
    assert trouble.count == 1
    assert troubled.sent >= NO_QUORUM_SECONDS * RATE, "it was waited for, with traffic"
