"""The canary's route after a promotion: it stays until the stable Service's new pods are known."""

from typing import Any

from rollouts.model.kinds import JSON, REPLICA_SET, Ref
from tests.fakes.control_loop import STEPS, ControlLoop
from tests.fakes.kubernetes import canary_weight, selected, template


async def promoted(**canary: Any) -> ControlLoop:
    """Return a loop right after a promotion."""
    loop = ControlLoop()
    strategy: JSON = {
        "canary": {
            "stableService": "checkout",
            "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
            "steps": STEPS,
            "scaleDownDelaySeconds": 5,
            **canary,
        }
    }
    await loop.deployed(strategy=strategy)
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons())
    return loop


async def test_it_stays_as_long_as_it_is_asked_to_and_the_rollout_is_not_healthy_before() -> None:
    loop = await promoted(routeRemovalDelaySeconds=60)
    await loop.run(50)
    assert canary_weight(loop.cluster) == 100
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert loop.status["phase"] == "Progressing"
    assert "for load balancers" in loop.status["message"]
    await loop.run(15)
    assert canary_weight(loop.cluster) is None
    assert loop.status["phase"] == "Healthy"
    assert "routeEndsAt" not in loop.status


async def test_a_release_that_follows_at_once_begins_after_that_and_goes_through() -> None:
    loop = await promoted(routeRemovalDelaySeconds=60)
    await loop.run(10)
    loop.release("shop:3")
    await loop.run(40)
    assert canary_weight(loop.cluster) == 100, "it still has all the traffic"
    await loop.until(lambda: loop.status["phase"] == "Healthy", 240)
    running = loop.status["stableRevision"]["hash"]
    found = loop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{running}"))
    assert found is not None
    images = [each["image"] for each in found["spec"]["template"]["spec"]["containers"]]
    assert images == [each["image"] for each in template("shop:3")["spec"]["containers"]]
