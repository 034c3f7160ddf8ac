"""Releases whose size somebody else decides: autoscalers, and stable that makes room for its canary."""

from typing import Any

import pytest

from rollouts.model.kinds import AUTOSCALER, JSON, SCALED_OBJECT
from tests.sandbox.releases import goods
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.shop import Shop
from tests.sandbox.releases.switching import (
    blue_green,
    has_switched,
    hash_of,
    opens,
    pods_of,
    ready,
    releases,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TARGET: JSON = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": goods.NAME}
AT_ONCE: JSON = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}
PER_POD = 100


def demand(pods: int) -> JSON:
    """Return triggers that want so many pods."""
    metadata = {
        "serverAddress": "http://prometheus:9090",
        "query": f"vector({PER_POD * pods})",
        "threshold": str(PER_POD),
    }
    return {"triggers": [{"type": "prometheus", "metadata": metadata}]}


def scaled_object(namespace: str, pods: int) -> JSON:
    spec = {
        "scaleTargetRef": TARGET,
        "minReplicaCount": 2,
        "maxReplicaCount": 6,
        "advanced": {"horizontalPodAutoscalerConfig": AT_ONCE},
        **demand(pods),
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": goods.metadata(namespace),
        "spec": spec,
    }


def wanted(shop: Shop) -> int:
    """Return what spec.replicas says."""
    return int(shop.rollout["spec"]["replicas"])


def stable_pods(shop: Shop) -> int:
    return ready(pods_of(shop, hash_of(shop, "stableRevision")))


def canary_pods(shop: Shop) -> int:
    return ready(pods_of(shop, hash_of(shop, "currentRevision")))


async def has_pods(shop: Shop, stable: int, canary: int) -> None:
    await shop.until(
        lambda: (stable_pods(shop), canary_pods(shop)) == (stable, canary),
        f"{stable} and {canary} pods",
    )


async def keda_scales_a_release_on_its_way_up_and_never_below_its_start(shop: Shop) -> None:
    await shop.opens(goods.UNTIL_PROMOTED, replicas=2)
    shop.create(SCALED_OBJECT, scaled_object(shop.namespace, 4))
    await shop.until(lambda: wanted(shop) == 4 and stable_pods(shop) == 4, "4 pods")
    async with shop.customers(30) as load:
        shop.releases("2")
        await shop.is_at(50)
        await has_pods(shop, 4, 2)
        shop.edits(SCALED_OBJECT, goods.NAME, {"spec": demand(6)})
        await has_pods(shop, 6, 3)
        shop.edits(SCALED_OBJECT, goods.NAME, {"spec": demand(1)})
        await shop.until(lambda: wanted(shop) == 2, "2 wanted")
        await has_pods(shop, 4, 3)
        await shop.serves(load, 60)
        assert stable_pods(shop) == 4, f"all traffic may come back: {shop.account()}"
        shop.commands("promote")
        await shop.is_promoted()
        await shop.until(lambda: len(shop.pods()) == 2, "what is wanted, once nothing can go back")
    assert load.report().lost_reasons == {}
    assert wanted(shop) == 2, "nobody fights over spec.replicas"
    made = shop.get(AUTOSCALER, f"keda-hpa-{goods.NAME}")
    assert made is not None
    assert made["status"]["currentReplicas"] == made["status"]["desiredReplicas"] == 2


async def an_hpa_has_one_selector_before_and_after_a_switch(shop: Shop) -> None:
    await opens(shop, blue_green(postPromotionAnalysis={"duration": "60s"}))
    ended = await shop.kubectl(
        "autoscale", f"rollout/{goods.NAME}", "--min=3", "--max=5", "--cpu-percent=80"
    )
    assert ended.code == 0, ended.err
    await shop.until(lambda: wanted(shop) == 3 and stable_pods(shop) == 3, "its least")
    selector = shop.status["selector"]
    async with shop.customers() as load:
        releases(shop, "2")
        await has_switched(shop)
        await has_pods(shop, 3, 3)
        assert shop.status["selector"] == selector
        shop.commands("abort")
        await shop.is_rolled_back()
    assert load.report().lost_reasons == {}
    assert shop.status["selector"] == selector, "whoever learns by it goes on where it was"
    assert wanted(shop) == stable_pods(shop) == 3


def staying(shop: Shop) -> list[JSON]:
    """Return the pods that are not leaving."""
    return [pod for pod in shop.pods() if not pod["metadata"].get("deletionTimestamp")]


def making_room(*steps: JSON) -> JSON:
    strategy = goods.strategy([*steps])
    return {"canary": {**strategy["canary"], "dynamicStableScale": True}}


async def opens_with_room(shop: Shop, *steps: JSON, **spec: Any) -> None:
    await shop.opens([], strategy=making_room(*steps), replicas=4, **spec)


async def stable_makes_room_once_the_canary_serves_and_grows_before_it_has_to(shop: Shop) -> None:
    await opens_with_room(shop, *goods.UNTIL_PROMOTED)
    async with shop.customers(50) as load:
        shop.releases("2")
        await shop.is_at(50)
        await has_pods(shop, 2, 2)
        served = shop.status["weights"]["served"]
        assert served >= 40, "measured, before any stable pod went"
        assert len(staying(shop)) == 4, "no more than are paid for, but those that are leaving"
        shop.commands("abort")
        await shop.until(lambda: shop.weight == 0)
        assert stable_pods(shop) == 4, "all of it again before the traffic comes back"
        await shop.is_rolled_back()
        shop.commands("retry")
        await shop.is_at(50)
        await has_pods(shop, 2, 2)
        shop.commands("promote")
        await shop.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert len(shop.pods()) == 4


@pytest.mark.parametrize(
    "scenario",
    [
        keda_scales_a_release_on_its_way_up_and_never_below_its_start,
        an_hpa_has_one_selector_before_and_after_a_switch,
        stable_makes_room_once_the_canary_serves_and_grows_before_it_has_to,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
