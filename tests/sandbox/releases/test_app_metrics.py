"""A release judged by what its own pods count, on a real Prometheus."""

import pytest

from rollouts.model.kinds import JSON, ROLLOUT
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.waiting import known_to

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

CRITERIA: list[JSON] = [
    {**goods.ERRORS, "source": "app"},
    {"name": "p90", "latency": {"quantile": 0.9, "max": "1s"}, "source": "app"},
]


def template(version: str, *, scraped: bool = True, **environment: str) -> JSON:
    made = goods.template(version, **environment)
    annotations = {"prometheus.io/scrape": str(scraped).lower()}
    made["metadata"] = {**made["metadata"], "annotations": annotations}
    return made


async def failures_that_only_the_pods_count_are_the_canarys(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED, template=template("1"), successCriteria=CRITERIA)
    async with shop.customers() as load:
        # Only what was scraped before the release is known to have counted nothing then.
        scraped = f'http_requests_total{{namespace="{shop.namespace}"}} > 0'
        await known_to(shop.sandbox.prometheus_url, scraped)
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"template": template("2", ERROR_RATE="20%")}})
        reason = await shop.is_rolled_back()
    assert reason.startswith("errors: ")
    counted, seen = shop.criterion("errors"), load.report().versions
    assert counted["failures"] > 0
    assert counted["requests"] <= seen["2"].responses
    assert 0 < counted["stableRequests"] <= seen["1"].responses
    assert counted.get("stableFailures", 0) == 0
    assert shop.criterion("p90")["requests"] > 0
    assert load.report().lost_reasons == {}


async def what_nobody_scrapes_is_said_and_waits(shop: Shop) -> None:
    steps: list[JSON] = [{"setWeight": 50}, {"analysis": {"duration": "2s"}}]
    await shop.opens(steps, template=template("1"), successCriteria=CRITERIA[:1])
    async with shop.customers() as load:
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"template": template("2", scraped=False)}})
        await shop.until(lambda: shop.paused_for == "Inconclusive")
        said = shop.criterion("errors")
        assert said["verdict"] == "inconclusive"
        assert "revision 2's pods have not been scraped by Prometheus" in said["message"]
        assert "abort" not in shop.status
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        failures_that_only_the_pods_count_are_the_canarys,
        what_nobody_scrapes_is_said_and_waits,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
