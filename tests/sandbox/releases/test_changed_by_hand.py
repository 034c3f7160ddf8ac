"""Somebody changes or removes what a release rests on: it is put back, or the release ends safely."""

import pytest

from rollouts.model.kinds import HASH_LABEL, INGRESS, JSON, ROLLOUT, SERVICE
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

WEIGHT = f"{goods.ANNOTATION}/canary-weight"


async def a_rollout_deleted_in_the_middle_takes_with_it_what_it_made(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    shop.releases("2")
    await shop.is_at(50)
    mine = shop.get(INGRESS, goods.NAME)
    assert mine is not None

    shop.removes(ROLLOUT, goods.NAME)
    await shop.until(lambda: not shop.pods())
    assert shop.get(INGRESS, goods.CANARY_INGRESS) is None
    assert shop.get(SERVICE, goods.CANARY) is None
    assert shop.replica_sets() == []
    assert shop.get(SERVICE, goods.STABLE) is not None
    left = shop.get(INGRESS, goods.NAME)
    assert left is not None
    assert left["metadata"]["generation"] == mine["metadata"]["generation"]


async def a_rollout_deleted_alone_in_the_middle_goes_on_when_it_is_there_again(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        again = shop.rollout_body(goods.UNTIL_PROMOTED)
        again["spec"]["template"] = shop.rollout["spec"]["template"]
        shop.store.delete(ROLLOUT, shop.namespace, goods.NAME, propagation="Orphan")
        await shop.until(lambda: not shop.rollout and not any(owners(shop)))

        shop.create(ROLLOUT, again)
        await shop.until(lambda: "weights" in shop.status)
        await shop.is_at(50)
        assert owners(shop) == [shop.rollout["metadata"]["uid"]] * 4
        shop.commands("promote")
        await shop.is_promoted(3)
    assert load.report().lost_reasons == {}


def owners(shop: Shop) -> list[str]:
    """Return the uid of the owner of each object that was made, or an empty one."""
    made = [shop.get(INGRESS, goods.CANARY_INGRESS), shop.get(SERVICE, goods.CANARY)]
    found = [each["metadata"] for each in (*shop.replica_sets(), *made) if each is not None]
    return [str((each.get("ownerReferences") or [{}])[0].get("uid", "")) for each in found]


async def a_stable_service_that_was_deleted_and_made_again_is_bound_again(shop: Shop) -> None:
    await shop.opens(goods.FOUR_STEPS, successCriteria=[])
    shop.releases("2")
    await shop.is_at(25)
    shop.removes(SERVICE, goods.STABLE)
    await shop.until(lambda: "Service web does not exist" in shop.message)
    assert shop.weight == 25, "the weight does not rise without a way back"
    shop.create(SERVICE, goods.service(shop.namespace))
    await shop.is_promoted()
    assert shop.selects(goods.STABLE)[HASH_LABEL] == shop.status["stableRevision"]["hash"]


async def a_deleted_canary_service_means_rollback(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    shop.releases("2")
    await shop.is_at(50)
    shop.removes(SERVICE, goods.CANARY)
    assert await shop.is_rolled_back() == "Service web-canary is gone while it has traffic"
    async with shop.customers() as load:
        await shop.serves(load, 30)
    assert set(load.report().versions) == {"1"}
    assert load.report().lost_reasons == {}


async def an_edited_canary_ingress_is_put_back(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        shop.edits(INGRESS, goods.CANARY_INGRESS, {"metadata": {"annotations": {WEIGHT: "90"}}})
        await shop.until(lambda: shop.weight == 50)
        await shop.until(lambda: shop.events("DriftCorrected"))
        assert shop.events("DriftCorrected") == [
            "the canary's route says 90 %; it is put back to 50 %"
        ]

        rule: JSON = {"host": f"else.{shop.host}", "http": {"paths": [goods.path()]}}
        shop.edits(INGRESS, goods.CANARY_INGRESS, {"spec": {"rules": [rule]}})
        await shop.until(
            lambda: "the canary's route was changed" in str(shop.events("DriftCorrected"))
        )
        await shop.until(lambda: hosts(shop) == [shop.host])
        assert shop.status["weights"]["applied"] == 50
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


def hosts(shop: Shop) -> list[str]:
    canary = shop.get(INGRESS, goods.CANARY_INGRESS) or {"spec": {"rules": []}}
    return [rule["host"] for rule in canary["spec"]["rules"]]


async def a_deleted_canary_ingress_is_put_back(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        shop.releases("2")
        await shop.is_at(50)
        shop.removes(INGRESS, goods.CANARY_INGRESS)
        await shop.until(lambda: shop.weight == 50)
        await shop.until(lambda: shop.events("DriftCorrected"))
        assert shop.events("DriftCorrected") == [
            "the canary's route is gone; it is put back to 50 %"
        ]
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def an_edited_selector_of_the_stable_service_is_put_back(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED)
    async with shop.customers() as load:
        bound = shop.selects(goods.STABLE)
        shop.edits(SERVICE, goods.STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
        await shop.until(lambda: shop.selects(goods.STABLE) == bound)
        await shop.until(lambda: len(shop.events("DriftCorrected")) == 1)
        await shop.is_healthy()

        shop.releases("2")
        await shop.is_at(50)
        canary = shop.status["currentRevision"]["hash"]
        shop.edits(SERVICE, goods.STABLE, {"spec": {"selector": {HASH_LABEL: canary}}})
        await shop.until(lambda: shop.selects(goods.STABLE) == bound)
        await shop.until(lambda: len(shop.events("DriftCorrected")) == 2)
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_rollout_deleted_in_the_middle_takes_with_it_what_it_made,
        a_rollout_deleted_alone_in_the_middle_goes_on_when_it_is_there_again,
        a_stable_service_that_was_deleted_and_made_again_is_bound_again,
        a_deleted_canary_service_means_rollback,
        an_edited_canary_ingress_is_put_back,
        a_deleted_canary_ingress_is_put_back,
        an_edited_selector_of_the_stable_service_is_put_back,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
