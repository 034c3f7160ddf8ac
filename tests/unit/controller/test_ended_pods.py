"""A pod that was evicted by its node stays as an object, and is nobody's any more."""

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, Ref
from tests.fakes.adopting_loop import AdoptingControlLoop
from tests.fakes.control_loop import KEY, ControlLoop
from tests.unit.controller.edits import BY_PODS, CANARY, paused


def pods_of(loop: ControlLoop, role: str) -> list[JSON]:
    return loop.cluster.select(POD, "shop", {HASH_LABEL: loop.status[role]["hash"]})


async def leave_one_of_stable(loop: ControlLoop) -> None:
    """Have a pod of the stable revision evicted, and another one made in its place."""
    loop.kubernetes.evict(pods_of(loop, "stableRevision")[0])
    await loop.run(3)
    assert len(pods_of(loop, "stableRevision")) == 5
    assert loop.status["phase"] == "Healthy"


async def promoted(loop: ControlLoop) -> None:
    loop.command('{"id": "full", "verb": "promote-full"}')
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(30)


async def test_it_keeps_no_deployment_from_getting_its_place_back() -> None:
    loop = await AdoptingControlLoop().adopted()
    await leave_one_of_stable(loop)
    loop.release("shop:2")
    await promoted(loop)
    loop.detach()
    await loop.gone()
    assert loop.workload["spec"]["replicas"] == 4


async def test_it_keeps_no_strategy_from_coming_into_force(loop: ControlLoop) -> None:
    await loop.deployed(strategy=BY_PODS)
    await leave_one_of_stable(loop)
    loop.release("shop:2")
    await promoted(loop)
    loop.edit({"spec": {"strategy": {"canary": CANARY["canary"] | {"maxSurge": None}}}})
    await loop.run(5)
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]


async def test_its_revision_is_forgotten_like_any_other(loop: ControlLoop) -> None:
    await loop.deployed(revisionHistoryLimit=0)
    first = loop.status["stableRevision"]["hash"]
    await leave_one_of_stable(loop)
    loop.release("shop:2")
    await promoted(loop)
    assert loop.get(Ref(REPLICA_SET, "shop", f"checkout-{first}")) is None


@pytest.mark.parametrize("role", ["currentRevision", "stableRevision"])
async def test_a_release_by_replicas_goes_on_beside_it(loop: ControlLoop, role: str) -> None:
    await paused(loop, BY_PODS)
    loop.kubernetes.evict(pods_of(loop, role)[0])
    await loop.run(3)
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)


async def test_a_canary_that_lost_a_pod_by_eviction_is_not_one_that_failed(
    loop: ControlLoop,
) -> None:
    """Its replacement is waited for, as that of a pod that a drain has deleted."""
    await paused(loop, CANARY)
    await loop.run(5)
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)
    oldest, _ = pods_of(loop, "currentRevision")
    loop.kubernetes.evict(oldest)
    await loop.reconciler.reconcile(KEY)
    await loop.run(5)
    assert loop.status.get("abort") is None
    assert loop.status["weights"]["applied"] == 50
