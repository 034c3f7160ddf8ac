"""A canary whose pods are taken away, stop being ready, or find no room: by no fault of the release."""

from collections.abc import Callable

import pytest

from rollouts.errors import Unavailable
from rollouts.model.kinds import HASH_LABEL, INGRESS, JSON, POD, Ref
from tests.fakes.kubernetes import Kubernetes, canary_weight, selected
from tests.fakes.shop import KEY, Shop
from tests.unit.controller.edits import BLUE_GREEN, BY_PODS, CANARY, NGINX, paused, stepping

HELD = "all canary pods are gone by no fault of theirs; its weight is 0 until others are available"
WAYS_TO_GO: dict[str, Callable[[Kubernetes, JSON, Shop], None]] = {
    "evicted by its kubelet": lambda kubernetes, pod, _: kubernetes.evict(pod),
    "drained": lambda kubernetes, pod, _: kubernetes.drain(pod),
    "on a node that does not answer": lambda kubernetes, pod, shop: kubernetes.lose(
        pod, shop.clock.now()
    ),
}


def canary_pods(shop: Shop) -> list[JSON]:
    return shop.cluster.select(POD, "shop", {HASH_LABEL: shop.status["currentRevision"]["hash"]})


def stable_pods(shop: Shop) -> list[JSON]:
    return shop.cluster.select(POD, "shop", {HASH_LABEL: shop.status["stableRevision"]["hash"]})


def aborted(shop: Shop) -> JSON | None:
    found: JSON | None = shop.status.get("abort")
    return found


async def disrupt(shop: Shop, how: str = "drained") -> None:
    """Take all canary pods away, and have the controller see that before any replacement is ready."""
    for pod in canary_pods(shop):
        WAYS_TO_GO[how](shop.kubernetes, pod, shop)
    await shop.reconciler.reconcile(KEY)


@pytest.mark.parametrize("how", WAYS_TO_GO)
async def test_a_canary_that_lost_its_only_pod_waits_at_0_and_goes_on(shop: Shop, how: str) -> None:
    await paused(shop, CANARY)
    (pod,) = canary_pods(shop)
    step = shop.status["step"]
    shop.kubernetes.is_full = True

    await disrupt(shop, how)
    assert canary_weight(shop.cluster) == 0, "in the decision that sees it"
    await shop.run(20)
    assert (canary_weight(shop.cluster), shop.status["phase"]) == (0, "Progressing")
    assert HELD in shop.status["message"]
    assert aborted(shop) is None
    assert shop.status["weights"]["desired"] == 25

    shop.kubernetes.is_full = False
    if "not answer" in how:
        shop.kubernetes.recover(pod)
    await shop.run(5)
    assert canary_weight(shop.cluster) == 25
    assert (shop.status["step"], shop.status["phase"]) == (step, "Paused")
    assert "disruptedAt" not in shop.status["weights"]


async def test_the_step_begins_again_by_its_own_clock(shop: Shop) -> None:
    await stepping(shop, CANARY)
    began = shop.status["stepStartedAt"]
    await disrupt(shop)
    await shop.run(5)
    assert canary_weight(shop.cluster) == 50
    assert shop.status["stepStartedAt"] > began
    assert "1h" in shop.status["message"]


async def test_its_evidence_stays(shop: Shop) -> None:
    await paused(shop, CANARY)
    await shop.run(3)
    exposed = shop.status["exposedAt"]
    await disrupt(shop)
    await shop.run(5)
    assert shop.status["exposedAt"] == exposed
    assert canary_weight(shop.cluster) == 25
    shop.eyes.failures = 500
    await shop.run(3)
    assert aborted(shop) is not None


async def test_a_controller_that_begins_in_the_hold_carries_on(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.kubernetes.is_full = True
    await disrupt(shop)
    successor = shop.twin()
    await successor.run(5)
    assert (canary_weight(successor.cluster), aborted(successor)) == (0, None)
    writes = len(successor.cluster.writes)
    await successor.round()
    assert len(successor.cluster.writes) == writes, "it waits without a write"
    successor.kubernetes.is_full = False
    await successor.run(5)
    assert canary_weight(successor.cluster) == 25


async def test_a_hold_that_is_refused_is_known_and_made_again(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.kubernetes.is_full = True
    shop.fail_next(Unavailable("failed calling webhook"))
    shop.fail_next(Unavailable("nor may it be deleted"))
    with pytest.raises(Unavailable):
        await disrupt(shop)
    assert canary_weight(shop.cluster) == 25
    assert shop.reconciler.retreats(KEY)
    await shop.round()
    assert canary_weight(shop.cluster) == 0


async def test_a_replacement_that_never_comes_is_rolled_back_by_the_deadline(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await shop.run(60)
    shop.kubernetes.is_full = True
    await disrupt(shop)
    await shop.run(28)
    assert aborted(shop) is None
    await shop.run(5)
    found = aborted(shop)
    assert found is not None
    assert HELD in found["reason"]
    assert "(Unschedulable)" in found["reason"]


async def test_a_replacement_that_crashes_is_rolled_back_at_once(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.kubernetes.is_full = True
    await disrupt(shop)
    await shop.run(3)
    (pod,) = canary_pods(shop)
    loop = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"containerStatuses": [{"name": "web", "restartCount": 2, "state": loop}]}
    shop.kubernetes._tell(pod, status)
    await shop.reconciler.reconcile(KEY)
    found = aborted(shop)
    assert found is not None
    assert "crash again and again" in found["reason"]


async def test_what_loses_its_pods_again_and_again_is_rolled_back(shop: Shop) -> None:
    """It may be what its nodes run out of memory by."""
    await paused(shop, CANARY)
    for _ in range(2):
        await disrupt(shop)
        assert aborted(shop) is None
        await shop.run(5)
    await disrupt(shop)
    found = aborted(shop)
    assert found is not None
    assert found["reason"] == "all canary pods were gone 3 times within 10m"


async def test_testers_go_back_to_stable_too_and_come_again(shop: Shop) -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "1"}}]
    steps = [{"setHeaderRoute": {"name": "testers", "match": match}}, {"pause": {}}]
    canary = {**CANARY["canary"], "trafficRouting": NGINX, "steps": steps}
    await paused(shop, {"canary": canary})
    assert shop.status["weights"]["routes"] == ["testers"]
    shop.kubernetes.is_full = True
    await disrupt(shop)
    await shop.run(3)
    assert shop.status["weights"].get("routes", []) == []
    assert "by-header" not in str(shop.get(Ref(INGRESS, "shop", "checkout-checkout-canary")))
    shop.kubernetes.is_full = False
    await shop.run(5)
    assert shop.status["weights"]["routes"] == ["testers"]
    assert "disruptedAt" not in shop.status["weights"]


async def test_blue_green_switches_back_and_again(shop: Shop) -> None:
    await stepping(shop, BLUE_GREEN)
    stable, new = (shop.status[f"{each}Revision"]["hash"] for each in ("stable", "current"))
    assert selected(shop.cluster, "checkout") == new
    shop.kubernetes.is_full = True
    await disrupt(shop)
    assert selected(shop.cluster, "checkout") == stable
    await shop.run(10)
    assert (selected(shop.cluster, "checkout"), aborted(shop)) == (stable, None)
    shop.kubernetes.is_full = False
    await shop.run(5)
    assert selected(shop.cluster, "checkout") == new
    assert "1h" in shop.status["message"]


async def test_by_replicas_the_step_waits_for_its_pods(shop: Shop) -> None:
    await paused(shop, BY_PODS)
    shop.kubernetes.is_full = True
    await disrupt(shop)
    await shop.run(10)
    assert (aborted(shop), shop.status["phase"]) == (None, "Progressing")
    assert HELD in shop.status["message"]
    assert len(stable_pods(shop)) == 3
    shop.kubernetes.is_full = False
    await shop.run(5)
    assert (aborted(shop), shop.status["phase"]) == (None, "Paused")
    assert len(canary_pods(shop)) == 1


async def test_a_person_s_pause_goes_on_at_0_until_it_is_resumed(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.command('{"id": "2", "verb": "pause"}')
    await shop.run(3)
    await disrupt(shop)
    await shop.run(5)
    assert canary_weight(shop.cluster) == 0
    assert HELD in shop.status["message"]
    shop.command('{"id": "3", "verb": "resume"}')
    await shop.run(5)
    assert canary_weight(shop.cluster) == 25


async def test_one_pod_of_two_may_stop_being_ready_for_a_minute(shop: Shop) -> None:
    await stepping(shop, CANARY)
    pod, _ = canary_pods(shop)
    shop.kubernetes.unready(pod, shop.clock.now())
    await shop.run(50)
    assert (aborted(shop), canary_weight(shop.cluster)) == (None, 50)
    shop.kubernetes.recover(pod)
    await shop.run(60)
    assert aborted(shop) is None
    shop.kubernetes.unready(pod, shop.clock.now())
    await shop.run(70)
    found = aborted(shop)
    assert found is not None
    assert found["reason"].endswith("not ready again after 1m")


async def test_two_of_two_that_stop_being_ready_are_rolled_back_at_once(shop: Shop) -> None:
    await stepping(shop, CANARY)
    for pod in canary_pods(shop):
        shop.kubernetes.unready(pod, shop.clock.now())
    await shop.reconciler.reconcile(KEY)
    found = aborted(shop)
    assert found is not None
    assert found["reason"] == "no canary pod is ready while it has traffic"


async def test_what_stable_s_pods_have_too_is_not_the_release_s_fault(shop: Shop) -> None:
    await stepping(shop, CANARY)
    for pod in [*canary_pods(shop)[:1], *stable_pods(shop)[:2]]:
        shop.kubernetes.unready(pod, shop.clock.now())
    await shop.run(120)
    assert (aborted(shop), canary_weight(shop.cluster)) == (None, 50)


async def test_growth_that_finds_no_room_in_a_pause_is_not_the_release_s_fault(shop: Shop) -> None:
    await stepping(shop, CANARY)
    shop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await shop.run(3)
    shop.kubernetes.is_full = True
    shop.edit({"spec": {"replicas": 12}})
    await shop.run(120)
    assert len(canary_pods(shop)) == 6
    assert aborted(shop) is None
    shop.kubernetes.drain(canary_pods(shop)[0])
    await shop.run(40)
    assert aborted(shop) is not None, "of its own pods one is missing"


async def test_a_bake_is_not_ended_by_growth_that_finds_no_room(shop: Shop) -> None:
    await stepping(shop, BLUE_GREEN)
    shop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await shop.run(3)
    shop.kubernetes.is_full = True
    shop.edit({"spec": {"replicas": 12}})
    await shop.run(120)
    assert aborted(shop) is None


async def test_a_step_that_asks_for_more_pods_has_its_deadline(shop: Shop) -> None:
    await paused(shop, CANARY)
    shop.edit({"spec": {"progressDeadlineSeconds": 30}})
    shop.kubernetes.is_full = True
    shop.command('{"id": "1", "verb": "promote"}')
    await shop.run(40)
    found = aborted(shop)
    assert found is not None
    assert found["reason"].endswith("1 of 2 canary pods are available (Unschedulable)")


@pytest.mark.parametrize("strategy", [CANARY, BY_PODS, BLUE_GREEN])
async def test_a_fleet_in_permanent_churn_is_promoted_and_healthy(
    shop: Shop, strategy: JSON
) -> None:
    """Of 60 pods two are always being replaced; each of them comes, and then others go."""
    shop.apply(strategy=strategy, replicas=60, progressDeadlineSeconds=30)
    await shop.run(5)
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    shop.command('{"id": "full", "verb": "promote-full"}')
    for _ in range(40):
        shop.kubernetes.is_full = False
        shop.kubernetes.settle()
        for pod in canary_pods(shop)[:2]:
            shop.kubernetes.drain(pod)
        shop.kubernetes.is_full = True
        await shop.run(2)
    assert "Promoted" in shop.reasons()
    assert shop.status["phase"] == "Healthy"
