"""Pods through a release and a restart: their names by role, and how they are replaced."""

from collections import Counter
from typing import Any

import pytest

from rollouts.errors import NotFound, RetryLater
from rollouts.model.kinds import (
    DISRUPTION_BUDGET,
    POD,
    REPLICA_SET,
    ROLE_METADATA,
    Ref,
)
from rollouts.ports import Evict, Patch
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import KEY, Shop

CANARY = {"labels": {"role": "canary"}, "annotations": {"muted": "yes"}}
STABLE = {"labels": {"role": "stable"}}
BUDGET = Ref(DISRUPTION_BUDGET, "shop", "checkout")


def roles(shop: Shop) -> Counter[str]:
    """Return how many pods there are, by image number, role and whether they are muted."""
    found: Counter[str] = Counter()
    for pod in shop.cluster.select(POD, "shop"):
        metadata = pod["metadata"]
        muted = "muted" in (metadata.get("annotations") or {})
        owner = next(
            each
            for each in shop.cluster.select(REPLICA_SET, "shop")
            if each["metadata"]["uid"] == metadata["ownerReferences"][0]["uid"]
        )
        image = owner["spec"]["template"]["spec"]["containers"][0]["image"]
        found[f"{image} {metadata['labels'].get('role')}{' muted' if muted else ''}"] += 1
    return found


def placed(shop: Shop, **fields: Any) -> None:
    shop.edit({"spec": {"strategy": {"canary": fields}}})


async def opened(shop: Shop, **spec: Any) -> Shop:
    shop.apply(**spec)
    placed(shop, canaryMetadata=CANARY, stableMetadata=STABLE)
    await shop.until(lambda: shop.status.get("phase") == "Healthy")
    return shop


async def test_pods_have_the_metadata_of_their_role_from_birth_to_promotion(shop: Shop) -> None:
    await opened(shop)
    assert roles(shop) == {"shop:1 stable": 4}
    assert not pod_patches(shop), "they were born so"

    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 50)
    assert roles(shop) == {"shop:1 stable": 4, "shop:2 canary muted": 2}
    before = names(shop)

    await shop.until(lambda: shop.status["phase"] == "Healthy")
    await shop.run(10)
    assert roles(shop) == {"shop:2 stable": 4}
    assert len(names(shop) & before) == 2, "the canary's pods are the same ones"
    assert len(pod_patches(shop)) == 4, "each pod was changed once"


def pod_patches(shop: Shop) -> list[str]:
    return [
        write.ref.name
        for write in shop.cluster.writes
        if isinstance(write, Patch) and write.ref.kind == POD
    ]


async def test_a_canary_that_is_rolled_back_keeps_its_metadata(shop: Shop) -> None:
    await opened(shop)
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.command("abort")
    await shop.run(2)
    assert roles(shop) == {"shop:1 stable": 4, "shop:2 canary muted": 1}


async def test_a_change_of_the_metadata_reaches_living_pods_once(shop: Shop) -> None:
    await opened(shop)
    before = {pod["metadata"]["uid"] for pod in shop.cluster.select(POD, "shop")}
    placed(shop, stableMetadata={"labels": {"role": "main"}})
    await shop.run(5)
    assert roles(shop) == {"shop:1 main": 4}
    assert sorted(pod_patches(shop)) == sorted(set(pod_patches(shop)))
    placed(shop, stableMetadata=None)
    await shop.run(5)
    assert roles(shop) == {"shop:1 None": 4}
    assert {pod["metadata"]["uid"] for pod in shop.cluster.select(POD, "shop")} == before
    assert shop.status["stableRevision"]["number"] == 1, "no new revision"
    for pod in shop.cluster.select(POD, "shop"):
        assert ROLE_METADATA not in pod["metadata"]["labels"]
    count = len(shop.cluster.writes)
    await shop.run(5)
    assert len(shop.cluster.writes) == count


async def test_a_pod_that_has_gone_meanwhile_stops_nothing(shop: Shop) -> None:
    await shop.deployed()
    await shop.run(5)
    placed(shop, stableMetadata=STABLE)
    await shop.reconciler.reconcile(KEY)
    await shop.reconciler.reconcile(KEY)
    shop.fail_next(NotFound("pod not found"))
    await shop.run(5)
    assert roles(shop) == {"shop:1 stable": 4}
    assert "WriteFailed" not in shop.reasons()


async def test_anti_affinity_is_in_new_templates_only_and_in_no_hash(shop: Shop) -> None:
    await shop.deployed()
    first = shop.status["stableRevision"]["hash"]
    placed(shop, antiAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {}})
    await shop.run(5)
    assert affinity(shop, first) is None
    assert shop.status["currentRevision"]["hash"] == first
    shop.release("shop:2")
    await shop.until(lambda: shop.status["currentRevision"]["number"] == 2)
    await shop.run(2)
    second = shop.status["currentRevision"]["hash"]
    (term,) = affinity(shop, second)["podAntiAffinity"].popitem()[1]
    assert term["labelSelector"]["matchLabels"] == {"app": "checkout"}
    assert term["labelSelector"]["matchExpressions"][1]["values"] == [second]
    shop.release("shop:1")
    await shop.run(5)
    assert shop.status["currentRevision"]["hash"] == first


def affinity(shop: Shop, hash_: str) -> Any:
    found = shop.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))
    assert found is not None
    return found["spec"]["template"]["spec"].get("affinity")


async def test_min_ready_seconds_reach_the_replica_set(shop: Shop) -> None:
    await shop.deployed()
    shop.edit({"spec": {"minReadySeconds": 7}})
    await shop.run(3)
    (found,) = shop.cluster.select(REPLICA_SET, "shop")
    assert found["spec"]["minReadySeconds"] == 7


def names(shop: Shop) -> set[str]:
    return {pod["metadata"]["name"] for pod in shop.cluster.select(POD, "shop")}


@pytest.mark.parametrize("replicas", [1, 2, 4, 9])
async def test_a_restart_replaces_every_pod_and_never_too_many(shop: Shop, replicas: int) -> None:
    await shop.deployed(replicas=replicas)
    await shop.run(3)
    before, kept = names(shop), []
    shop.command("restart")
    evict = shop.cluster._evict

    def counted(write: Any, ref: Ref) -> None:
        evict(write, ref)
        kept.append(len(names(shop)))

    shop.cluster._evict = counted  # type: ignore[method-assign]
    await shop.until(lambda: "Restarted" in shop.reasons())
    await shop.run(3)
    assert not names(shop) & before
    assert len(names(shop)) == replicas
    assert min(kept) >= replicas - replicas // 4
    assert len(kept) == replicas, "each once"
    assert shop.status["phase"] == "Healthy"
    assert "restart" not in shop.status


async def test_a_budget_that_forbids_it_is_waited_for_in_words(shop: Shop) -> None:
    await shop.deployed()
    await shop.run(3)
    before = names(shop)
    shop.cluster.put(
        DISRUPTION_BUDGET,
        {
            "metadata": {"namespace": "shop", "name": "checkout"},
            "spec": {"selector": {"matchLabels": {"app": "checkout"}}},
            "status": {"disruptionsAllowed": 0},
        },
    )
    shop.command("restart")
    with pytest.raises(RetryLater):
        await shop.run(10)
    for _ in range(4):
        shop.clock.move(10)
        with pytest.raises(RetryLater):
            await shop.round()
    assert names(shop) == before
    assert "disruption budget" in shop.status["message"]
    assert shop.status["message"].startswith("restarting: 0 of 4 pods replaced")
    assert shop.status["phase"] == "Progressing"
    assert "WriteFailed" not in [notice.reason for notice in shop.told.notices]
    shop.cluster.edit(BUDGET, {"status": {"disruptionsAllowed": 1}})
    await shop.until(lambda: "Restarted" in shop.reasons())
    assert not names(shop) & before


async def test_a_restart_goes_on_with_another_controller(shop: Shop) -> None:
    await shop.deployed(replicas=8)
    await shop.run(3)
    before = names(shop)
    shop.command("restart")
    for _ in range(400):
        shop.reconciler = shop.new_reconciler()
        await shop.reconciler.reconcile(KEY)
        shop.kubernetes.settle()
        shop.clock.move(0.5)
        if "Restarted" in shop.reasons():
            break
    assert not names(shop) & before
    evicted = [write.ref.name for write in shop.cluster.writes if isinstance(write, Evict)]
    assert sorted(evicted) == sorted(before)
