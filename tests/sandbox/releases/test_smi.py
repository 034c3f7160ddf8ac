"""Releases by a TrafficSplit of SMI, seen in real traffic; and what becomes of one that somebody touches."""

import pytest

from rollouts.model.kinds import JSON, ROLLOUT, SERVICE, TRAFFIC_SPLIT
from tests.sandbox.releases import goods
from tests.sandbox.releases.routed import (
    QUICK_STEPS,
    SMI,
    customers,
    gets,
    has,
    ingress,
    opens,
    rollout,
    split,
    strategy,
)
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import releases
from tests.sandbox.releases.test_releases import TWO_WEIGHTS

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

ROOT = f"{goods.NAME}-root"
BY_ROOT: JSON = {"smi": {"rootService": ROOT, "trafficSplitName": "shares"}}


def foreign(shop: Shop, name: str, *, service: str = goods.STABLE) -> JSON:
    """Return a TrafficSplit that is nobody's."""
    backends = [{"service": goods.STABLE, "weight": 1}]
    return {
        "metadata": goods.metadata(shop.namespace, name),
        "spec": {"service": service, "backends": backends},
    }


async def a_split_sends_the_share_that_is_configured_and_goes(shop: Shop) -> None:
    await opens(shop, rollout(shop, SMI, TWO_WEIGHTS), ingress(shop))
    assert split(shop) == []
    async with customers(shop, 30) as load:
        releases(shop, "2")
        for weight in (20, 60):
            await has(shop, weight)
            assert split(shop) == [100 - weight, weight]
            await gets(shop, weight, load)
            shop.commands("promote")
        await shop.is_promoted()
        await shop.until(lambda: split(shop) == [], "no split at rest")
    assert load.report().failed == 0


async def over_a_root_of_its_own_a_split_rests_at_stable(shop: Shop) -> None:
    shop.create(SERVICE, goods.service(shop.namespace, ROOT))
    body = rollout(shop, BY_ROOT, goods.UNTIL_PROMOTED)
    await opens(shop, body, ingress(shop, service=ROOT))
    await shop.until(lambda: split(shop, "shares") == [100, 0], "a split at rest")
    async with customers(shop, 30) as load:
        releases(shop, "2", ERROR_RATE="30%")
        reason = await shop.is_rolled_back()
        assert reason.startswith("errors: ")
        assert split(shop, "shares") == [100, 0]
        assert load.report().versions["1"].failed == 0
        releases(shop, "3")
        await has(shop, 50)
        assert split(shop, "shares") == [50, 50]
        shop.commands("promote")
        await shop.is_promoted(3)
        assert split(shop, "shares") == [100, 0]
    shop.removes(ROLLOUT, goods.NAME)
    await shop.until(lambda: split(shop, "shares") == [], "gone with the Rollout")


async def aborted_and_superseded_a_split_goes_back_first(shop: Shop) -> None:
    await opens(shop, rollout(shop, SMI, goods.UNTIL_PROMOTED), ingress(shop))
    async with customers(shop) as load:
        releases(shop, "2")
        await has(shop, 50)
        shop.commands("abort")
        assert "aborted" in await shop.is_rolled_back()
        assert split(shop) == []
        shop.commands("retry")
        await has(shop, 50)
        await shop.answers(load, "2")
        superseded = shop.status["currentRevision"]["hash"]
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"strategy": strategy(SMI, QUICK_STEPS)}})
        releases(shop, "3")
        await shop.until(lambda: shop.stable > 1, "promotion")
        await shop.is_over()
        assert not any(superseded in pod["metadata"]["name"] for pod in shop.pods())
        assert load.report().versions["2"].last_at < load.report().versions["3"].first_at
    assert split(shop) == []


async def a_split_that_somebody_touches_is_put_back(shop: Shop) -> None:
    await opens(shop, rollout(shop, SMI, goods.UNTIL_PROMOTED), ingress(shop))
    async with customers(shop):
        releases(shop, "2")
        await has(shop, 50)
        shop.edits(TRAFFIC_SPLIT, goods.NAME, {"spec": {"backends": foreign_backends(10)}})
        await shop.until(lambda: split(shop) == [50, 50], "put back")
        await shop.until(lambda: shop.events("DriftCorrected"), "the event")
        assert shop.events("DriftCorrected") == [
            "the canary's route says 10 %; it is put back to 50 %"
        ]

        shop.edits(TRAFFIC_SPLIT, goods.NAME, {"spec": {"matches": [{"name": "x"}]}})
        await shop.until(lambda: "was changed" in str(shop.events("DriftCorrected")), "the event")
        await shop.until(
            lambda: "matches" not in (shop.get(TRAFFIC_SPLIT, goods.NAME) or {})["spec"],
            "without matches",
        )

        shop.removes(TRAFFIC_SPLIT, goods.NAME)
        await shop.until(lambda: split(shop) == [50, 50], "made again")
        await shop.until(lambda: "is gone" in str(shop.events("DriftCorrected")), "the event")
        assert shop.status["weights"]["applied"] == 50
        shop.commands("promote")
        await shop.is_promoted()
    assert split(shop) == []


def foreign_backends(weight: int) -> list[JSON]:
    return [
        {"service": goods.STABLE, "weight": 100 - weight},
        {"service": goods.CANARY, "weight": weight},
    ]


async def a_split_that_is_not_ours_is_never_written(shop: Shop) -> None:
    await opens(shop, rollout(shop, SMI, goods.UNTIL_PROMOTED), ingress(shop))
    theirs = shop.create(TRAFFIC_SPLIT, foreign(shop, goods.NAME, service="else"))
    second = shop.create(TRAFFIC_SPLIT, foreign(shop, "second"))
    releases(shop, "2")
    says = f"TrafficSplit {goods.NAME} exists and is not this Rollout's"
    await shop.until(lambda: says in shop.condition("Preflight").get("message", ""), "the trap")
    await shop.until(lambda: says in shop.message, "words")
    assert shop.condition("Preflight")["reason"] == "TrafficSplitNotOurs"
    assert (
        "TrafficSplit second splits Service web already" in shop.condition("Preflight")["message"]
    )
    assert shop.status["weights"]["applied"] == 0
    shop.removes(TRAFFIC_SPLIT, goods.NAME)
    await shop.until(
        lambda: shop.condition("Preflight").get("reason") == "SecondTrafficSplit", "the other trap"
    )
    assert split(shop) == []
    assert shop.get(TRAFFIC_SPLIT, "second") == second
    assert theirs["metadata"]["generation"] == 1
    shop.removes(TRAFFIC_SPLIT, "second")
    await has(shop, 50)
    shop.commands("promote-full")
    await shop.is_promoted()


@pytest.mark.parametrize(
    "scenario",
    [
        a_split_sends_the_share_that_is_configured_and_goes,
        over_a_root_of_its_own_a_split_rests_at_stable,
        aborted_and_superseded_a_split_goes_back_first,
        a_split_that_somebody_touches_is_put_back,
        a_split_that_is_not_ours_is_never_written,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
