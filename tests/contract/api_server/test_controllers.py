"""What the controllers make of objects: Deployments, ReplicaSets, EndpointSlices. No pod runs; tests say so."""

import re
from functools import partial

import pytest

from rollouts.kube.paths import collection_path
from rollouts.model.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    JSON,
    POD,
    REPLICA_SET,
    SERVICE,
)
from rollouts.sandbox.apiserver.builtins import NODE
from tests.contract.api_server.objects import pod, replica_set, service
from tests.contract.api_server.wire import Wire
from tests.waiting import answer

HELD = "example.dev/held"
A_NODE = "contract"
COST = "controller.kubernetes.io/pod-deletion-cost"


async def bound(wire: Wire, **metadata: JSON | list[str]) -> None:
    """Make a pod on a node, which no kubelet looks after."""
    await wire.post(collection_path(NODE), {"metadata": {"name": A_NODE}})
    body = pod()
    body["metadata"] |= metadata
    body["spec"]["nodeName"] = A_NODE
    await wire.post(wire.of(POD), body)


async def pods(wire: Wire) -> list[JSON]:
    found: list[JSON] = (await wire.get(wire.of(POD))).body["items"]
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


async def so_many_pods(wire: Wire, count: int) -> list[JSON] | None:
    found = await pods(wire)
    return found if len(found) == count else None


async def says(wire: Wire, name: str, *, ready: bool, address: str = "10.1.2.3") -> None:
    """Say of a pod what its kubelet would."""
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": str(ready)}],
    }
    await wire.merge(wire.of(POD, name, "status"), {"status": status})


async def endpoints(wire: Wire, name: str = "web") -> list[JSON] | None:
    """Return what the slice of a Service has, None when there is none yet."""
    selector = f"kubernetes.io/service-name={name}"
    found = await wire.get(wire.of(ENDPOINT_SLICE), labelSelector=selector)
    items = found.body["items"]
    return [{"of": each["endpoints"]} for each in items] if items else None


async def conditions(wire: Wire, wanted: JSON, name: str = "web") -> bool:
    slices = await endpoints(wire, name)
    listed = (slices or [{}])[0].get("of") or []
    return any(each["conditions"] == wanted for each in listed)


@pytest.mark.parametrize("paused", [True, False])
async def test_a_deployment_adopts_by_a_replica_sets_own_labels(wire: Wire, paused: bool) -> None:
    """Also one whose selector names other pods, and takes them away."""
    orphan = replica_set("orphan")
    orphan["metadata"]["labels"] = {"app": "web"}
    labels = {"app": "web", "other": "yes"}
    orphan["spec"]["selector"] = {"matchLabels": labels}
    orphan["spec"]["template"]["metadata"]["labels"] = labels
    orphan["spec"]["replicas"] = 2
    await wire.post(wire.of(REPLICA_SET), orphan)
    await answer(partial(so_many_pods, wire, 2))
    spec = {**replica_set()["spec"], "paused": paused}
    made = await wire.post(wire.of(DEPLOYMENT), {"metadata": {"name": "web"}, "spec": spec})
    uid = made.body["metadata"]["uid"]

    async def is_adopted_and_empty() -> bool:
        seen = (await wire.get(wire.of(REPLICA_SET, "orphan"))).body
        owners = [each["uid"] for each in seen["metadata"].get("ownerReferences", [])]
        return owners == [uid] and seen["spec"]["replicas"] == 0

    await answer(is_adopted_and_empty)


async def test_a_pod_that_is_not_ready_goes_before_a_cheaper_one(wire: Wire) -> None:
    body = replica_set()
    body["spec"]["replicas"] = 2
    await wire.post(wire.of(REPLICA_SET), body)
    cheap, unready = [
        each["metadata"]["name"] for each in await answer(partial(so_many_pods, wire, 2))
    ]
    await wire.merge(wire.of(POD, cheap), {"metadata": {"annotations": {COST: "-100"}}})
    await says(wire, cheap, ready=True)
    await says(wire, unready, ready=False)

    async def ready_ones() -> bool:
        seen = (await wire.get(wire.of(REPLICA_SET, "web"))).body
        ready: int = seen["status"].get("readyReplicas", 0)
        return ready == 1

    await answer(ready_ones)
    await wire.merge(wire.of(REPLICA_SET, "web", "scale"), {"spec": {"replicas": 1}})
    (left,) = await answer(partial(so_many_pods, wire, 1))
    assert left["metadata"]["name"] == cheap


async def test_a_service_without_pods_has_a_slice_without_endpoints(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    assert await answer(partial(endpoints, wire)) == [{"of": None}]


async def test_a_ready_pod_is_a_ready_endpoint(wire: Wire) -> None:
    await wire.post(wire.of(SERVICE), service())
    await bound(wire)
    await says(wire, "web-1", ready=True)
    ready = {"ready": True, "serving": True, "terminating": False}
    await answer(partial(conditions, wire, ready))


async def test_a_pod_that_goes_serves_and_is_not_ready(wire: Wire) -> None:
    open_to_all = service("all")
    open_to_all["spec"]["publishNotReadyAddresses"] = True
    for body in (service(), open_to_all):
        await wire.post(wire.of(SERVICE), body)
    await bound(wire, finalizers=[HELD])
    await says(wire, "web-1", ready=True)
    await wire.delete(wire.of(POD, "web-1"), gracePeriodSeconds=0)
    going = {"ready": False, "serving": True, "terminating": True}
    await answer(partial(conditions, wire, going))
    await answer(partial(conditions, wire, {**going, "ready": True}, "all"))
    await wire.merge(wire.of(POD, "web-1"), {"metadata": {"finalizers": None}})


async def test_autoscalers_that_find_one_pod_both_do_nothing(wire: Wire) -> None:
    body = replica_set()
    body["spec"]["replicas"] = 1
    await wire.post(wire.of(REPLICA_SET), body)
    await answer(partial(so_many_pods, wire, 1))
    target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web"}
    for name in ("one", "two"):
        scaler = {"metadata": {"name": name}, "spec": {"maxReplicas": 3, "scaleTargetRef": target}}
        await wire.post(wire.of(AUTOSCALER), scaler)

    async def is_ambiguous(name: str) -> JSON | None:
        status = (await wire.get(wire.of(AUTOSCALER, name))).body.get("status") or {}
        told = status.get("conditions") or ()
        return next((each for each in told if each["reason"] == "AmbiguousSelector"), None)

    for name in ("one", "two"):
        said = await answer(partial(is_ambiguous, name))
        assert (said["type"], said["status"]) == ("ScalingActive", "False")
        named = set(re.findall(rf"{wire.namespace}/\w+", said["message"]))
        assert named == {f"{wire.namespace}/one", f"{wire.namespace}/two"}
