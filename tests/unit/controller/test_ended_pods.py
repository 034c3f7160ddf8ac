"""A pod that was evicted by its node stays as an object, and is nobody's any more."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, Ref
from tests.fakes.adopted import AdoptedShop
from tests.fakes.shop import KEY, Shop
from tests.unit.controller.edits import BY_PODS, CANARY, paused


def pods_of(shop: Shop, role: str) -> list[JSON]:
    return shop.cluster.select(POD, "shop", {HASH_LABEL: shop.status[role]["hash"]})


async def leave_one_of_stable(shop: Shop) -> None:
    """Have a pod of the stable revision evicted, and another one made in its place."""
    shop.kubernetes.evict(pods_of(shop, "stableRevision")[0])
    await shop.run(3)
    assert len(pods_of(shop, "stableRevision")) == 5
    assert shop.status["phase"] == "Healthy"


async def promoted(shop: Shop) -> None:
    shop.command('{"id": "full", "verb": "promote-full"}')
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(30)


async def test_it_keeps_no_deployment_from_getting_its_place_back() -> None:
    shop = await AdoptedShop().adopted()
    await leave_one_of_stable(shop)
    shop.release("shop:2")
    await promoted(shop)
    shop.detach()
    await shop.gone()
    assert shop.workload["spec"]["replicas"] == 4


async def test_it_keeps_no_strategy_from_coming_into_force(shop: Shop) -> None:
    await shop.deployed(strategy=BY_PODS)
    await leave_one_of_stable(shop)
    shop.release("shop:2")
    await promoted(shop)
    shop.edit({"spec": {"strategy": {"canary": CANARY["canary"] | {"maxSurge": None}}}})
    await shop.run(5)
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]


async def test_its_revision_is_forgotten_like_any_other(shop: Shop) -> None:
    await shop.deployed(revisionHistoryLimit=0)
    first = shop.status["stableRevision"]["hash"]
    await leave_one_of_stable(shop)
    shop.release("shop:2")
    await promoted(shop)
    assert shop.get(Ref(REPLICA_SET, "shop", f"checkout-{first}")) is None


@pytest.mark.parametrize("role", ["currentRevision", "stableRevision"])
async def test_a_release_by_replicas_goes_on_beside_it(shop: Shop, role: str) -> None:
    await paused(shop, BY_PODS)
    shop.kubernetes.evict(pods_of(shop, role)[0])
    await shop.run(3)
    shop.command('{"id": "1", "verb": "promote"}')
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)


async def test_a_canary_that_lost_a_pod_by_eviction_is_not_one_that_failed(shop: Shop) -> None:
    """Its replacement is waited for, as that of a pod that a drain has deleted."""
    await paused(shop, CANARY)
    await shop.run(5)
    shop.command('{"id": "1", "verb": "promote"}')
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)
    oldest, _ = pods_of(shop, "currentRevision")
    shop.kubernetes.evict(oldest)
    await shop.reconciler.reconcile(KEY)
    await shop.run(5)
    assert shop.status.get("abort") is None
    assert shop.status["weights"]["applied"] == 50
