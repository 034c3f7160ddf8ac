"""Stable has no ready pod, or too few: what is answered goes on being answered, and a release can repair it."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, SERVICE, Ref
from tests.fakes.kubernetes import canary_weight, pod_status, selected, template
from tests.fakes.shop import KEY, Shop

STABLE = Ref(SERVICE, "shop", "checkout")
CANARY = "checkout-canary"


def pods(shop: Shop, image: str) -> list[JSON]:
    """Return the pods of the revision of this image."""
    for replica_set in shop.cluster.select(REPLICA_SET, "shop"):
        if replica_set["spec"]["template"]["spec"]["containers"][0]["image"] == image:
            uid = replica_set["metadata"]["uid"]
            return [
                pod
                for pod in shop.cluster.select(POD, "shop")
                if pod["metadata"]["ownerReferences"][0]["uid"] == uid
            ]
    return []


def hash_of(shop: Shop, image: str) -> str:
    return str(pods(shop, image)[0]["metadata"]["labels"][HASH_LABEL])


def turn(shop: Shop, image: str, into: str, most: int = 100) -> None:
    """Have pods of a revision be as those of another image are: `crashing`, or ready again."""
    for pod in pods(shop, image)[:most]:
        ref = Ref(POD, "shop", pod["metadata"]["name"])
        shop.cluster.edit(ref, {"status": pod_status(into)})


async def at_25(**changes: object) -> Shop:
    """Return a shop whose canary has 25 %, when all pods of its stable revision have begun to crash."""
    shop = await Shop().deployed(**changes)
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 25)
    turn(shop, "shop:1", "crashing")
    return shop


async def test_a_rollback_by_evidence_leaves_the_canary_what_nobody_else_answers() -> None:
    shop = await at_25()
    shop.eyes.failures = 500
    await shop.until(lambda: shop.status["phase"] == "Degraded")
    assert shop.reasons()[-1] == "RolledBack"
    assert canary_weight(shop.cluster) == 25
    await shop.run(60)
    assert canary_weight(shop.cluster) == 25
    assert len(pods(shop, "shop:2")) == 1, "it answers, and stays"
    said = (
        "stable has no ready pod (CrashLoopBackOff): ingress-nginx answers nobody until it has one,"
        " a canary neither"
    )
    assert shop.status["message"].endswith(said)
    assert said in shop.status["history"][-1]["message"]
    turn(shop, "shop:1", "shop:1", most=1)
    await shop.round()
    assert canary_weight(shop.cluster) == 0, "in the reconcile that sees one ready"
    assert "no ready pod" not in shop.status["message"]
    assert shop.status["phase"] == "Degraded"
    await shop.run(20)
    assert not pods(shop, "shop:2")


async def test_a_canary_that_loses_its_pods_keeps_nothing() -> None:
    shop = await at_25()
    shop.eyes.failures = 500
    await shop.until(lambda: shop.status["phase"] == "Degraded")
    turn(shop, "shop:2", "crashing")
    await shop.round()
    assert canary_weight(shop.cluster) == 0
    turn(shop, "shop:2", "shop:2")
    await shop.run(3)
    assert canary_weight(shop.cluster) == 0, "no weight rises after a rollback"


async def test_a_person_s_abort_takes_it_back_and_says_what_that_costs() -> None:
    shop = await at_25()
    shop.command("abort")
    await shop.run(1)
    assert canary_weight(shop.cluster) == 0
    assert shop.status["lastCommand"]["message"] == (
        "traffic goes back to stable, which has no ready pod (CrashLoopBackOff):"
        " requests fail until it has one"
    )
    assert shop.status["message"].endswith("requests fail until it has one")


async def test_a_person_may_take_back_what_a_rollback_has_left() -> None:
    shop = await at_25()
    shop.eyes.failures = 500
    await shop.until(lambda: shop.status["phase"] == "Degraded")
    shop.command("abort")
    await shop.run(1)
    assert canary_weight(shop.cluster) == 0
    assert "requests fail until it has one" in shop.status["lastCommand"]["message"]
    shop.command("abort")
    await shop.run(1)
    assert shop.status["lastCommand"]["message"] == "already rolled back"


async def test_the_old_template_again_leaves_the_canary_what_nobody_else_answers() -> None:
    shop = await at_25()
    shop.release("shop:1")
    await shop.run(30)
    assert canary_weight(shop.cluster) == 25
    assert "ingress-nginx answers nobody until it has one" in shop.status["message"]
    turn(shop, "shop:1", "shop:1")
    await shop.run(30)
    assert shop.status["phase"] == "Healthy"
    assert not pods(shop, "shop:2")


async def test_a_newer_revision_takes_over_what_the_one_before_it_keeps() -> None:
    shop = await at_25()
    before = hash_of(shop, "shop:2")
    shop.release("shop:3")
    await shop.round()
    assert (canary_weight(shop.cluster), selected(shop.cluster, CANARY)) in (
        (25, before),
        (25, hash_of(shop, "shop:3")),
    )
    await shop.run(8)
    assert selected(shop.cluster, CANARY) == hash_of(shop, "shop:3")
    assert canary_weight(shop.cluster) == 25
    assert shop.status["weights"]["applied"] == 25
    exposed, taken = shop.status["exposedAt"], shop.status["weights"]["appliedAt"]
    assert exposed > taken, "what the one before it did is not held against it"
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert shop.status["stableRevision"]["images"] == ["shop:3"]
    assert "DriftCorrected" not in shop.reasons()


async def test_a_newer_revision_that_never_comes_up_takes_over_nothing() -> None:
    shop = await at_25(progressDeadlineSeconds=30)
    before = hash_of(shop, "shop:2")
    shop.release("broken:3")
    await shop.run(60)
    assert (canary_weight(shop.cluster), selected(shop.cluster, CANARY)) == (25, before)
    assert shop.status["phase"] == "Degraded"
    assert "ingress-nginx answers nobody until it has one" in shop.status["message"]


async def test_a_fall_of_the_weight_is_made_when_stable_can_bear_it_and_holds_nothing_up() -> None:
    steps = [{"setWeight": 25}, {"pause": {"duration": 5}}, {"setWeight": 5}, {"pause": {}}]
    canary = {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": steps,
    }
    shop = await at_25(strategy={"canary": canary}, progressDeadlineSeconds=20)
    await shop.run(60)
    assert canary_weight(shop.cluster) == 25
    assert "RolledBack" not in shop.reasons()
    turn(shop, "shop:1", "shop:1")
    await shop.run(2)
    assert canary_weight(shop.cluster) == 5


async def test_with_a_service_that_selects_everything_a_fix_answers_as_soon_as_it_is_ready() -> (
    None
):
    shop = await Shop().deployed()
    turn(shop, "shop:1", "crashing")
    await shop.run(2)
    shop.cluster.edit(STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
    shop.release("shop:2")
    await shop.run(2)
    assert len(pods(shop, "shop:2")) == 4, "it gets everything, and has the pods for that"
    assert selected(shop.cluster, "checkout") == ""
    assert (
        "the pods of revision 2 answer, and promote --full makes it stable"
        in (shop.status["message"])
    )
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert selected(shop.cluster, "checkout") == hash_of(shop, "shop:2")
    assert "RolledBack" not in shop.reasons()


async def test_a_stable_pod_that_comes_back_alone_does_not_take_the_service_from_its_fix() -> None:
    shop = await Shop().deployed()
    turn(shop, "shop:1", "crashing")
    await shop.run(2)
    shop.cluster.edit(STABLE, {"spec": {"selector": {HASH_LABEL: None}}})
    shop.release("shop:2")
    await shop.run(2)
    turn(shop, "shop:1", "shop:1", most=1)
    await shop.run(3)
    assert selected(shop.cluster, "checkout") == "", "one pod is not put in place of four"
    turn(shop, "shop:1", "shop:1")
    await shop.run(2)
    assert selected(shop.cluster, "checkout") == hash_of(shop, "shop:1")


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
async def test_a_release_repairs_an_outage_by_its_steps(strategy: str) -> None:
    blue_green = {"blueGreen": {"activeService": "checkout", "scaleDownDelaySeconds": 5}}
    changes = {} if strategy == "canary" else {"strategy": blue_green, "successCriteria": []}
    shop = await Shop().deployed(**changes)
    turn(shop, "shop:1", "crashing")
    shop.release("shop:2")
    await shop.until(lambda: shop.status["stableRevision"]["images"] == ["shop:2"])
    assert "DriftCorrected" not in shop.reasons()


async def test_a_first_deploy_that_fails_makes_room_for_the_next_one() -> None:
    shop = Shop()
    shop.kubernetes.quota = 4
    shop.apply(template=template("broken:1"))
    await shop.run(3)
    assert len(pods(shop, "broken:1")) == 4
    shop.release("shop:2")
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert not pods(shop, "broken:1")


DYNAMIC = {
    "canary": {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
        "steps": [{"setWeight": 50}, {"pause": {"duration": 5}}],
        "dynamicStableScale": True,
    }
}


async def test_a_newer_template_right_after_a_promotion_sends_nobody_to_what_made_room() -> None:
    shop = await Shop().deployed(strategy=DYNAMIC)
    shop.release("shop:2")
    shop.eyes.served_percent = 100.0
    for _ in range(100):
        shop.kubernetes.settle()
        await shop.reconciler.reconcile(KEY)
        if "Promoted" in shop.reasons():
            break
        shop.eyes.look()
        shop.clock.move(0.5)
    assert len(pods(shop, "shop:1")) == 2, "stable has made room"
    assert selected(shop.cluster, "checkout") == hash_of(shop, "shop:1")
    shop.release("shop:3")
    for _ in range(20):
        await shop.reconciler.reconcile(KEY)
        if selected(shop.cluster, "checkout") == hash_of(shop, "shop:1"):
            assert canary_weight(shop.cluster) == 100, "the old revision has half of its pods"
        shop.kubernetes.settle()
    assert selected(shop.cluster, "checkout") == hash_of(shop, "shop:2")
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert shop.status["stableRevision"]["images"] == ["shop:3"]


async def test_by_replicas_a_fix_waits_beside_what_answers_until_it_is_promoted_in_full() -> None:
    canary = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
    changes = {"strategy": canary, "successCriteria": [], "progressDeadlineSeconds": 30}
    shop = await Shop().deployed(**changes)
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)
    turn(shop, "shop:1", "crashing")
    shop.release("shop:3")
    await shop.run(60)
    assert (len(pods(shop, "shop:2")), len(pods(shop, "shop:3"))) == (2, 1)
    assert "RolledBack" not in shop.reasons()
    shop.command("promote-full")
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert len(pods(shop, "shop:3")) == 4
    assert not pods(shop, "shop:2")


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
    shop = await Shop().deployed(strategy={"canary": canary})
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)
    turn(shop, "shop:1", "crashing")
    shop.release("shop:3")
    await shop.until(lambda: shop.status["stableRevision"]["images"] == ["shop:3"])


async def test_a_stopped_release_that_is_tried_again_has_what_it_kept() -> None:
    shop = await at_25()
    shop.eyes.failures = 500
    await shop.until(lambda: shop.status["phase"] == "Degraded")
    shop.eyes.failures = 0
    shop.command("retry")
    await shop.run(4)
    assert canary_weight(shop.cluster) == 25
    assert shop.status["weights"]["applied"] == 25
    await shop.until(lambda: shop.status["stableRevision"]["images"] == ["shop:2"])
    assert "DriftCorrected" not in shop.reasons()
