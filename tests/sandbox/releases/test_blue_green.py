"""Blue-green: the Service switches to a revision that is ready, bakes it, and goes back in one write."""

import pytest

from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    INGRESS,
    JSON,
    MANAGED_BY_LABEL,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
)
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import (
    PREVIEW,
    blue_green,
    has_switched,
    hash_of,
    in_turn,
    opens,
    pods_of,
    ready,
    releases,
    selected,
    switches,
    template,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

LONG: JSON = {"postPromotionAnalysis": {"duration": "60s"}}


async def a_preview_is_looked_at_and_the_switch_is_one_write(shop: Shop) -> None:
    await opens(shop, blue_green(autoPromotionEnabled=False))
    old, begin = selected(shop, goods.STABLE), len(shop.town.audit)
    async with shop.customers() as load:
        releases(shop, "2")
        await shop.until(lambda: shop.paused_for == "PauseStep", "the preview")
        new = hash_of(shop, "currentRevision")
        preview = shop.get(SERVICE, PREVIEW)
        assert preview is not None
        assert preview["metadata"]["labels"][MANAGED_BY_LABEL] == goods.NAME
        assert (selected(shop, PREVIEW), selected(shop, goods.STABLE)) == (new, old)
        assert ready(pods_of(shop, new)) == 2
        assert shop.message == "step 2/3 before the switch: waits for promotion"
        assert set(load.report().versions) == {"1"}

        shop.commands("promote")
        await shop.is_promoted()
        assert switches(shop, begin) == 1
        assert in_turn(load, "1", "2")
    assert load.report().lost_reasons == {}
    assert {selected(shop, each) for each in (goods.STABLE, PREVIEW)} == {new}


async def the_preview_is_switched_only_onto_pods_that_are_ready(shop: Shop) -> None:
    shop.create(SERVICE, goods.service(shop.namespace, PREVIEW))
    await opens(shop, blue_green(previewReplicaCount=1, autoPromotionEnabled=False), replicas=3)
    await shop.until(lambda: selected(shop, PREVIEW) == hash_of(shop, "stableRevision"))
    async with shop.customers() as load:
        releases(shop, "2", START_DELAY="1s")
        await shop.until(
            lambda: (
                selected(shop, PREVIEW)
                == hash_of(shop, "currentRevision")
                != selected(shop, goods.STABLE)
            )
        )
        pods = pods_of(shop, hash_of(shop, "currentRevision"))
        assert (len(pods), ready(pods)) == (1, 1)
        await shop.until(lambda: shop.paused_for == "PauseStep", "the preview")
        shop.commands("promote")
        await has_switched(shop)
        assert ready(pods_of(shop, hash_of(shop, "currentRevision"))) == 3
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert "abort" not in shop.status


async def a_bake_that_fails_is_switched_back(shop: Shop) -> None:
    await opens(shop, blue_green(**LONG))
    old, begin = selected(shop, goods.STABLE), len(shop.town.audit)
    async with shop.customers(40) as load:
        releases(shop, "2", ERROR_RATE="30%")
        reason = await shop.is_rolled_back()
    assert reason.startswith("errors: ")
    assert selected(shop, goods.STABLE) == old
    assert switches(shop, begin) == 2
    assert load.report().lost_reasons == {}
    assert load.report().versions["1"].failed == 0


async def until_the_old_pods_go_the_way_back_is_one_write(shop: Shop) -> None:
    await opens(shop, blue_green(**LONG, scaleDownDelaySeconds=60))
    old, begin = selected(shop, goods.STABLE), len(shop.town.audit)
    async with shop.customers() as load:
        releases(shop, "2")
        await has_switched(shop)
        assert ready(pods_of(shop, old)) == 2
        shop.commands("abort")
        await shop.until(lambda: selected(shop, goods.STABLE) == old)
        assert "aborted" in await shop.is_rolled_back()
        assert switches(shop, begin) == 2

        shop.commands("retry")
        await has_switched(shop)
        shop.commands("promote")
        await shop.until(lambda: shop.phase == "Healthy" and shop.stable > 1, "promotion")
        assert ready(pods_of(shop, old)) == 2
        shop.commands("rollback")
        await shop.until(lambda: selected(shop, goods.STABLE) == old)
        assert "rolled back" in await shop.is_rolled_back()
        assert switches(shop, begin) == 4
    assert load.report().lost_reasons == {}
    assert shop.stable == 1


async def a_newer_template_in_the_bake_goes_back_first(shop: Shop) -> None:
    await opens(shop, blue_green(**LONG))
    async with shop.customers() as load:
        releases(shop, "2")
        await has_switched(shop)
        await shop.answers(load, "2")
        superseded = hash_of(shop, "currentRevision")
        releases(shop, "3")
        await shop.until(lambda: selected(shop, goods.STABLE) == hash_of(shop, "stableRevision"))
        await has_switched(shop)
        shop.commands("promote")
        await shop.is_promoted(3)
        assert in_turn(load, "2", "3")
    assert load.report().lost_reasons == {}
    assert pods_of(shop, superseded) == []


async def a_service_in_use_without_the_label_is_taken_over(shop: Shop) -> None:
    shop.create(SERVICE, goods.service(shop.namespace))
    shop.create(INGRESS, goods.ingress(shop.namespace))
    deployment = {
        "replicas": 2,
        "selector": {"matchLabels": goods.LABELS},
        "template": template("0"),
    }
    shop.create(DEPLOYMENT, {"metadata": goods.metadata(shop.namespace), "spec": deployment})
    await shop.until(lambda: ready(shop.pods()) == 2)
    async with shop.customers() as load:
        await shop.until(lambda: "0" in load.report().versions, "nginx knows the pods")
        before = load.report().lost
        body = shop.rollout_body([], strategy=blue_green(), template=template("1"))
        shop.create(ROLLOUT, body)
        await shop.is_healthy()
        assert selected(shop, goods.STABLE) == hash_of(shop, "stableRevision")
        shop.removes(DEPLOYMENT, goods.NAME)
        await shop.is_over()
        await shop.answers(load, "1")
    assert load.report().lost == before


async def what_is_changed_by_hand_is_put_back(shop: Shop) -> None:
    await opens(shop, blue_green(**LONG))
    async with shop.customers() as load:
        releases(shop, "2")
        await has_switched(shop)
        old, new = hash_of(shop, "stableRevision"), hash_of(shop, "currentRevision")
        shop.edits(SERVICE, goods.STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
        await shop.until(lambda: selected(shop, goods.STABLE) == new)
        await shop.until(lambda: len(shop.events("DriftCorrected")) == 1)
        shop.edits(REPLICA_SET, f"{goods.NAME}-{old}", {"spec": {"replicas": 1}})
        await shop.until(lambda: ready(pods_of(shop, old)) == 2 == len(pods_of(shop, old)))
        shop.edits(REPLICA_SET, f"{goods.NAME}-{new}", {"spec": {"replicas": 3}})
        await shop.until(lambda: len(pods_of(shop, new)) == 2)
        shop.edits(ROLLOUT, goods.NAME, {"spec": {"replicas": 3}})
        await shop.until(lambda: ready(pods_of(shop, old)) == ready(pods_of(shop, new)) == 3)
        assert selected(shop, goods.STABLE) == new
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}


async def a_missing_active_service_is_waited_for(shop: Shop) -> None:
    shop.create(INGRESS, goods.ingress(shop.namespace))
    shop.create(ROLLOUT, shop.rollout_body([], strategy=blue_green(), successCriteria=[]))
    says = "Service web does not exist; create it, or correct activeService"
    await shop.until(lambda: shop.phase == "Degraded" and shop.message == says)
    assert shop.condition("Ready")["message"] == says
    shop.create(SERVICE, goods.service(shop.namespace))
    await shop.is_healthy()

    shop.removes(SERVICE, goods.STABLE)
    releases(shop, "2")
    await shop.until(lambda: says in shop.message and shop.status["currentRevision"]["number"] == 2)
    shop.create(SERVICE, goods.service(shop.namespace))
    await shop.is_promoted()
    assert selected(shop, goods.STABLE) == hash_of(shop, "stableRevision")


@pytest.mark.parametrize(
    "scenario",
    [
        a_preview_is_looked_at_and_the_switch_is_one_write,
        the_preview_is_switched_only_onto_pods_that_are_ready,
        a_bake_that_fails_is_switched_back,
        until_the_old_pods_go_the_way_back_is_one_write,
        a_newer_template_in_the_bake_goes_back_first,
        a_service_in_use_without_the_label_is_taken_over,
        what_is_changed_by_hand_is_put_back,
        a_missing_active_service_is_waited_for,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
