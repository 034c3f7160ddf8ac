"""A canary whose pods are taken away, stop being ready, or find no room: by no fault of the release."""

from collections.abc import Callable

import pytest

from rollouts.errors import Unavailable
from rollouts.model.kinds import HASH_LABEL, JSON, POD, Ref
from rollouts.model.routers.nginx import INGRESS
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import Kubernetes, canary_weight, selected
from tests.unit.controller.edits import BLUE_GREEN, BY_PODS, CANARY, NGINX, paused, stepping

HELD = "all canary pods were taken away, by no fault of theirs; the canary's weight is 0 until others are available"
WAYS_TO_GO: dict[str, Callable[[Kubernetes, JSON, ControlLoop], None]] = {
    "evicted by its kubelet": lambda kubernetes, pod, _: kubernetes.evict(pod),
    "drained": lambda kubernetes, pod, _: kubernetes.drain(pod),
    "on a node that does not answer": lambda kubernetes, pod, loop: kubernetes.lose(
        pod, loop.clock.now()
    ),
}


def canary_pods(loop: ControlLoop) -> list[JSON]:
    return loop.cluster.select(POD, "shop", {HASH_LABEL: loop.status["currentRevision"]["hash"]})


def stable_pods(loop: ControlLoop) -> list[JSON]:
    return loop.cluster.select(POD, "shop", {HASH_LABEL: loop.status["stableRevision"]["hash"]})


def aborted(loop: ControlLoop) -> JSON | None:
    found: JSON | None = loop.status.get("abort")
    return found


async def disrupt(loop: ControlLoop, how: str = "drained") -> None:
    """Take all canary pods away, and have the controller see that before any replacement is ready."""
    for pod in canary_pods(loop):
        WAYS_TO_GO[how](loop.kubernetes, pod, loop)
    await loop.reconciler.reconcile(KEY)


@pytest.mark.parametrize("how", WAYS_TO_GO)
async def test_a_canary_that_lost_its_only_pod_waits_at_0_and_goes_on(
    loop: ControlLoop, how: str
) -> None:
    await paused(loop, CANARY)
    (pod,) = canary_pods(loop)
    step = loop.status["step"]
    loop.kubernetes.is_full = True

    await disrupt(loop, how)
    assert canary_weight(loop.cluster) == 0, "in the decision that sees it"
    await loop.run(20)
    assert (canary_weight(loop.cluster), loop.status["phase"]) == (0, "Progressing")
    assert HELD in loop.status["message"]
    assert aborted(loop) is None
    assert loop.status["weights"]["desired"] == 25

    loop.kubernetes.is_full = False
    if "not answer" in how:
        loop.kubernetes.recover(pod)
    await loop.run(5)
    assert canary_weight(loop.cluster) == 25
    assert (loop.status["step"], loop.status["phase"]) == (step, "Paused")
    assert "disruptedAt" not in loop.status["weights"]


async def test_the_step_begins_again_by_its_own_clock(loop: ControlLoop) -> None:
    await stepping(loop, CANARY)
    began = loop.status["stepStartedAt"]
    await disrupt(loop)
    await loop.run(5)
    assert canary_weight(loop.cluster) == 50
    assert loop.status["stepStartedAt"] > began
    assert "1h" in loop.status["message"]


async def test_its_evidence_stays(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    await loop.run(3)
    exposed = loop.status["exposedAt"]
    await disrupt(loop)
    await loop.run(5)
    assert loop.status["exposedAt"] == exposed
    assert canary_weight(loop.cluster) == 25
    loop.monitor.failures = 500
    await loop.run(3)
    assert aborted(loop) is not None


async def test_a_controller_that_begins_in_the_hold_carries_on(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    loop.kubernetes.is_full = True
    await disrupt(loop)
    successor = loop.twin()
    await successor.run(5)
    assert (canary_weight(successor.cluster), aborted(successor)) == (0, None)
    writes = len(successor.cluster.writes)
    await successor.round()
    assert len(successor.cluster.writes) == writes, "it waits without a write"
    successor.kubernetes.is_full = False
    await successor.run(5)
    assert canary_weight(successor.cluster) == 25


async def test_a_hold_that_is_refused_is_known_and_made_again(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    loop.kubernetes.is_full = True
    loop.fail_next(Unavailable("failed calling webhook"))
    loop.fail_next(Unavailable("nor may it be deleted"))
    with pytest.raises(Unavailable):
        await disrupt(loop)
    assert canary_weight(loop.cluster) == 25
    assert loop.reconciler.is_retreating(KEY)
    await loop.round()
    assert canary_weight(loop.cluster) == 0


async def test_a_replacement_that_never_comes_is_rolled_back_by_the_deadline(
    loop: ControlLoop,
) -> None:
    await paused(loop, CANARY)
    loop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await loop.run(60)
    loop.kubernetes.is_full = True
    await disrupt(loop)
    await loop.run(28)
    assert aborted(loop) is None
    await loop.run(5)
    found = aborted(loop)
    assert found is not None
    assert HELD in found["reason"]
    assert "(Unschedulable)" in found["reason"]


async def test_a_replacement_that_crashes_is_rolled_back_at_once(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    loop.kubernetes.is_full = True
    await disrupt(loop)
    await loop.run(3)
    (pod,) = canary_pods(loop)
    crash_loop = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"containerStatuses": [{"name": "web", "restartCount": 2, "state": crash_loop}]}
    loop.kubernetes._tell(pod, status)
    await loop.reconciler.reconcile(KEY)
    found = aborted(loop)
    assert found is not None
    assert "crash again and again" in found["reason"]


async def test_what_loses_its_pods_again_and_again_is_rolled_back(loop: ControlLoop) -> None:
    """It may be what its nodes run out of memory by."""
    await paused(loop, CANARY)
    for _ in range(2):
        await disrupt(loop)
        assert aborted(loop) is None
        await loop.run(5)
    await disrupt(loop)
    found = aborted(loop)
    assert found is not None
    assert found["reason"] == "all canary pods were taken away 3 times within 10m"


async def test_testers_go_back_to_stable_too_and_come_again(loop: ControlLoop) -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "1"}}]
    steps = [{"setHeaderRoute": {"name": "testers", "match": match}}, {"pause": {}}]
    canary = {**CANARY["canary"], "trafficRouting": NGINX, "steps": steps}
    await paused(loop, {"canary": canary})
    assert loop.status["weights"]["routes"] == ["testers"]
    loop.kubernetes.is_full = True
    await disrupt(loop)
    await loop.run(3)
    assert loop.status["weights"].get("routes", []) == []
    assert "by-header" not in str(loop.get(Ref(INGRESS, "shop", "checkout-checkout-canary")))
    loop.kubernetes.is_full = False
    await loop.run(5)
    assert loop.status["weights"]["routes"] == ["testers"]
    assert "disruptedAt" not in loop.status["weights"]


async def test_blue_green_switches_back_and_again(loop: ControlLoop) -> None:
    await stepping(loop, BLUE_GREEN)
    stable, new = (loop.status[f"{each}Revision"]["hash"] for each in ("stable", "current"))
    assert selected(loop.cluster, "checkout") == new
    loop.kubernetes.is_full = True
    await disrupt(loop)
    assert selected(loop.cluster, "checkout") == stable
    await loop.run(10)
    assert (selected(loop.cluster, "checkout"), aborted(loop)) == (stable, None)
    loop.kubernetes.is_full = False
    await loop.run(5)
    assert selected(loop.cluster, "checkout") == new
    assert "1h" in loop.status["message"]


async def test_by_replicas_the_step_waits_for_its_pods(loop: ControlLoop) -> None:
    await paused(loop, BY_PODS)
    loop.kubernetes.is_full = True
    await disrupt(loop)
    await loop.run(10)
    assert (aborted(loop), loop.status["phase"]) == (None, "Progressing")
    assert HELD in loop.status["message"]
    assert len(stable_pods(loop)) == 3
    loop.kubernetes.is_full = False
    await loop.run(5)
    assert (aborted(loop), loop.status["phase"]) == (None, "Paused")
    assert len(canary_pods(loop)) == 1


async def test_a_person_s_pause_goes_on_at_0_until_it_is_resumed(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    loop.command('{"id": "2", "verb": "pause"}')
    await loop.run(3)
    await disrupt(loop)
    await loop.run(5)
    assert canary_weight(loop.cluster) == 0
    assert HELD in loop.status["message"]
    loop.command('{"id": "3", "verb": "resume"}')
    await loop.run(5)
    assert canary_weight(loop.cluster) == 25


async def test_one_pod_of_two_may_stop_being_ready_for_a_minute(loop: ControlLoop) -> None:
    await stepping(loop, CANARY)
    pod, _ = canary_pods(loop)
    loop.kubernetes.unready(pod, loop.clock.now())
    await loop.run(50)
    assert (aborted(loop), canary_weight(loop.cluster)) == (None, 50)
    loop.kubernetes.recover(pod)
    await loop.run(60)
    assert aborted(loop) is None
    loop.kubernetes.unready(pod, loop.clock.now())
    await loop.run(70)
    found = aborted(loop)
    assert found is not None
    assert found["reason"].endswith("not ready again after 1m")


async def test_two_of_two_that_stop_being_ready_are_rolled_back_at_once(loop: ControlLoop) -> None:
    await stepping(loop, CANARY)
    for pod in canary_pods(loop):
        loop.kubernetes.unready(pod, loop.clock.now())
    await loop.reconciler.reconcile(KEY)
    found = aborted(loop)
    assert found is not None
    assert found["reason"] == "the canary has traffic, and none of its pods is ready"


async def test_what_stable_s_pods_have_too_is_not_the_release_s_fault(loop: ControlLoop) -> None:
    await stepping(loop, CANARY)
    for pod in [*canary_pods(loop)[:1], *stable_pods(loop)[:2]]:
        loop.kubernetes.unready(pod, loop.clock.now())
    await loop.run(120)
    assert (aborted(loop), canary_weight(loop.cluster)) == (None, 50)


async def test_growth_that_finds_no_room_in_a_pause_is_not_the_release_s_fault(
    loop: ControlLoop,
) -> None:
    await stepping(loop, CANARY)
    loop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await loop.run(3)
    loop.kubernetes.is_full = True
    loop.edit({"spec": {"replicas": 12}})
    await loop.run(120)
    assert len(canary_pods(loop)) == 6
    assert aborted(loop) is None
    loop.kubernetes.drain(canary_pods(loop)[0])
    await loop.run(40)
    assert aborted(loop) is not None, "of its own pods one is missing"


async def test_a_bake_is_not_ended_by_growth_that_finds_no_room(loop: ControlLoop) -> None:
    await stepping(loop, BLUE_GREEN)
    loop.edit({"spec": {"progressDeadlineSeconds": 30}})
    await loop.run(3)
    loop.kubernetes.is_full = True
    loop.edit({"spec": {"replicas": 12}})
    await loop.run(120)
    assert aborted(loop) is None


async def test_a_step_that_asks_for_more_pods_has_its_deadline(loop: ControlLoop) -> None:
    await paused(loop, CANARY)
    loop.edit({"spec": {"progressDeadlineSeconds": 30}})
    loop.kubernetes.is_full = True
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.run(40)
    found = aborted(loop)
    assert found is not None
    assert found["reason"].endswith("1 of 2 canary pods are available (Unschedulable)")


@pytest.mark.parametrize("strategy", [CANARY, BY_PODS, BLUE_GREEN])
async def test_a_fleet_in_permanent_churn_is_promoted_and_healthy(
    loop: ControlLoop, strategy: JSON
) -> None:
    """Of 60 pods two are always being replaced; each of them comes, and then others go."""
    loop.apply(strategy=strategy, replicas=60, progressDeadlineSeconds=30)
    await loop.run(5)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    loop.command('{"id": "full", "verb": "promote-full"}')
    for _ in range(40):
        loop.kubernetes.is_full = False
        loop.kubernetes.settle()
        for pod in canary_pods(loop)[:2]:
            loop.kubernetes.drain(pod)
        loop.kubernetes.is_full = True
        await loop.run(2)
    assert "Promoted" in loop.reasons()
    assert loop.status["phase"] == "Healthy"
