"""What Prometheus can't say is never a pass and never a fail, and what it forgets is not lost."""

import asyncio
from functools import partial

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from tests.sandbox.releases import goods
from tests.sandbox.releases.gate import Trick, event, slow
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.town import Town

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ANALYSED: list[JSON] = [{"setWeight": 50}, {"analysis": {"duration": "2s"}}]
OUTAGE_SECONDS = 30
# The pause is over by the clock in the outage, and not before it, however slow the machine is.
SLOWER: list[JSON] = [{"setWeight": 25}, {"pause": {"duration": "20s"}}, {"setWeight": 50}]


def query(promql: str, **fields: object) -> JSON:
    return {"name": "asked", "query": {"promql": promql, "min": 0.5}, **fields}


async def an_expression_that_is_wrong_holds_the_weight_until_it_is_corrected(shop: Shop) -> None:
    await shop.opens(goods.FOUR_STEPS, successCriteria=[query("sum(", errorLimit=1)])
    async with shop.customers() as load:
        shop.releases("2")
        await shop.until(lambda: shop.paused_for == "MetricsUnavailable")
        said = shop.criterion("asked")
        assert said["verdict"] == "error"
        assert "refuses the query" in said["message"]
        assert said["message"] in shop.message
        await shop.until(lambda: shop.events("MetricsUnavailable"), "the event")
        assert shop.weight == 25
        assert "abort" not in shop.status
        assert shop.condition("Paused")["reason"] == "MetricsUnavailable"

        shop.edits(ROLLOUT, goods.NAME, {"spec": {"successCriteria": [query("vector(1)")]}})
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def nothing_and_nan_are_no_data(shop: Shop) -> None:
    empty = query('absent_metric{namespace="{{ namespace }}",revision="{{ canary.hash }}"}')
    nan = {**query("vector(0) / vector(0)"), "name": "nan"}
    await shop.opens(ANALYSED, successCriteria=[empty, nan])
    shop.releases("2")
    await shop.until(lambda: shop.paused_for == "Inconclusive")
    for name in ("asked", "nan"):
        assert shop.criterion(name)["verdict"] == "inconclusive"
        assert shop.criterion(name)["message"] == "no data"
        assert shop.criterion(name).get("value") is None
    await shop.until(lambda: shop.events("Inconclusive"), "the event")
    assert shop.weight == 50
    assert "abort" not in shop.status

    with_data = {**empty, "query": {"promql": "vector(1)", "min": 0.5}}
    patch = {"spec": {"successCriteria": [with_data, {**nan, "onInconclusive": "proceed"}]}}
    shop.edits(ROLLOUT, goods.NAME, patch)
    await shop.is_promoted()


async def a_value_beyond_its_limit_fails_after_three_looks(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED, successCriteria=[query("vector(0.4)")])
    shop.releases("2")
    reason = await shop.is_rolled_back()
    assert reason == "asked: 0.4 is below 0.5; 3 failed looks in a row, 2 are tolerated"


async def errors_that_stable_has_as_well_are_compared(shop: Shop) -> None:
    beside = {"name": "beside", "errorRate": {"maxRatioToStable": 2}}
    flawed = goods.template("1", ERROR_RATE="5%")
    await shop.opens(goods.UNTIL_PROMOTED, template=flawed, successCriteria=[beside])
    async with shop.customers(40) as load:
        shop.releases("2", ERROR_RATE="70%")
        reason = await shop.is_rolled_back()
    assert reason.startswith("beside: ")
    assert "2 times may (odds against it" in reason
    assert shop.criterion("beside")["value"] > 2
    assert load.report().lost_reasons == {}


def forget_counters(shop: Shop) -> None:
    """Let the exporter count a shop's requests from zero, as when ingress-nginx is restarted."""
    metrics = shop.sandbox.data_plane.metrics
    for labels in [each for each in metrics._requests if shop.namespace in each]:
        del metrics._requests[labels]
        for durations in metrics._durations.values():
            durations.pop(labels, None)


async def counters_that_begin_anew_lose_nothing_and_count_nothing_twice(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.until(lambda: shop.criterion("errors").get("requests", 0) >= 20)
        forget_counters(shop)
        await shop.serves(load, 120)
        shop.commands("promote")
        await shop.until(lambda: shop.weight == 100)
        before = load.report().versions["2"].responses
        await shop.is_promoted()
    counted = shop.status["exposure"]
    assert counted["canaryFailures"] == 0
    # What came between the last scrape and the reset is nobody's to know.
    assert before - 80 < counted["canaryRequests"] <= load.report().versions["2"].responses
    assert load.report().lost_reasons == {}


async def failures_after_a_reset_are_found(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers(10) as load:
        shop.releases("2", ERROR_RATE="30%")
        await shop.answers(load, "2")
        forget_counters(shop)
        assert (await shop.is_rolled_back()).startswith("errors: ")
    assert load.report().lost_reasons == {}


async def a_slow_prometheus_is_waited_for(shop: Shop) -> None:
    await shop.opens(goods.FOUR_STEPS)
    async with shop.customers() as load:
        shop.town.gate.trick(shop.namespace, slow(1.5))
        shop.releases("2")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert shop.events("MetricsUnavailable") == []


async def one_that_is_too_slow_is_an_error(shop: Shop) -> None:
    await is_held_by(shop, slow(20), "no answer within 5s")


async def one_that_talks_nonsense_is_an_error(shop: Shop) -> None:
    await is_held_by(shop, event("<html>maintenance</html>"), "something that is not JSON")


async def is_held_by(shop: Shop, trick: Trick, words: str) -> None:
    """See that the weight is held for this reason while it lasts, and goes on after."""
    criteria = [{**goods.ERRORS, "errorLimit": 0}]
    await shop.opens(goods.FOUR_STEPS, successCriteria=criteria)
    async with shop.customers() as load:
        shop.town.gate.trick(shop.namespace, trick)
        shop.releases("2")
        await shop.is_at(25)
        await shop.until(partial(is_said, shop, words), words)
        assert shop.criterion("errors")["verdict"] == "error"
        assert shop.paused_for == "MetricsUnavailable"
        assert shop.weight == 25
        shop.town.gate.trick(shop.namespace, None)
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert "abort" not in shop.status


async def prometheus_stopped_for_half_a_minute(town: Town) -> None:
    """
    The good one is held and promoted after; the bad one failed meanwhile, and is caught after.

    Whether Prometheus has scraped either before it goes is left to chance: what it can't count is
    waited for.
    """
    good, bad = town.shop("good"), town.shop("bad")
    await asyncio.gather(good.opens(SLOWER), bad.opens(SLOWER))
    async with good.customers() as load, bad.customers() as bad_load:
        good.releases("2")
        await good.is_at(25)
        await town.sandbox.stop_prometheus()
        stopped_at = asyncio.get_running_loop().time()
        bad.releases("2", ERROR_RATE="15%")
        for shop in (good, bad):
            await shop.until(partial(is_said, shop, "can't be reached"))
            assert shop.paused_for == "MetricsUnavailable"
            assert shop.criterion("errors")["verdict"] == "error"
            assert shop.weight == 25
        over = stopped_at + OUTAGE_SECONDS
        while (left := over - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 1))  # the outage has to last
            assert (good.weight, bad.weight) == (25, 25)
        await town.sandbox.start_prometheus()
        reason = await bad.is_rolled_back()
        await good.is_promoted()
    assert reason.startswith("errors: ")
    assert bad_load.report().versions["1"].failed == 0
    assert load.report().failed == 0
    assert load.report().lost_reasons == bad_load.report().lost_reasons == {}


def is_said(shop: Shop, words: str) -> bool:
    """Return whether the criterion can't be measured, for this reason, and the release waits for it."""
    return words in shop.criterion("errors").get("message", "") and bool(shop.paused_for)


@pytest.mark.parametrize(
    "scenario",
    [
        an_expression_that_is_wrong_holds_the_weight_until_it_is_corrected,
        nothing_and_nan_are_no_data,
        a_value_beyond_its_limit_fails_after_three_looks,
        errors_that_stable_has_as_well_are_compared,
        counters_that_begin_anew_lose_nothing_and_count_nothing_twice,
        failures_after_a_reset_are_found,
        a_slow_prometheus_is_waited_for,
        one_that_is_too_slow_is_an_error,
        one_that_talks_nonsense_is_an_error,
        prometheus_stopped_for_half_a_minute,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
