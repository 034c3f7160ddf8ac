"""Pods that do not start, or fail only once they have traffic: rolled back, and nobody waits for them."""

import copy

import pytest

from rollouts.controller.objects import labels_of
from rollouts.model.kinds import HASH_LABEL, INGRESS, POD, REPLICA_SET
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]


async def an_image_that_never_gets_ready_is_rolled_back_without_any_traffic(shop: Shop) -> None:
    await shop.opens(progressDeadlineSeconds=4)
    async with shop.customers() as load:
        shop.releases("2", NEVER_READY="true")
        reason = await shop.is_rolled_back()
    assert reason == "step 1 made no progress for 4s: 0 of 1 canary pods are available"
    assert set(load.report().versions) == {"1"}
    assert load.report().lost_reasons == {}
    assert [
        each for each in shop.town.audit.writes(shop.namespace) if each.resource == INGRESS.plural
    ] == []


async def an_image_that_does_not_exist_is_named_in_the_reason(shop: Shop) -> None:
    await shop.opens(progressDeadlineSeconds=4)
    shop.releases("missing")
    await shop.until(lambda: "ImagePullBackOff" in shop.message)
    assert "ImagePullBackOff" in await shop.is_rolled_back()


async def without_an_abort_at_the_deadline_it_is_degraded_until_the_next_template(
    shop: Shop,
) -> None:
    await shop.opens(progressDeadlineSeconds=3, progressDeadlineAbort=False)
    async with shop.customers() as load:
        shop.releases("2", NEVER_READY="true")
        await shop.until(lambda: shop.phase == "Degraded")
        assert "abort" not in shop.status
        shop.releases("3")
        await shop.is_promoted(3)
    assert set(load.report().versions) == {"1", "3"}
    assert load.report().lost_reasons == {}


async def pods_that_crash_under_traffic_only_are_rolled_back_at_once(shop: Shop) -> None:
    """Without success criteria: what the pods do is enough."""
    await shop.opens(goods.UNTIL_PROMOTED, successCriteria=[])
    async with shop.customers() as load:
        shop.releases("2", CRASH_AFTER_REQUESTS="5")
        reason = await shop.is_rolled_back()
        before = load.report()
        await shop.serves(load, 60)
    assert "ready" in reason or "crash again and again" in reason
    after = load.report()
    assert after.versions["2"].responses < 20
    assert after.lost == before.lost, "nothing is lost once it is rolled back"
    assert after.versions["1"].failed == 0


async def a_canary_whose_only_pod_is_taken_away_waits_at_0_and_goes_on(shop: Shop) -> None:
    await shop.opens([{"setWeight": 10}, {"pause": {}}], successCriteria=[])
    async with shop.customers() as load:
        shop.releases("2")
        await shop.until(lambda: shop.phase == "Paused")
        weight, revision = shop.weight, shop.status["currentRevision"]["hash"]
        (pod,) = (each for each in shop.pods() if labels_of(each)[HASH_LABEL] == revision)
        shop.removes(POD, pod["metadata"]["name"])
        await shop.until(lambda: bool(shop.events("Disrupted")))
        await shop.until(lambda: shop.phase == "Paused")
        assert shop.weight == weight
        shop.commands("promote")
        await shop.is_promoted(2)
    told = [each["reason"] for each in shop.status["history"]]
    assert [each for each in told if each in ("WeightSet", "Disrupted")] == [
        "WeightSet",
        "Disrupted",
        "WeightSet",
        "WeightSet",
    ]
    assert load.report().lost_reasons == {}


def loses_its_pods(shop: Shop, hash_: str) -> None:
    """End the pods of a revision, and have those that replace them never be ready."""
    name = f"{goods.NAME}-{hash_}"
    (replica_set,) = (each for each in shop.replica_sets() if each["metadata"]["name"] == name)
    spec = copy.deepcopy(replica_set["spec"]["template"]["spec"])
    spec["containers"][0]["env"].append({"name": "NEVER_READY", "value": "true"})
    shop.edits(REPLICA_SET, name, {"spec": {"template": {"spec": spec}}})
    for pod in shop.pods():
        if labels_of(pod)[HASH_LABEL] == hash_:
            shop.removes(POD, pod["metadata"]["name"])


async def while_stable_has_no_pod_nobody_is_answered_and_it_says_so_and_the_way_out(
    shop: Shop,
) -> None:
    """An Ingress whose Service has no endpoint is answered with 503, its canary's share included."""
    await shop.opens(goods.UNTIL_PROMOTED)
    shop.releases("2")
    await shop.is_at(50)
    loses_its_pods(shop, shop.status["stableRevision"]["hash"])
    await shop.until(lambda: "stable has no ready pod" in shop.message)
    async with shop.customers(50) as load:
        await shop.serves(load, 50)
    assert load.report().versions == {}
    assert "ingress-nginx answers nobody until it has one, a canary neither" in shop.message
    assert "promote --full gives the new revision everything" in shop.message
    shop.commands("promote-full")
    await shop.is_promoted(2)
    async with shop.customers(50) as load:
        await shop.serves(load, 50)
    assert set(load.report().versions) == {"2"}


@pytest.mark.parametrize(
    "scenario",
    [
        an_image_that_never_gets_ready_is_rolled_back_without_any_traffic,
        an_image_that_does_not_exist_is_named_in_the_reason,
        without_an_abort_at_the_deadline_it_is_degraded_until_the_next_template,
        pods_that_crash_under_traffic_only_are_rolled_back_at_once,
        a_canary_whose_only_pod_is_taken_away_waits_at_0_and_goes_on,
        while_stable_has_no_pod_nobody_is_answered_and_it_says_so_and_the_way_out,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
