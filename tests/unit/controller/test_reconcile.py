"""Whole canaries through the reconciler, on a cluster in memory and a clock moved by hand."""

from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.shop import Shop


async def test_a_first_deploy_becomes_stable_without_steps(shop: Shop) -> None:
    await shop.deployed()

    assert shop.status["stableRevision"]["number"] == 1
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    assert canary_weight(shop.cluster) is None


async def test_a_good_release_is_promoted_step_by_step(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")

    await shop.until(lambda: shop.status["phase"] == "Healthy" and "Promoted" in shop.reasons())
    await shop.run(20)

    assert shop.status["stableRevision"]["number"] == 2
    assert selected(shop.cluster, "checkout") == shop.status["currentRevision"]["hash"]
    assert canary_weight(shop.cluster) is None
