"""Evictions: what a disruption budget allows, and what is said when it does not."""

from rollouts.model.kinds import DISRUPTION_BUDGET, JSON, POD
from tests.contract.api_server.objects import NOBODY, pod
from tests.contract.api_server.wire import Answer, Wire
from tests.waiting import answer


async def running(wire: Wire, name: str = "web-1", *, ready: bool = True) -> None:
    await wire.post(wire.of(POD), pod(name))
    condition = {"type": "Ready", "status": str(ready)}
    status = {"phase": "Running", "conditions": [condition]}
    await wire.merge(wire.of(POD, name, "status"), {"status": status})


async def guarded(wire: Wire, name: str = "web", **spec: object) -> None:
    """Make a budget that keeps all pods; it counts in a moment."""
    selector = {"matchLabels": {"app": "web"}}
    body = {"metadata": {"name": name}, "spec": {"selector": selector, "minAvailable": 1, **spec}}
    await wire.post(wire.of(DISRUPTION_BUDGET), body)


async def evict(wire: Wire, name: str = "web-1", **options: object) -> Answer:
    body: JSON = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name},
        "deleteOptions": options,
    }
    return await wire.post(wire.of(POD, name, "eviction"), body)


async def test_a_pod_that_nobody_guards_goes(wire: Wire) -> None:
    await running(wire)
    assert (await evict(wire)).status == 201


async def test_a_guarded_pod_stays_for_now(wire: Wire) -> None:
    await running(wire)
    await guarded(wire)
    refused = await evict(wire)
    assert (refused.status, refused.causes) == (429, [("DisruptionBudget", "")])
    assert refused.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert (await wire.get(wire.of(POD, "web-1"))).status == 200


async def test_two_budgets_of_one_pod_are_an_error(wire: Wire) -> None:
    await running(wire)
    for name in ("one", "two"):
        await guarded(wire, name)
    refused = await evict(wire)
    assert refused.status == 500
    why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    assert refused.message == why


async def test_a_pod_that_does_not_run_yet_may_go(wire: Wire) -> None:
    await wire.post(wire.of(POD), pod())
    await guarded(wire)
    assert (await evict(wire)).status == 201


async def test_a_pod_that_is_not_ready_is_guarded_too(wire: Wire) -> None:
    await running(wire, ready=False)
    await guarded(wire)
    assert (await evict(wire)).status == 429


async def test_a_pod_that_is_not_ready_may_always_go_if_the_budget_says_so(wire: Wire) -> None:
    await running(wire, ready=False)
    await guarded(wire, unhealthyPodEvictionPolicy="AlwaysAllow")

    async def allowed() -> bool:
        return (await evict(wire, dryRun=["All"])).status == 201

    await answer(allowed)


async def test_an_eviction_means_one_pod(wire: Wire) -> None:
    await running(wire)
    assert (await evict(wire, preconditions={"uid": NOBODY})).status == 409
    assert (await evict(wire, "web-2")).status == 404


async def test_a_dry_run_evicts_nobody(wire: Wire) -> None:
    await running(wire)
    assert (await evict(wire, dryRun=["All"])).status == 201
    assert "deletionTimestamp" not in (await wire.get(wire.of(POD, "web-1"))).body["metadata"]
