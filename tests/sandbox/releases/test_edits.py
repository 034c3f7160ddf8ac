"""Edits in the middle of a release, with users: they promote nobody, and lose nothing."""

import pytest

from rollouts.model.kinds import INGRESS, JSON, ROLLOUT
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import has_switched, hash_of, selected
from tests.sandbox.releases.test_releases import TWO_WEIGHTS, share_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TO_BLUE_GREEN: JSON = {
    "canary": None,
    "blueGreen": {
        "activeService": goods.STABLE,
        "postPromotionAnalysis": {"duration": "1h"},
        "abortScaleDownDelaySeconds": 1,
    },
}


async def another_strategy_waits_for_a_person_and_then_begins_anew(shop: Shop) -> None:
    await shop.opens(TWO_WEIGHTS)
    async with shop.customers(50) as load:
        shop.releases("2")
        await shop.is_at(20)
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"strategy": TO_BLUE_GREEN}})
        await shop.until(lambda: shop.paused_for == "StrategyChanged", "the hold")
        assert "from canary (nginx) to blueGreen" in shop.message
        before = load.report()
        await shop.serves(load, 260)
        assert share_of("2", before, load.report()) == pytest.approx(20, abs=12)
        assert shop.weight == 20

        shop.commands("promote")
        await has_switched(shop)
        await shop.until(lambda: shop.get(INGRESS, goods.CANARY_INGRESS) is None, "its end")
        shop.commands("promote")
        await shop.is_promoted()
        assert selected(shop, goods.STABLE) == hash_of(shop, "stableRevision")
    assert load.report().lost_reasons == {}


async def a_gate_that_is_taken_out_is_not_passed(shop: Shop) -> None:
    await shop.opens(TWO_WEIGHTS)
    async with shop.customers(50) as load:
        shop.releases("2")
        await shop.is_at(20)
        shop.has_steps([{"setWeight": 20}, {"setWeight": 60}])
        await shop.until(lambda: shop.paused_for == "StepsChanged", "the hold")
        assert "promote goes on with step 2/2 (setWeight 60)" in shop.message
        await shop.serves(load, 100)
        assert shop.weight == 20

        shop.has_steps(TWO_WEIGHTS)
        await shop.until(lambda: shop.paused_for == "PauseStep", "as before")
        shop.has_steps([{"setWeight": 20}, {"setWeight": 60}, {"setWeight": 61}])
        await shop.until(lambda: shop.paused_for == "StepsChanged", "the hold again")
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        another_strategy_waits_for_a_person_and_then_begins_anew,
        a_gate_that_is_taken_out_is_not_passed,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
