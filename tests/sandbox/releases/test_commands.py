"""What release managers and CI type against a cluster that runs."""

import asyncio
import json

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

LONG: list[JSON] = [{"setWeight": 20}, {"pause": {"duration": "60s"}}]


async def abort_sends_everybody_back_and_retry_begins_again(shop: Shop) -> None:
    await shop.opens(LONG)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(20)
        ended = await shop.rollouts("abort", "--reason", "odd logs")
        assert ended.code == 0, ended.err
        assert shop.weight == 0
        assert "odd logs" in await shop.is_rolled_back()
        assert shop.status["lastCommand"]["accepted"]
        again = await shop.rollouts("abort")
        assert again.code == 0
        assert "already rolled back" in again.out
        assert (await shop.rollouts("retry")).code == 0
        await shop.is_at(20)
        assert (await shop.rollouts("promote", "--full")).code == 0
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def pause_resume_and_promote_move_it_as_told(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        idle = await shop.rollouts("promote")
        assert idle.code == 1
        assert "no rollout is under way" in idle.err
        shop.releases("2")
        await shop.is_at(50)
        assert (await shop.rollouts("pause")).code == 0
        await shop.until(lambda: shop.paused_for == "Command")
        assert "held by a command" in (await shop.rollouts("get")).out
        assert (await shop.rollouts("resume")).code == 0
        await shop.until(lambda: shop.paused_for == "PauseStep")
        stale = await shop.rollouts("promote", "--revision", "1")
        assert stale.code == 1
        assert "it names revision 1" in stale.err
        assert shop.stable == 1
        assert (await shop.rollouts("promote")).code == 0
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def those_who_call_at_the_same_moment_are_all_answered(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED, successCriteria=[])
    shop.releases("2")
    await shop.is_at(50)
    for ended in await asyncio.gather(*(shop.rollouts("pause") for _ in range(4))):
        assert ended.code == 0, ended.err
    *others, stopped = await asyncio.gather(
        *(shop.rollouts("resume") for _ in range(2)), shop.rollouts("abort")
    )
    assert stopped.code == 0, stopped.err
    assert not any("no controller answered" in each.err for each in others)
    await shop.is_rolled_back()


async def a_paused_spec_holds_the_steps_and_not_the_rollback(shop: Shop) -> None:
    await shop.opens(LONG)
    async with shop.customers(50):
        shop.releases("2")
        await shop.is_at(20)
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"paused": True}})
        await shop.until(lambda: shop.paused_for == "SpecPaused")
        shop.releases("3", ERROR_RATE="50%")
        await shop.until(lambda: shop.status["currentRevision"]["number"] == 3)
        assert shop.weight == 0, "a paused Rollout gives nothing to a new revision"
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"paused": False}})
        await shop.until(lambda: shop.weight == 20)
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"paused": True}})
        assert (await shop.is_rolled_back()).startswith("errors: ")


async def wait_tells_what_became_of_one_revision(shop: Shop) -> None:
    """Exit 0, 1, 3, 4 and 5, each from a process that waited."""
    await shop.opens(goods.UNTIL_PROMOTED, successCriteria=[])
    assert (await shop.rollouts("wait", "--timeout", "60s")).code == 0

    shop.releases("2")
    await shop.until(lambda: shop.status["currentRevision"]["number"] == 2)
    second = asyncio.create_task(shop.rollouts("wait", "--revision", "2", "--timeout", "90s"))
    paused = await shop.rollouts("wait", "--fail-on-pause", "--output", "json")
    assert paused.code == 4, paused.err
    assert json.loads(paused.out)["revision"] == 2
    late = await shop.rollouts("wait", "--revision", "2", "--timeout", "1s")
    assert late.code == 3, late.err

    shop.releases("3")
    await shop.until(lambda: shop.status["currentRevision"]["number"] == 3)
    superseded = await second
    assert superseded.code == 5, superseded.err
    assert "superseded" in superseded.out
    third = asyncio.create_task(shop.rollouts("wait", "--revision", "3", "--timeout", "90s"))
    await shop.is_at(50)
    shop.commands("promote")
    assert (await third).code == 0

    shop.releases("4")
    fourth = asyncio.create_task(shop.rollouts("wait", "--timeout", "90s", "-o", "json"))
    await shop.is_at(50)
    shop.commands("abort")
    rolled_back = await fourth
    assert rolled_back.code == 1
    assert json.loads(rolled_back.out)["outcome"] == "rolled-back"
    assert (await shop.rollouts("wait", "--revision", "3")).code == 0, "it is the stable one"


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
