"""Whole canaries through the reconciler, on a cluster in memory and a clock moved by hand."""

import json

import pytest

from rollouts.errors import Conflict, Forbidden, Unavailable
from rollouts.model.kinds import HASH_LABEL, POD, REPLICA_SET, ROLLOUT, SERVICE, Ref
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Apply, Patch
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight, ingress, pod_status, selected


async def test_a_first_deploy_becomes_stable_without_steps(loop: ControlLoop) -> None:
    await loop.deployed()

    assert loop.status["stableRevision"]["number"] == 1
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert canary_weight(loop.cluster) is None


async def test_a_good_release_is_promoted_step_by_step(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")

    await loop.until(lambda: loop.status["phase"] == "Healthy" and "Promoted" in loop.reasons())
    await loop.run(20)

    assert loop.status["stableRevision"]["number"] == 2
    assert selected(loop.cluster, "checkout") == loop.status["currentRevision"]["hash"]
    assert canary_weight(loop.cluster) is None
    sizes = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
        for each in loop.cluster.select(REPLICA_SET, "shop")
    }
    assert sizes == {"shop:1": 0, "shop:2": 4}


async def test_a_settled_rollout_causes_no_writes(loop: ControlLoop) -> None:
    await loop.deployed()
    await loop.run(10)
    loop.cluster.writes.clear()

    await loop.run(600, tick=5)

    assert loop.cluster.writes == []


async def test_a_failing_criterion_takes_traffic_back_in_the_same_reconcile(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.monitor.failures = 80
    loop.monitor.measure()
    loop.cluster.writes.clear()

    await loop.reconciler.reconcile(KEY)

    first, second = loop.cluster.writes[:2]
    assert isinstance(first, Apply)
    assert isinstance(second, Patch)
    assert second.subresource == "status"
    assert canary_weight(loop.cluster) == 0
    assert loop.status["phase"] == "Degraded"
    assert "8% of 1000 canary requests failed" in loop.status["abort"]["reason"]
    await loop.run(30)
    assert canary_weight(loop.cluster) is None
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    await loop.reconciler.notifications.close()
    assert [notification.reason for notification in loop.told.notifications][-1] == "RolledBack"


async def test_a_rollback_tries_every_route_before_it_complains(loop: ControlLoop) -> None:
    other = {
        "metadata": {"namespace": "shop", "name": "other"},
        "spec": json.loads(json.dumps(ingress()["spec"]).replace("shop.test", "other.test")),
    }
    loop.cluster.put(INGRESS, other)
    routing = {"nginx": {"stableIngresses": ["checkout", "other"]}}
    await loop.deployed()
    loop.edit({"spec": {"strategy": {"canary": {"trafficRouting": routing}}}})
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.monitor.failures = 80
    loop.monitor.measure()
    loop.fail_next(Forbidden("not this one"))
    loop.fail_next(Forbidden("nor its deletion"))

    with pytest.raises(Forbidden, match="not this one"):
        await loop.reconciler.reconcile(KEY)

    other_canary = loop.cluster.get(Ref(INGRESS, "shop", "other-checkout-canary"))
    assert other_canary is not None
    annotations = other_canary["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/canary-weight"] == "0"
    assert loop.status["abort"]["by"] == "rollouts"
    await loop.run(1)
    assert canary_weight(loop.cluster) == 0


async def test_canary_pods_that_crash_are_a_reason_to_roll_back(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    canary = loop.status["currentRevision"]["hash"]
    for pod in loop.cluster.select(POD, "shop", {HASH_LABEL: canary}):
        ref = Ref(POD, "shop", pod["metadata"]["name"])
        loop.cluster.edit(ref, {"status": pod_status("crashing")})

    await loop.round()

    assert canary_weight(loop.cluster) == 0
    assert "crash again and again" in loop.status["abort"]["reason"]


async def test_a_status_that_somebody_else_wrote_is_observed_again(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    loop.fail_next(Conflict("somebody wrote"))

    with pytest.raises(Conflict):
        await loop.reconciler.reconcile(KEY)
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_a_weight_that_cannot_be_lowered_is_taken_away(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.monitor.failures = 80
    loop.monitor.measure()
    loop.fail_next(Unavailable("failed calling webhook"))

    await loop.reconciler.reconcile(KEY)

    assert loop.cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary")) is None
    assert loop.status["abort"]["by"] == "rollouts"


async def test_a_retreat_that_is_refused_is_known_until_it_is_made(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    assert not loop.reconciler.is_retreating(KEY)
    loop.monitor.failures = 80
    loop.monitor.measure()
    loop.fail_next(Unavailable("failed calling webhook"))
    loop.fail_next(Unavailable("nor may it be deleted"))
    with pytest.raises(Unavailable):
        await loop.reconciler.reconcile(KEY)

    assert loop.reconciler.is_retreating(KEY)
    await loop.round()
    assert canary_weight(loop.cluster) == 0
    assert not loop.reconciler.is_retreating(KEY)


async def test_a_refused_write_is_shown_and_does_not_hide_the_next(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.reconciler.reconcile(KEY)
    loop.fail_next(Forbidden("may not create replicasets"))

    with pytest.raises(Forbidden):
        await loop.reconciler.reconcile(KEY)

    assert "may not create replicasets" not in loop.status["message"]  # numbers may wait
    loop.clock.move(6)
    loop.fail_next(Forbidden("may not create replicasets"))
    with pytest.raises(Forbidden):
        await loop.reconciler.reconcile(KEY)
    assert "may not create replicasets" in loop.status["message"]
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_an_api_server_that_does_not_answer_is_asked_again(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    loop.fail_next(Unavailable("no answer"))

    with pytest.raises(Unavailable):
        await loop.reconciler.reconcile(KEY)
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_a_canary_ingress_of_somebody_else_is_never_touched(loop: ControlLoop) -> None:
    await loop.deployed()
    theirs = {
        "metadata": {"namespace": "shop", "name": "checkout-checkout-canary"},
        "spec": {"rules": []},
    }
    loop.cluster.put(INGRESS, theirs)
    loop.release("shop:2")

    await loop.run(30)

    found = loop.cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary"))
    assert found is not None
    assert "ownerReferences" not in found["metadata"]
    assert "not this Rollout's" in loop.status["message"]


async def test_a_replica_set_of_somebody_else_is_never_touched(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.reconciler.reconcile(KEY)
    name = f"checkout-{loop.status['currentRevision']['hash']}"
    metadata = {"namespace": "shop", "name": name}
    loop.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": {"replicas": 7, "template": {}}})

    outcome = await loop.reconciler.reconcile(KEY)
    outcome = await loop.reconciler.reconcile(KEY)

    assert outcome.requeue_after_seconds is not None
    found = loop.cluster.get(Ref(REPLICA_SET, "shop", name))
    assert found is not None
    assert found["spec"]["replicas"] == 7
    preflight = next(each for each in loop.status["conditions"] if each["type"] == "Preflight")
    assert preflight["reason"] == "ReplicaSetNotOurs"


async def test_a_canary_service_deleted_under_traffic_rolls_back(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.drop(Ref(SERVICE, "shop", "checkout-canary"))

    await loop.round()

    assert canary_weight(loop.cluster) == 0
    assert "checkout-canary was deleted" in loop.status["abort"]["reason"]


async def test_a_missing_stable_service_is_named(loop: ControlLoop) -> None:
    loop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    loop.apply()

    await loop.run(10)

    says = "Service checkout does not exist; create it, or correct stableService"
    assert (loop.status["message"], loop.status["phase"]) == (says, "Degraded")
    preflight = next(each for each in loop.status["conditions"] if each["type"] == "Preflight")
    assert (preflight["status"], preflight["reason"]) == ("False", "ServiceNotFound")
    assert says in preflight["message"]


async def test_a_stable_service_deleted_under_traffic_is_waited_for(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    await loop.round()
    says = "Service checkout does not exist; create it, or correct stableService"
    assert loop.status["message"].endswith(says)


async def test_a_deleted_rollout_is_forgotten(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: bool(loop.monitor.targets))
    loop.cluster.drop(KEY.ref)
    loop.cluster.writes.clear()

    await loop.reconciler.reconcile(KEY)

    assert loop.monitor.targets == {}
    assert loop.cluster.writes == []


async def test_a_rollout_that_is_being_deleted_is_left_alone(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    loop.edit({"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})
    loop.cluster.writes.clear()

    await loop.reconciler.reconcile(KEY)

    assert loop.cluster.writes == []


async def test_an_unreadable_status_is_found_by_what_the_service_selects(loop: ControlLoop) -> None:
    await loop.deployed()
    stable = loop.status["stableRevision"]["hash"]
    loop.edit({"status": {"phase": "Wonderful", "weights": "many", "custom": 1}})

    await loop.run(10)

    assert loop.status["phase"] == "Healthy"
    assert loop.status["stableRevision"]["hash"] == stable
    assert loop.status["custom"] == 1


async def test_after_a_restore_the_replica_sets_are_adopted(loop: ControlLoop) -> None:
    await loop.deployed()
    stable = loop.status["stableRevision"]["hash"]
    name = Ref(REPLICA_SET, "shop", f"checkout-{stable}")
    loop.cluster.edit(name, {"metadata": {"ownerReferences": None}})
    loop.cluster.drop(KEY.ref)
    loop.apply()

    await loop.run(10)

    found = loop.cluster.get(name)
    assert found is not None
    owner = found["metadata"]["ownerReferences"][0]
    assert owner["uid"] == loop.rollout["metadata"]["uid"]
    assert owner["kind"] == ROLLOUT.name
    assert loop.status["phase"] == "Healthy"


async def test_metrics_that_do_not_answer_are_no_verdict(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.monitor.error = "Prometheus can't be reached"

    await loop.run(30)

    assert "abort" not in loop.status
    assert loop.status["criteria"][0]["verdict"] == "error"
    assert loop.status["pause"]["reason"] == "MetricsUnavailable"
    assert canary_weight(loop.cluster) == 25
    loop.monitor.error = ""
    await loop.until(lambda: "Promoted" in loop.reasons())
