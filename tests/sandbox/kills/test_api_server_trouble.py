"""The API server restarts, or a webhook refuses what is written: releases end as ever, and lose nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from tests.sandbox.kills.lane import KillSandbox, seated
from tests.sandbox.kills.proxy import Interference, Write
from tests.sandbox.kills.stories import STORIES, Story
from tests.sandbox.kills.telling import Teller

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]


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


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox") as made:
        yield made


@pytest.mark.parametrize(
    ("trouble", "stories"),
    [(RefusesEverySecond, STORIES), (RestartsTheApiServer, STORIES[::4])],  # that meet each other's
    ids=["refuses-every-second", "restarts"],
)
async def test_stories_end_as_ever_under(
    trouble: type[RefusesEverySecond | RestartsTheApiServer],
    stories: Sequence[Story],
    sandbox: KillSandbox,
) -> None:
    async def told(number: int, story: Story) -> None:
        namespace = f"shop-{number}"
        async with seated(sandbox, namespace) as place:
            teller = Teller(story, sandbox.release(namespace), place)
            await teller.opens()
            undisturbed = await teller.tells()
            troubles = trouble(sandbox)
            interference: Interference = troubles
            troubled = await teller.tells(interference=interference)
            print(f"{story.name}: {troubles.count} times in {len(troubled.writes)} writes")
            assert troubles.count >= len(troubled.writes) // 4
            assert (troubled.lost, troubled.failed) == ({}, 0), story.name
            assert troubled.end == undisturbed.end, story.name

    await asyncio.gather(*(told(number, story) for number, story in enumerate(stories)))
