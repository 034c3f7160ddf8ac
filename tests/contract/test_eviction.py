"""What every `Cluster` promises of an eviction."""

import pytest

from rollouts.errors import RetryLater
from rollouts.model.kinds import DISRUPTION_BUDGET, POD, Ref
from rollouts.ports import Evict
from tests.contract.conftest import World
from tests.waiting import until

LABELS = {"app": "web"}


async def a_running_pod(world: World) -> Ref:
    ref = Ref(POD, world.namespace, "web-1")
    container = {"name": "web", "image": "web:1"}
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": LABELS}
    await world.create(POD, {"metadata": metadata, "spec": {"containers": [container]}})
    ready = {"type": "Ready", "status": "True"}
    running = {"status": {"phase": "Running", "conditions": [ready]}}
    await world.patch(ref, running, "status")
    await until(lambda: (world.cluster.get(ref) or {}).get("status", {}).get("phase") == "Running")
    return ref


def going(world: World, ref: Ref) -> bool:
    found = world.cluster.get(ref)
    return found is None or "deletionTimestamp" in found["metadata"]


async def test_an_evicted_pod_goes(world: World) -> None:
    ref = await a_running_pod(world)
    await world.cluster.write(Evict(ref))
    await until(lambda: going(world, ref))


async def test_what_a_disruption_budget_forbids_is_to_be_tried_later(world: World) -> None:
    ref = await a_running_pod(world)
    spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}}
    metadata = {"name": "web", "namespace": world.namespace}
    await world.create(DISRUPTION_BUDGET, {"metadata": metadata, "spec": spec})
    with pytest.raises(RetryLater, match="Cannot evict pod as it would violate"):
        await world.cluster.write(Evict(ref))
    assert not going(world, ref)
    await world.delete(Ref(DISRUPTION_BUDGET, world.namespace, "web"))
    await world.cluster.write(Evict(ref))
    await until(lambda: going(world, ref))


async def test_a_pod_that_is_gone_need_not_be_evicted(world: World) -> None:
    await world.cluster.write(Evict(Ref(POD, world.namespace, "nobody")))
