"""Whole canaries through the reconciler, on a cluster in memory and a clock moved by hand."""

import json

import pytest

from rollouts.errors import Conflict, Forbidden, Unavailable
from rollouts.model.kinds import HASH_LABEL, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, Ref
from rollouts.ports import Apply, Patch
from tests.fakes.kubernetes import canary_weight, pod_status, selected
from tests.fakes.shop import KEY, Shop


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
    sizes = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
        for each in shop.cluster.select(REPLICA_SET, "shop")
    }
    assert sizes == {"shop:1": 0, "shop:2": 4}


async def test_a_canary_costs_at_most_thirty_writes(shop: Shop) -> None:
    await shop.deployed()
    shop.cluster.writes.clear()
    shop.release("shop:2")

    await shop.until(lambda: "Promoted" in shop.reasons() and not shop.status["retiring"])
    await shop.run(20)

    for (verb, kind), count in sorted(shop.writes().items()):
        print(f"{count:3} {verb:7}{kind}")
    print(f"{len(shop.cluster.writes):3} in all")
    assert len(shop.cluster.writes) <= 30


async def test_a_settled_rollout_causes_no_writes(shop: Shop) -> None:
    await shop.deployed()
    await shop.run(10)
    shop.cluster.writes.clear()

    await shop.run(600, tick=5)

    assert shop.cluster.writes == []


async def test_a_failing_criterion_takes_the_traffic_back_in_the_same_reconcile(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.eyes.failures = 80
    shop.eyes.look()
    shop.cluster.writes.clear()

    await shop.reconciler.reconcile(KEY)

    first, second = shop.cluster.writes[:2]
    assert isinstance(first, Apply)
    assert isinstance(second, Patch)
    assert second.subresource == "status"
    assert canary_weight(shop.cluster) == 0
    assert shop.status["phase"] == "Degraded"
    assert "8% of 1000 canary requests failed" in shop.status["abort"]["reason"]
    await shop.run(30)
    assert canary_weight(shop.cluster) is None
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    await shop.reconciler.notices.close()
    assert [notice.reason for notice in shop.told.notices][-1] == "RolledBack"


async def test_a_rollback_tries_every_route_before_it_complains(shop: Shop) -> None:
    second = shop.cluster.get(Ref(INGRESS, "shop", "checkout"))
    assert second is not None
    other = {
        "metadata": {"namespace": "shop", "name": "other"},
        "spec": json.loads(json.dumps(second["spec"]).replace("shop.test", "other.test")),
    }
    shop.cluster.put(INGRESS, other)
    routing = {"nginx": {"stableIngresses": ["checkout", "other"]}}
    await shop.deployed()
    shop.edit({"spec": {"strategy": {"canary": {"trafficRouting": routing}}}})
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.eyes.failures = 80
    shop.eyes.look()
    shop.fail_next(Forbidden("not this one"))
    shop.fail_next(Forbidden("nor its deletion"))

    with pytest.raises(Forbidden, match="not this one"):
        await shop.reconciler.reconcile(KEY)

    other_canary = shop.cluster.get(Ref(INGRESS, "shop", "other-checkout-canary"))
    assert other_canary is not None
    annotations = other_canary["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/canary-weight"] == "0"
    assert shop.status["abort"]["by"] == "rollouts"
    await shop.run(1)
    assert canary_weight(shop.cluster) == 0


async def test_canary_pods_that_crash_are_a_reason_to_roll_back(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    canary = shop.status["currentRevision"]["hash"]
    for pod in shop.cluster.select(POD, "shop", {HASH_LABEL: canary}):
        ref = Ref(POD, "shop", pod["metadata"]["name"])
        shop.cluster.edit(ref, {"status": pod_status("crashing")})

    await shop.round()

    assert canary_weight(shop.cluster) == 0
    assert "crash again and again" in shop.status["abort"]["reason"]


async def test_a_status_that_somebody_else_wrote_is_observed_again(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    shop.fail_next(Conflict("somebody wrote"))

    with pytest.raises(Conflict):
        await shop.reconciler.reconcile(KEY)
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_a_weight_that_cannot_be_lowered_is_taken_away(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.eyes.failures = 80
    shop.eyes.look()
    shop.fail_next(Unavailable("failed calling webhook"))

    await shop.reconciler.reconcile(KEY)

    assert shop.cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary")) is None
    assert shop.status["abort"]["by"] == "rollouts"


async def test_a_retreat_that_is_refused_is_known_until_it_is_made(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    assert not shop.reconciler.retreats(KEY)
    shop.eyes.failures = 80
    shop.eyes.look()
    shop.fail_next(Unavailable("failed calling webhook"))
    shop.fail_next(Unavailable("nor may it be deleted"))

    with pytest.raises(Unavailable):
        await shop.reconciler.reconcile(KEY)

    assert shop.reconciler.retreats(KEY)
    await shop.round()
    assert canary_weight(shop.cluster) == 0
    assert not shop.reconciler.retreats(KEY)


async def test_a_refused_write_is_shown_and_does_not_hide_the_next(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.reconciler.reconcile(KEY)
    shop.fail_next(Forbidden("may not create replicasets"))

    with pytest.raises(Forbidden):
        await shop.reconciler.reconcile(KEY)

    assert "may not create replicasets" not in shop.status["message"]  # numbers may wait
    shop.clock.move(6)
    shop.fail_next(Forbidden("may not create replicasets"))
    with pytest.raises(Forbidden):
        await shop.reconciler.reconcile(KEY)
    assert "may not create replicasets" in shop.status["message"]
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_an_api_server_that_does_not_answer_is_asked_again(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    shop.fail_next(Unavailable("no answer"))

    with pytest.raises(Unavailable):
        await shop.reconciler.reconcile(KEY)
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_a_bare_verb_gets_an_id_and_counts_once(shop: Shop) -> None:
    await shop.deployed()
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    shop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause", {}).get("reason") == "PauseStep")

    shop.command("promote")
    await shop.until(lambda: shop.status["currentStepIndex"] == 3)
    await shop.run(30)

    assert shop.status["lastCommand"]["accepted"] is True
    assert shop.status["lastCommand"]["by"] == "kubectl"
    assert shop.status["currentStepIndex"] == 3
    command = json.loads(shop.rollout["metadata"]["annotations"]["rollouts.dev/command"])
    assert command["id"] == shop.status["lastCommand"]["id"]


async def test_a_command_for_another_revision_is_refused(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)

    shop.command(json.dumps({"id": "1", "verb": "abort", "revision": 1, "by": "ci"}))
    await shop.round()

    assert shop.status["lastCommand"]["accepted"] is False
    assert "abort" not in shop.status


async def test_an_abort_needs_no_looks(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)

    shop.command(json.dumps({"id": "7", "verb": "abort", "revision": 2, "by": "mara"}))
    await shop.round()

    assert canary_weight(shop.cluster) == 0
    assert shop.status["abort"]["by"] == "mara"


@pytest.mark.parametrize("text", ["???", "[1]", '{"id": "1"}', "{"])
async def test_a_command_that_nobody_understands_is_put_on_record_once(
    shop: Shop, text: str
) -> None:
    await shop.deployed()
    shop.cluster.writes.clear()
    shop.command(text)

    await shop.run(30)

    assert shop.status["lastCommand"]["accepted"] is False
    assert "CommandRefused" not in shop.reasons(), "history is for decisions"
    assert len(shop.cluster.writes) == 2  # status and event


async def test_a_canary_ingress_of_somebody_else_is_never_touched(shop: Shop) -> None:
    await shop.deployed()
    theirs = {
        "metadata": {"namespace": "shop", "name": "checkout-checkout-canary"},
        "spec": {"rules": []},
    }
    shop.cluster.put(INGRESS, theirs)
    shop.release("shop:2")

    await shop.run(30)

    found = shop.cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary"))
    assert found is not None
    assert "ownerReferences" not in found["metadata"]
    assert "not this Rollout's" in shop.status["message"]


async def test_a_replica_set_of_somebody_else_is_never_touched(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.reconciler.reconcile(KEY)
    name = f"checkout-{shop.status['currentRevision']['hash']}"
    metadata = {"namespace": "shop", "name": name}
    shop.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": {"replicas": 7, "template": {}}})

    outcome = await shop.reconciler.reconcile(KEY)
    outcome = await shop.reconciler.reconcile(KEY)

    assert outcome.requeue_after_seconds is not None
    found = shop.cluster.get(Ref(REPLICA_SET, "shop", name))
    assert found is not None
    assert found["spec"]["replicas"] == 7
    preflight = next(each for each in shop.status["conditions"] if each["type"] == "Preflight")
    assert preflight["reason"] == "ReplicaSetNotOurs"


async def test_a_canary_service_deleted_under_traffic_rolls_back(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.drop(Ref(SERVICE, "shop", "checkout-canary"))

    await shop.round()

    assert canary_weight(shop.cluster) == 0
    assert "checkout-canary is gone" in shop.status["abort"]["reason"]


async def test_a_missing_stable_service_is_named(shop: Shop) -> None:
    shop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    shop.apply()

    await shop.run(10)

    says = "Service checkout does not exist; create it, or correct stableService"
    assert (shop.status["message"], shop.status["phase"]) == (says, "Degraded")
    preflight = next(each for each in shop.status["conditions"] if each["type"] == "Preflight")
    assert (preflight["status"], preflight["reason"]) == ("False", "ServiceNotFound")
    assert says in preflight["message"]


async def test_a_stable_service_deleted_under_traffic_is_waited_for(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    await shop.round()
    says = "Service checkout does not exist; create it, or correct stableService"
    assert shop.status["message"].endswith(says)


async def test_a_deleted_rollout_is_forgotten(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: bool(shop.eyes.targets))
    shop.cluster.drop(KEY.ref)
    shop.cluster.writes.clear()

    await shop.reconciler.reconcile(KEY)

    assert shop.eyes.targets == {}
    assert shop.cluster.writes == []


async def test_a_rollout_that_is_being_deleted_is_left_alone(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    shop.edit({"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})
    shop.cluster.writes.clear()

    await shop.reconciler.reconcile(KEY)

    assert shop.cluster.writes == []


async def test_an_unreadable_status_is_found_again_by_what_the_service_selects(shop: Shop) -> None:
    await shop.deployed()
    stable = shop.status["stableRevision"]["hash"]
    shop.edit({"status": {"phase": "Wonderful", "weights": "many", "custom": 1}})

    await shop.run(10)

    assert shop.status["phase"] == "Healthy"
    assert shop.status["stableRevision"]["hash"] == stable
    assert shop.status["custom"] == 1


async def test_after_a_restore_the_replica_sets_are_adopted(shop: Shop) -> None:
    await shop.deployed()
    stable = shop.status["stableRevision"]["hash"]
    name = Ref(REPLICA_SET, "shop", f"checkout-{stable}")
    shop.cluster.edit(name, {"metadata": {"ownerReferences": None}})
    shop.cluster.drop(KEY.ref)
    shop.apply()

    await shop.run(10)

    found = shop.cluster.get(name)
    assert found is not None
    owner = found["metadata"]["ownerReferences"][0]
    assert owner["uid"] == shop.rollout["metadata"]["uid"]
    assert owner["kind"] == ROLLOUT.name
    assert shop.status["phase"] == "Healthy"


async def test_metrics_that_do_not_answer_are_no_verdict(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.eyes.error = "Prometheus can't be reached"

    await shop.run(30)

    assert "abort" not in shop.status
    assert shop.status["criteria"][0]["verdict"] == "error"
    assert shop.status["pause"]["reason"] == "MetricsUnavailable"
    assert canary_weight(shop.cluster) == 25
    shop.eyes.error = ""
    await shop.until(lambda: "Promoted" in shop.reasons())
