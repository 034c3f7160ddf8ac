"""Canaries without a router: their share of the pods is their share of the traffic."""

import pytest

from rollouts.model.kinds import JSON, REPLICA_SET
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import (
    by_replicas,
    hash_of,
    in_turn,
    opens,
    pods_of,
    ready,
    releases,
)
from tests.sandbox.releases.test_releases import share_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

HELD: JSON = {"duration": "4s"}


async def has(shop: Shop, weight: int) -> None:
    """Wait until the canary has this share of the pods, and status says so."""
    await shop.until(lambda: shop.status["weights"]["applied"] == weight, f"{weight} %")


def wanted(shop: Shop, hash_: str) -> int:
    found = shop.get(REPLICA_SET, f"{goods.NAME}-{hash_}") or {"spec": {"replicas": 0}}
    return int(found["spec"]["replicas"])


async def the_share_of_the_pods_is_the_share_of_the_traffic(shop: Shop) -> None:
    await opens(shop, by_replicas(25, 50, pause=HELD), replicas=4)
    async with shop.customers(50) as load:
        releases(shop, "2")
        for weight in (25, 50):
            await has(shop, weight)
            assert ready(pods_of(shop, hash_of(shop, "currentRevision"))) == weight // 25
            assert len(shop.pods()) <= 5, "maxSurge is 25 % of 4"
            await shop.answers(load, "2")
            before = load.report()
            await shop.serves(load, 150)
            assert share_of("2", before, load.report()) == pytest.approx(weight, abs=12)
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert len(shop.pods()) == 4


async def a_bad_release_gives_its_pods_back(shop: Shop) -> None:
    await opens(shop, by_replicas(25, pause={}), replicas=4)
    async with shop.customers(50) as load:
        releases(shop, "2", ERROR_RATE="30%")
        reason = await shop.is_rolled_back()
    assert reason.startswith("errors: ")
    assert ready(pods_of(shop, hash_of(shop, "stableRevision"))) == 4
    assert load.report().lost_reasons == {}
    assert load.report().versions["1"].failed == 0


async def a_weight_that_can_not_be_had_is_rounded_and_said(shop: Shop) -> None:
    await opens(shop, by_replicas(5, pause={}, maxSurge=1, maxUnavailable=0), replicas=3)
    async with shop.customers() as load:
        releases(shop, "2")
        await has(shop, 33)
        said = "the canary has 33 % of the pods, the nearest to 5 % that whole pods can be"
        assert said in [each["message"] for each in shop.status["history"]]
        assert len(pods_of(shop, hash_of(shop, "currentRevision"))) == 1
        shop.commands("promote-full")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def a_single_pod_is_replaced_by_a_second(shop: Shop) -> None:
    await opens(shop, by_replicas(), replicas=1)
    async with shop.customers() as load:
        releases(shop, "2")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def aborted_superseded_and_scaled_by_hand_it_loses_nothing(shop: Shop) -> None:
    await opens(shop, by_replicas(50, pause={}), replicas=4)
    async with shop.customers() as load:
        releases(shop, "2")
        await has(shop, 50)
        canary = hash_of(shop, "currentRevision")
        shop.edits(REPLICA_SET, f"{goods.NAME}-{canary}", {"spec": {"replicas": 4}})
        await shop.until(lambda: wanted(shop, canary) == 2, "two canary pods again")
        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        shop.commands("retry")
        await has(shop, 50)
        await shop.answers(load, "2")
        releases(shop, "3")
        await shop.until(lambda: shop.status["currentRevision"]["number"] == 3)
        await has(shop, 50)
        await shop.until(lambda: pods_of(shop, canary) == [], "the end of the superseded pods")
        await shop.answers(load, "3")
        shop.commands("promote")
        await shop.is_promoted(3)
        assert in_turn(load, "1", "3") is False, "both share the traffic"
        assert load.report().versions["2"].last_at < load.report().versions["3"].last_at
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        the_share_of_the_pods_is_the_share_of_the_traffic,
        a_bad_release_gives_its_pods_back,
        a_weight_that_can_not_be_had_is_rounded_and_said,
        a_single_pod_is_replaced_by_a_second,
        aborted_superseded_and_scaled_by_hand_it_loses_nothing,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
