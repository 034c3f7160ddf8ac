"""Releases as they should go: promoted when good, rolled back when bad, and never a lost request."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.load import LoadReport
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TWO_WEIGHTS: list[JSON] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def share_of(version: str, before: LoadReport, after: LoadReport) -> float:
    """Return the percentage of the answers between two reports that a version gave."""
    counts = {
        name: count.responses - (before.versions[name].responses if name in before.versions else 0)
        for name, count in after.versions.items()
    }
    return 100 * counts.get(version, 0) / sum(counts.values())


async def is_measured(shop: Shop, weight: int) -> None:
    """Wait until status says that the canary is served this share, nearly."""
    near = pytest.approx(weight, abs=15)
    await shop.until(lambda: shop.status["weights"].get("served", -1) == near, "as served")


async def a_good_release_gets_the_traffic_that_is_configured_and_is_promoted(shop: Shop) -> None:
    await shop.opens(TWO_WEIGHTS)
    async with shop.customers(50) as load:
        shop.releases("2")
        for weight in (20, 60):
            await shop.is_at(weight)
            before = load.report()
            await shop.serves(load, 260)
            assert share_of("2", before, load.report()) == pytest.approx(weight, abs=12)
            await is_measured(shop, weight)
            shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    await shop.until(lambda: shop.events("Promoted"), "the event")
    assert shop.criterion("errors")["failures"] == 0


async def a_bad_release_is_rolled_back(shop: Shop) -> None:
    await shop.opens([{"setWeight": 25}, {"pause": {"duration": "60s"}}])
    async with shop.customers(50) as load:
        shop.releases("2", ERROR_RATE="8%")
        reason = await shop.is_rolled_back()
    report = load.report()
    assert reason.startswith("errors: ")
    assert shop.status["abort"]["by"] == "rollouts"
    await shop.until(lambda: shop.events("RolledBack"), "the event")
    assert shop.phase == "Degraded"
    assert shop.stable == 1
    assert report.lost_reasons == {}
    assert report.versions["1"].failed == 0


async def a_newer_template_takes_over_in_the_middle(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.answers(load, "2")
        superseded = shop.status["currentRevision"]["hash"]
        shop.has_steps(goods.FOUR_STEPS)
        shop.releases("3")
        await shop.is_promoted(3)
    assert load.report().lost_reasons == {}
    assert not any(superseded in pod["metadata"]["name"] for pod in shop.pods())
    assert set(load.report().versions) == {"1", "2", "3"}
    assert load.report().versions["2"].last_at < load.report().versions["3"].first_at


async def the_stable_template_again_ends_a_release_without_steps(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        shop.releases("1")
        await shop.until(lambda: shop.events("BackToStable"))
        await shop.is_over()
        await shop.is_healthy()
    assert shop.weight == 0
    assert shop.stable == 1
    assert shop.status["currentRevision"]["number"] == 1
    assert load.report().lost_reasons == {}


async def a_rollback_cuts_off_testers_with_a_header(shop: Shop) -> None:
    header = {"canaryIngressAnnotations": {"canary-by-header": "X-Canary"}}
    await shop.opens([{"setWeight": 1}, {"pause": {}}], nginx=header)
    async with shop.customers(20, {"X-Canary": "always"}) as load:
        shop.releases("2")
        await shop.answers(load, "2")
        first = load.report().versions["1"].last_at
        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        ended = load.report()
        await shop.serves(load, 20)
        assert load.report().versions["2"].last_at == ended.versions["2"].last_at
        assert load.report().versions["1"].last_at > first
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_good_release_gets_the_traffic_that_is_configured_and_is_promoted,
        a_bad_release_is_rolled_back,
        a_newer_template_takes_over_in_the_middle,
        the_stable_template_again_ends_a_release_without_steps,
        a_rollback_cuts_off_testers_with_a_header,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
