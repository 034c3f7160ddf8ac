"""Stable has no ready pod, or too few: what is answered goes on being answered, and a release can repair it."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, SERVICE, Ref
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight, pod_status, selected, template

STABLE = Ref(SERVICE, "shop", "checkout")
CANARY = "checkout-canary"


def pods(loop: ControlLoop, image: str) -> list[JSON]:
    """Return the pods of the revision of this image."""
    for replica_set in loop.cluster.select(REPLICA_SET, "shop"):
        if replica_set["spec"]["template"]["spec"]["containers"][0]["image"] == image:
            uid = replica_set["metadata"]["uid"]
            return [
                pod
                for pod in loop.cluster.select(POD, "shop")
                if pod["metadata"]["ownerReferences"][0]["uid"] == uid
            ]
    return []


def hash_of(loop: ControlLoop, image: str) -> str:
    return str(pods(loop, image)[0]["metadata"]["labels"][HASH_LABEL])


def turn(loop: ControlLoop, image: str, into: str, most: int = 100) -> None:
    """Have pods of a revision be as those of another image are: `crashing`, or ready again."""
    for pod in pods(loop, image)[:most]:
        ref = Ref(POD, "shop", pod["metadata"]["name"])
        loop.cluster.edit(ref, {"status": pod_status(into)})


async def at_25(**changes: object) -> ControlLoop:
    """Return a loop whose canary has 25 %, when all pods of its stable revision have begun to crash."""
    loop = await ControlLoop().deployed(**changes)
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    turn(loop, "shop:1", "crashing")
    return loop


async def test_a_rollback_by_evidence_leaves_the_canary_what_nobody_else_answers() -> None:
    loop = await at_25()
    loop.monitor.failures = 500
    await loop.until(lambda: loop.status["phase"] == "Degraded")
    assert loop.reasons()[-1] == "RolledBack"
    assert canary_weight(loop.cluster) == 25
    await loop.run(60)
    assert canary_weight(loop.cluster) == 25
    assert len(pods(loop, "shop:2")) == 1, "it answers, and stays"
    said = "stable has no ready pod (CrashLoopBackOff): ingress-nginx fails all requests, the canary's too, until stable has one"
    assert loop.status["message"].endswith(said)
    assert said in loop.status["history"][-1]["message"]
    turn(loop, "shop:1", "shop:1", most=1)
    await loop.round()
    assert canary_weight(loop.cluster) == 0, "in the reconcile that sees one ready"
    assert "no ready pod" not in loop.status["message"]
    assert loop.status["phase"] == "Degraded"
    await loop.run(20)
    assert not pods(loop, "shop:2")


async def test_a_canary_that_loses_its_pods_keeps_nothing() -> None:
    loop = await at_25()
    loop.monitor.failures = 500
    await loop.until(lambda: loop.status["phase"] == "Degraded")
    turn(loop, "shop:2", "crashing")
    await loop.round()
    assert canary_weight(loop.cluster) == 0
    turn(loop, "shop:2", "shop:2")
    await loop.run(3)
    assert canary_weight(loop.cluster) == 0, "no weight rises after a rollback"


async def test_a_person_s_abort_takes_it_back_and_says_what_that_costs() -> None:
    loop = await at_25()
    loop.command("abort")
    await loop.run(1)
    assert canary_weight(loop.cluster) == 0
    assert loop.status["lastCommand"]["message"] == (
        "traffic goes back to stable, which has no ready pod (CrashLoopBackOff):"
        " requests fail until it has one"
    )
    assert loop.status["message"].endswith("requests fail until it has one")


async def test_a_person_may_take_back_what_a_rollback_has_left() -> None:
    loop = await at_25()
    loop.monitor.failures = 500
    await loop.until(lambda: loop.status["phase"] == "Degraded")
    loop.command("abort")
    await loop.run(1)
    assert canary_weight(loop.cluster) == 0
    assert "requests fail until it has one" in loop.status["lastCommand"]["message"]
    loop.command("abort")
    await loop.run(1)
    assert loop.status["lastCommand"]["message"] == "all traffic is at stable already"


async def test_the_old_template_again_leaves_the_canary_what_nobody_else_answers() -> None:
    loop = await at_25()
    loop.release("shop:1")
    await loop.run(30)
    assert canary_weight(loop.cluster) == 25
    assert (
        "ingress-nginx fails all requests, the canary's too, until stable has one"
        in loop.status["message"]
    )
    turn(loop, "shop:1", "shop:1")
    await loop.run(30)
    assert loop.status["phase"] == "Healthy"
    assert not pods(loop, "shop:2")


async def test_a_newer_revision_takes_over_what_the_one_before_it_keeps() -> None:
    loop = await at_25()
    before = hash_of(loop, "shop:2")
    loop.release("shop:3")
    await loop.round()
    assert (canary_weight(loop.cluster), selected(loop.cluster, CANARY)) in (
        (25, before),
        (25, hash_of(loop, "shop:3")),
    )
    await loop.run(8)
    assert selected(loop.cluster, CANARY) == hash_of(loop, "shop:3")
    assert canary_weight(loop.cluster) == 25
    assert loop.status["weights"]["applied"] == 25
    exposed, taken = loop.status["exposedAt"], loop.status["weights"]["appliedAt"]
    assert exposed > taken, "what the one before it did is not held against it"
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert loop.status["stableRevision"]["images"] == ["shop:3"]
    assert "DriftCorrected" not in loop.reasons()


async def test_a_newer_revision_that_never_comes_up_takes_over_nothing() -> None:
    loop = await at_25(progressDeadlineSeconds=30)
    before = hash_of(loop, "shop:2")
    loop.release("broken:3")
    await loop.run(60)
    assert (canary_weight(loop.cluster), selected(loop.cluster, CANARY)) == (25, before)
    assert loop.status["phase"] == "Degraded"
    assert (
        "ingress-nginx fails all requests, the canary's too, until stable has one"
        in loop.status["message"]
    )


async def test_a_fall_of_the_weight_is_made_when_stable_can_bear_it_and_holds_nothing_up() -> None:
    steps = [{"setWeight": 25}, {"pause": {"duration": 5}}, {"setWeight": 5}, {"pause": {}}]
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": steps,
    }
    loop = await at_25(strategy={"canary": canary}, progressDeadlineSeconds=20)
    await loop.run(60)
    assert canary_weight(loop.cluster) == 25
    assert "RolledBack" not in loop.reasons()
    turn(loop, "shop:1", "shop:1")
    await loop.run(2)
    assert canary_weight(loop.cluster) == 5


async def test_with_a_service_that_selects_everything_a_fix_answers_as_soon_as_it_is_ready() -> (
    None
):
    loop = await ControlLoop().deployed()
    turn(loop, "shop:1", "crashing")
    await loop.run(2)
    loop.cluster.edit(STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
    loop.release("shop:2")
    await loop.run(2)
    assert len(pods(loop, "shop:2")) == 4, "it gets everything, and has the pods for that"
    assert selected(loop.cluster, "checkout") == ""
    assert (
        "the pods of revision 2 answer, and promote --full makes it stable"
        in (loop.status["message"])
    )
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert selected(loop.cluster, "checkout") == hash_of(loop, "shop:2")
    assert "RolledBack" not in loop.reasons()


async def test_a_stable_pod_that_comes_back_alone_does_not_take_the_service_from_its_fix() -> None:
    loop = await ControlLoop().deployed()
    turn(loop, "shop:1", "crashing")
    await loop.run(2)
    loop.cluster.edit(STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
    loop.release("shop:2")
    await loop.run(2)
    turn(loop, "shop:1", "shop:1", most=1)
    await loop.run(3)
    assert selected(loop.cluster, "checkout") == "", "one pod is not put in place of four"
    turn(loop, "shop:1", "shop:1")
    await loop.run(2)
    assert selected(loop.cluster, "checkout") == hash_of(loop, "shop:1")


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
async def test_a_release_repairs_an_outage_by_its_steps(strategy: str) -> None:
    blue_green = {"blueGreen": {"activeService": "checkout", "scaleDownDelaySeconds": 5}}
    changes = {} if strategy == "canary" else {"strategy": blue_green, "successCriteria": []}
    loop = await ControlLoop().deployed(**changes)
    turn(loop, "shop:1", "crashing")
    loop.release("shop:2")
    await loop.until(lambda: loop.status["stableRevision"]["images"] == ["shop:2"])
    assert "DriftCorrected" not in loop.reasons()


async def test_a_first_deploy_that_fails_makes_room_for_the_next_one() -> None:
    loop = ControlLoop()
    loop.kubernetes.quota = 4
    loop.apply(template=template("broken:1"))
    await loop.run(3)
    assert len(pods(loop, "broken:1")) == 4
    loop.release("shop:2")
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert not pods(loop, "broken:1")


DYNAMIC = {
    "canary": {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": [{"setWeight": 50}, {"pause": {"duration": 5}}],
        "dynamicStableScale": True,
    }
}


async def test_a_newer_template_right_after_a_promotion_sends_nobody_to_what_made_room() -> None:
    loop = await ControlLoop().deployed(strategy=DYNAMIC)
    loop.release("shop:2")
    loop.monitor.served_percent = 100.0
    for _ in range(100):
        loop.kubernetes.settle()
        await loop.reconciler.reconcile(KEY)
        if "Promoted" in loop.reasons():
            break
        loop.monitor.measure()
        loop.clock.move(0.5)
    assert len(pods(loop, "shop:1")) == 2, "stable has made room"
    assert selected(loop.cluster, "checkout") == hash_of(loop, "shop:1")
    loop.release("shop:3")
    for _ in range(20):
        await loop.reconciler.reconcile(KEY)
        if selected(loop.cluster, "checkout") == hash_of(loop, "shop:1"):
            assert canary_weight(loop.cluster) == 100, "the old revision has half of its pods"
        loop.kubernetes.settle()
    assert selected(loop.cluster, "checkout") == hash_of(loop, "shop:2")
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert loop.status["stableRevision"]["images"] == ["shop:3"]


async def test_by_replicas_a_fix_waits_beside_what_answers_until_it_is_promoted_in_full() -> None:
    canary = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
    changes = {"strategy": canary, "successCriteria": [], "progressDeadlineSeconds": 30}
    loop = await ControlLoop().deployed(**changes)
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)
    turn(loop, "shop:1", "crashing")
    loop.release("shop:3")
    await loop.run(60)
    assert (len(pods(loop, "shop:2")), len(pods(loop, "shop:3"))) == (2, 1)
    assert "RolledBack" not in loop.reasons()
    loop.command("promote-full")
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert len(pods(loop, "shop:3")) == 4
    assert not pods(loop, "shop:2")


async def test_a_step_that_wants_less_than_what_stable_can_bear_is_not_stuck_for_that() -> None:
    steps = [
        {"setCanaryScale": {"replicas": 1}},
        {"setWeight": 50},
        {"pause": {"duration": 10}},
    ]
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": steps,
    }
    loop = await ControlLoop().deployed(strategy={"canary": canary})
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)
    turn(loop, "shop:1", "crashing")
    loop.release("shop:3")
    await loop.until(lambda: loop.status["stableRevision"]["images"] == ["shop:3"])


async def test_a_stopped_release_that_is_tried_again_has_what_it_kept() -> None:
    loop = await at_25()
    loop.monitor.failures = 500
    await loop.until(lambda: loop.status["phase"] == "Degraded")
    loop.monitor.failures = 0
    loop.command("retry")
    await loop.run(4)
    assert canary_weight(loop.cluster) == 25
    assert loop.status["weights"]["applied"] == 25
    await loop.until(lambda: loop.status["stableRevision"]["images"] == ["shop:2"])
    assert "DriftCorrected" not in loop.reasons()
