"""The canary's route after a promotion: it stays until the stable Service's new pods are known."""

from typing import Any

from rollouts.model.kinds import JSON, REPLICA_SET, Ref
from tests.fakes.kubernetes import canary_weight, selected, template
from tests.fakes.shop import STEPS, Shop


async def promoted(**canary: Any) -> Shop:
    """Return a shop right after a promotion."""
    shop = Shop()
    strategy: JSON = {
        "canary": {
            "stableService": "checkout",
            "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
            "steps": STEPS,
            "scaleDownDelaySeconds": 5,
            **canary,
        }
    }
    await shop.deployed(strategy=strategy)
    shop.release("shop:2")
    await shop.until(lambda: "Promoted" in shop.reasons())
    return shop


async def test_it_stays_as_long_as_it_is_asked_to_and_the_rollout_is_not_healthy_before() -> None:
    shop = await promoted(routeRemovalDelaySeconds=60)
    await shop.run(50)
    assert canary_weight(shop.cluster) == 100
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    assert shop.status["phase"] == "Progressing"
    assert "for load balancers" in shop.status["message"]
    await shop.run(15)
    assert canary_weight(shop.cluster) is None
    assert shop.status["phase"] == "Healthy"
    assert "routeEndsAt" not in shop.status


async def test_a_release_that_follows_at_once_begins_after_that_and_goes_through() -> None:
    shop = await promoted(routeRemovalDelaySeconds=60)
    await shop.run(10)
    shop.release("shop:3")
    await shop.run(40)
    assert canary_weight(shop.cluster) == 100, "it still has all the traffic"
    await shop.until(lambda: shop.status["phase"] == "Healthy", 240)
    running = shop.status["stableRevision"]["hash"]
    found = shop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{running}"))
    assert found is not None
    images = [each["image"] for each in found["spec"]["template"]["spec"]["containers"]]
    assert images == [each["image"] for each in template("shop:3")["spec"]["containers"]]
