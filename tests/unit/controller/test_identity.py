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
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight

CANARY = {"labels": {"role": "canary"}, "annotations": {"muted": "yes"}}
STABLE = {"labels": {"role": "stable"}}
BUDGET = Ref(DISRUPTION_BUDGET, "shop", "checkout")


def roles(loop: ControlLoop) -> Counter[str]:
    """Return how many pods there are, by image number, role and whether they are muted."""
    found: Counter[str] = Counter()
    for pod in loop.cluster.select(POD, "shop"):
        metadata = pod["metadata"]
        muted = "muted" in (metadata.get("annotations") or {})
        owner = next(
            each
            for each in loop.cluster.select(REPLICA_SET, "shop")
            if each["metadata"]["uid"] == metadata["ownerReferences"][0]["uid"]
        )
        image = owner["spec"]["template"]["spec"]["containers"][0]["image"]
        found[f"{image} {metadata['labels'].get('role')}{' muted' if muted else ''}"] += 1
    return found


def placed(loop: ControlLoop, **fields: Any) -> None:
    loop.edit({"spec": {"strategy": {"canary": fields}}})


async def opened(loop: ControlLoop, **spec: Any) -> ControlLoop:
    loop.apply(**spec)
    placed(loop, canaryMetadata=CANARY, stableMetadata=STABLE)
    await loop.until(lambda: loop.status.get("phase") == "Healthy")
    return loop


async def test_pods_have_the_metadata_of_their_role_from_birth_to_promotion(
    loop: ControlLoop,
) -> None:
    await opened(loop)
    assert roles(loop) == {"shop:1 stable": 4}
    assert not pod_patches(loop), "they were born so"

    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 50)
    assert roles(loop) == {"shop:1 stable": 4, "shop:2 canary muted": 2}
    before = names(loop)

    await loop.until(lambda: loop.status["phase"] == "Healthy")
    await loop.run(10)
    assert roles(loop) == {"shop:2 stable": 4}
    assert len(names(loop) & before) == 2, "the canary's pods are the same ones"
    assert len(pod_patches(loop)) == 4, "each pod was changed once"


def pod_patches(loop: ControlLoop) -> list[str]:
    return [
        write.ref.name
        for write in loop.cluster.writes
        if isinstance(write, Patch) and write.ref.kind == POD
    ]


async def test_a_canary_that_is_rolled_back_keeps_its_metadata(loop: ControlLoop) -> None:
    await opened(loop)
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.command("abort")
    await loop.run(2)
    assert roles(loop) == {"shop:1 stable": 4, "shop:2 canary muted": 1}


async def test_a_change_of_the_metadata_reaches_living_pods_once(loop: ControlLoop) -> None:
    await opened(loop)
    before = {pod["metadata"]["uid"] for pod in loop.cluster.select(POD, "shop")}
    placed(loop, stableMetadata={"labels": {"role": "main"}})
    await loop.run(5)
    assert roles(loop) == {"shop:1 main": 4}
    assert sorted(pod_patches(loop)) == sorted(set(pod_patches(loop)))
    placed(loop, stableMetadata=None)
    await loop.run(5)
    assert roles(loop) == {"shop:1 None": 4}
    assert {pod["metadata"]["uid"] for pod in loop.cluster.select(POD, "shop")} == before
    assert loop.status["stableRevision"]["number"] == 1, "no new revision"
    for pod in loop.cluster.select(POD, "shop"):
        assert ROLE_METADATA not in pod["metadata"]["labels"]
    count = len(loop.cluster.writes)
    await loop.run(5)
    assert len(loop.cluster.writes) == count


async def test_a_pod_that_has_gone_meanwhile_stops_nothing(loop: ControlLoop) -> None:
    await loop.deployed()
    await loop.run(5)
    placed(loop, stableMetadata=STABLE)
    await loop.reconciler.reconcile(KEY)
    await loop.reconciler.reconcile(KEY)
    loop.fail_next(NotFound("pod not found"))
    await loop.run(5)
    assert roles(loop) == {"shop:1 stable": 4}
    assert "WriteFailed" not in loop.reasons()


async def test_anti_affinity_is_in_new_templates_only_and_in_no_hash(loop: ControlLoop) -> None:
    await loop.deployed()
    first = loop.status["stableRevision"]["hash"]
    placed(loop, antiAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {}})
    await loop.run(5)
    assert affinity(loop, first) is None
    assert loop.status["currentRevision"]["hash"] == first
    loop.release("shop:2")
    await loop.until(lambda: loop.status["currentRevision"]["number"] == 2)
    await loop.run(2)
    second = loop.status["currentRevision"]["hash"]
    (term,) = affinity(loop, second)["podAntiAffinity"].popitem()[1]
    assert term["labelSelector"]["matchLabels"] == {"app": "checkout"}
    assert term["labelSelector"]["matchExpressions"][1]["values"] == [second]
    loop.release("shop:1")
    await loop.run(5)
    assert loop.status["currentRevision"]["hash"] == first


def affinity(loop: ControlLoop, hash_: str) -> Any:
    found = loop.get(Ref(REPLICA_SET, "shop", f"checkout-{hash_}"))
    assert found is not None
    return found["spec"]["template"]["spec"].get("affinity")


async def test_min_ready_seconds_reach_the_replica_set(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.edit({"spec": {"minReadySeconds": 7}})
    await loop.run(3)
    (found,) = loop.cluster.select(REPLICA_SET, "shop")
    assert found["spec"]["minReadySeconds"] == 7


def names(loop: ControlLoop) -> set[str]:
    return {pod["metadata"]["name"] for pod in loop.cluster.select(POD, "shop")}


@pytest.mark.parametrize("replicas", [1, 2, 4, 9])
async def test_a_restart_replaces_every_pod_and_never_too_many(
    loop: ControlLoop, replicas: int
) -> None:
    await loop.deployed(replicas=replicas)
    await loop.run(3)
    before, kept = names(loop), []
    loop.command("restart")
    evict = loop.cluster._evict

    def counted(write: Any, ref: Ref) -> None:
        evict(write, ref)
        kept.append(len(names(loop)))

    loop.cluster._evict = counted  # type: ignore[method-assign]
    await loop.until(lambda: "Restarted" in loop.reasons())
    await loop.run(3)
    assert not names(loop) & before
    assert len(names(loop)) == replicas
    assert min(kept) >= replicas - replicas // 4
    assert len(kept) == replicas, "each once"
    assert loop.status["phase"] == "Healthy"
    assert "restart" not in loop.status


async def test_a_budget_that_forbids_it_is_waited_for_in_words(loop: ControlLoop) -> None:
    await loop.deployed()
    await loop.run(3)
    before = names(loop)
    loop.cluster.put(
        DISRUPTION_BUDGET,
        {
            "metadata": {"namespace": "shop", "name": "checkout"},
            "spec": {"selector": {"matchLabels": {"app": "checkout"}}},
            "status": {"disruptionsAllowed": 0},
        },
    )
    loop.command("restart")
    with pytest.raises(RetryLater):
        await loop.run(10)
    for _ in range(4):
        loop.clock.move(10)
        with pytest.raises(RetryLater):
            await loop.round()
    assert names(loop) == before
    assert "disruption budget" in loop.status["message"]
    assert loop.status["message"].startswith("restarting: 0 of 4 pods replaced")
    assert loop.status["phase"] == "Progressing"
    assert "WriteFailed" not in [notification.reason for notification in loop.told.notifications]
    loop.cluster.edit(BUDGET, {"status": {"disruptionsAllowed": 1}})
    await loop.until(lambda: "Restarted" in loop.reasons())
    assert not names(loop) & before


async def test_a_restart_goes_on_with_another_controller(loop: ControlLoop) -> None:
    await loop.deployed(replicas=8)
    await loop.run(3)
    before = names(loop)
    loop.command("restart")
    for _ in range(400):
        loop.reconciler = loop.new_reconciler()
        await loop.reconciler.reconcile(KEY)
        loop.kubernetes.settle()
        loop.clock.move(0.5)
        if "Restarted" in loop.reasons():
            break
    assert not names(loop) & before
    evicted = [write.ref.name for write in loop.cluster.writes if isinstance(write, Evict)]
    assert sorted(evicted) == sorted(before)
