"""
Two controllers at once: one that leads and one that waits, or two that know nothing of each other.

A leader that sleeps for longer than its lease wakes up with old caches, and has nothing to say.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.bootstrap import LEASE_NAME, LOST_LEADERSHIP
from rollouts.kube.lease import LEASE, LeaseTiming
from tests.sandbox.kills.end_state import end_state, written_twice
from tests.sandbox.kills.points import Point, points_of
from tests.sandbox.kills.proxied_controller import (
    LEASE_NAMESPACE,
    KillSandbox,
    ProxiedController,
    proxied_controller,
)
from tests.sandbox.kills.proxy import Undisturbed, Write
from tests.sandbox.kills.stories import BLUE_GREEN, CANARY, Story
from tests.sandbox.kills.story_runner import PATIENCE_SECONDS, RATE, StoryRun, StoryRunner
from tests.sandbox.releases.release import Release

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]

QUICK = LeaseTiming(
    duration_seconds=3.0, renew_deadline_seconds=2.0, retry_seconds=0.4, margin_seconds=0.5
)


@pytest.fixture
async def release(tmp_path: Path) -> AsyncIterator[Release]:
    async with KillSandbox(tmp_path / "sandbox") as sandbox:
        made = sandbox.release("shop")
        made.patience_seconds = PATIENCE_SECONDS
        yield made


class Sleeps:
    """Puts the controller to sleep at a point; a write before which it falls asleep arrives when it wakes."""

    def __init__(self, controller: ProxiedController, point: Point) -> None:
        self.asleep, self.awake = asyncio.Event(), asyncio.Event()
        self._controller = controller
        self._point = point
        self._seen = 0

    async def before(self, write: Write) -> web.Response | None:
        if write.words == self._point.words and self._point.side == "before":
            await self._at(self._seen + 1)
            if self.asleep.is_set():
                await self.awake.wait()
        return None

    async def after(self, write: Write) -> None:
        if write.words != self._point.words or not write.succeeded:
            return
        self._seen += 1
        if self._point.side == "after":
            await self._at(self._seen)

    async def _at(self, occurrence: int) -> None:
        if occurrence == self._point.occurrence and not self.asleep.is_set():
            self._controller.signals(signal.SIGSTOP)
            self.asleep.set()

    def wake(self) -> None:
        self._controller.signals(signal.SIGCONT)
        self.awake.set()


def holder(release: Release) -> str:
    """Return who leads, as the Lease has it."""
    lease = release.objects.get(LEASE, LEASE_NAMESPACE, LEASE_NAME) or {"spec": {}}
    return str(lease["spec"].get("holderIdentity") or "")


async def run_while_the_leader_sleeps(
    story: Story,
    release: Release,
    leader: ProxiedController,
    follower: ProxiedController,
    point: Point,
    *,
    number: int,
) -> StoryRun | None:
    """
    Tell the story with the leader asleep from the point on, until it is over; then wake it.

    Returns None when the point did not come.
    """
    sleeps, before = Sleeps(leader, point), release.stable
    leader.proxy.interference, led = sleeps, holder(release)
    begun = len(follower.proxy.writes)
    async with release.traffic(RATE, url=story.url(release)) as load:
        await release.serves(load, 1)
        await story.happens(release, load, number)
        if sleeps.asleep.is_set():
            await release.until(lambda: holder(release) not in ("", led), "another leader")
            await follower.is_quiet(release)
            said = len(leader.proxy.writes)
            sleeps.wake()
            assert leader.process is not None
            assert await leader.process.wait() == LOST_LEADERSHIP
            assert leader.proxy.writes[said:] == [], "it woke up, and wrote"
            await leader.start()
        await (follower if sleeps.asleep.is_set() else leader).is_quiet(release)
    leader.proxy.interference = Undisturbed()
    if not sleeps.asleep.is_set():
        return None
    writes = follower.proxy.writes[begun:]
    return StoryRun(
        writes=writes,
        killed=(point,),
        twice=written_twice(writes),
        end=end_state(release, before),
        report=load.report(),
    )


@pytest.mark.parametrize("story", [CANARY, BLUE_GREEN], ids=["canary", "blue-green"])
async def test_a_leader_that_wakes_up_late_writes_nothing_harmful(
    story: Story, release: Release
) -> None:
    async with AsyncExitStack() as stack:
        sandbox = release.sandbox
        one = await stack.enter_async_context(
            proxied_controller(sandbox, release.namespace, name="one", timing=QUICK)
        )
        await release.until(lambda: holder(release), "a leader")
        other = await stack.enter_async_context(
            proxied_controller(sandbox, release.namespace, name="other", timing=QUICK)
        )
        runner = StoryRunner(story, release, one)
        await runner.opens()
        undisturbed = await runner.run()
        number, slept = 2, list[Point]()
        for point in worth_sleeping_at(undisturbed.writes):
            run = await run_while_the_leader_sleeps(
                story, release, one, other, point, number=number
            )
            number += 1
            if run is None:
                continue
            one, other = other, one
            slept.append(point)
            print(f"slept {point}")
            assert (run.lost, run.failed) == ({}, 0), point
            assert run.end == undisturbed.end, point
    print(f"slept at {len(slept)} points")
    assert len(slept) >= len(undisturbed.writes)


def worth_sleeping_at(writes: Sequence[Write]) -> list[Point]:
    """Return the points before and after each write that is no Event."""
    return [each for each in points_of(writes) if "events" not in each.words]


async def test_two_controllers_that_know_nothing_of_each_other_lose_nothing(
    release: Release,
) -> None:
    sandbox, namespace = release.sandbox, release.namespace
    async with proxied_controller(sandbox, namespace, name="one") as one:
        runner = StoryRunner(CANARY, release, one)
        await runner.opens()
        undisturbed = await runner.run()
        async with proxied_controller(sandbox, namespace, name="other") as other:
            for _ in range(3):
                begun = len(other.proxy.writes)
                run = await runner.run()
                await other.is_quiet(release)
                assert (run.lost, run.failed) == ({}, 0)
                assert run.end == undisturbed.end
                both = [*run.writes, *other.proxy.writes[begun:]]
                assert {each for each in both if each.status == 409}, "both have written"
                assert written_twice(both) == []
