"""What release managers and CI type against a cluster that runs."""

import asyncio
import json

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

LONG: list[JSON] = [{"setWeight": 20}, {"pause": {"duration": "60s"}}]


async def abort_sends_everybody_back_and_retry_begins_again(release: Release) -> None:
    await release.deploys(LONG)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(20)
        ended = await release.rollouts("abort", "--reason", "odd logs")
        assert ended.code == 0, ended.err
        assert release.weight == 0
        assert "odd logs" in await release.is_rolled_back()
        assert release.status["lastCommand"]["accepted"]
        again = await release.rollouts("abort")
        assert again.code == 0
        assert "at stable already" in again.out
        assert (await release.rollouts("retry")).code == 0
        await release.is_at(20)
        assert (await release.rollouts("promote", "--full")).code == 0
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def pause_resume_and_promote_move_it_as_told(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED)
    async with release.traffic() as load:
        idle = await release.rollouts("promote")
        assert idle.code == 1
        assert "no rollout is under way" in idle.err
        release.updates_to("2")
        await release.is_at(50)
        assert (await release.rollouts("pause")).code == 0
        await release.until(lambda: release.paused_for == "Command")
        assert "held by a pause command" in (await release.rollouts("get")).out
        assert (await release.rollouts("resume")).code == 0
        await release.until(lambda: release.paused_for == "PauseStep")
        stale = await release.rollouts("promote", "--revision", "1")
        assert stale.code == 1
        assert "the command names revision 1" in stale.err
        assert release.stable == 1
        assert (await release.rollouts("promote")).code == 0
        await release.is_promoted()
    assert load.report().lost_reasons == {}


async def those_who_call_at_the_same_moment_are_all_answered(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[])
    release.updates_to("2")
    await release.is_at(50)
    for ended in await asyncio.gather(*(release.rollouts("pause") for _ in range(4))):
        assert ended.code == 0, ended.err
    *others, stopped = await asyncio.gather(
        *(release.rollouts("resume") for _ in range(2)), release.rollouts("abort")
    )
    assert stopped.code == 0, stopped.err
    assert not any("no controller answered" in each.err for each in others)
    await release.is_rolled_back()


async def a_paused_spec_holds_the_steps_and_not_the_rollback(release: Release) -> None:
    await release.deploys(LONG)
    async with release.traffic(50):
        release.updates_to("2")
        await release.is_at(20)
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"paused": True}})
        await release.until(lambda: release.paused_for == "SpecPaused")
        release.updates_to("3", ERROR_RATE="50%")
        await release.until(lambda: release.status["currentRevision"]["number"] == 3)
        assert release.weight == 0, "a paused Rollout gives nothing to a new revision"
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"paused": False}})
        await release.until(lambda: release.weight == 20)
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"paused": True}})
        assert (await release.is_rolled_back()).startswith("errors: ")


async def wait_tells_what_became_of_one_revision(release: Release) -> None:
    """Exit 0, 1, 3, 4 and 5, each from a process that waited."""
    await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[])
    assert (await release.rollouts("wait", "--timeout", "60s")).code == 0

    release.updates_to("2")
    await release.until(lambda: release.status["currentRevision"]["number"] == 2)
    second = asyncio.create_task(release.rollouts("wait", "--revision", "2", "--timeout", "90s"))
    paused = await release.rollouts("wait", "--fail-on-pause", "--output", "json")
    assert paused.code == 4, paused.err
    assert json.loads(paused.out)["revision"] == 2
    late = await release.rollouts("wait", "--revision", "2", "--timeout", "1s")
    assert late.code == 3, late.err

    release.updates_to("3")
    await release.until(lambda: release.status["currentRevision"]["number"] == 3)
    superseded = await second
    assert superseded.code == 5, superseded.err
    assert "superseded" in superseded.out
    third = asyncio.create_task(release.rollouts("wait", "--revision", "3", "--timeout", "90s"))
    await release.is_at(50)
    release.commands("promote")
    assert (await third).code == 0

    release.updates_to("4")
    fourth = asyncio.create_task(release.rollouts("wait", "--timeout", "90s", "-o", "json"))
    await release.is_at(50)
    release.commands("abort")
    rolled_back = await fourth
    assert rolled_back.code == 1
    assert json.loads(rolled_back.out)["outcome"] == "rolled-back"
    assert (await release.rollouts("wait", "--revision", "3")).code == 0, "it is the stable one"


@pytest.mark.parametrize(
    "scenario",
    [
        abort_sends_everybody_back_and_retry_begins_again,
        pause_resume_and_promote_move_it_as_told,
        those_who_call_at_the_same_moment_are_all_answered,
        a_paused_spec_holds_the_steps_and_not_the_rollback,
        wait_tells_what_became_of_one_revision,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
