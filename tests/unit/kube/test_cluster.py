import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import WatchTiming
from rollouts.model.kinds import ENDPOINT_SLICE, POD, ROLLOUT, Ref
from rollouts.ports import Scope
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.watched_pods import PODS, QUICK, A, B, pod, started
from tests.waiting import until


async def test_caches_are_filled_in_pages_and_changes_tell_all_that_exists(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    for number in range(1201):
        api.put(f"/api/v1/namespaces/shop/pods/p{number}", {"kind": "Pod"})
    await cluster.start()
    assert len(cluster.select(POD, "shop")) == 1201
    assert cluster.select(POD, "elsewhere") == []
    assert api.lists(PODS) == 3
    changes = cluster.changes()
    assert len({await anext(changes) for _ in range(1201)}) == 1201


async def test_the_watch_brings_additions_changes_and_deletions(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    changes = await started(cluster, api)
    api.put(A, {"metadata": {"labels": {"app": "x"}}})
    assert await anext(changes) == pod("a")
    assert [p["metadata"]["name"] for p in cluster.select(POD, "", {"app": "x"})] == ["a"]
    assert cluster.select(POD, "shop", {"app": "y"}) == []
    api.put(A, {"status": {"phase": "Running"}})
    assert await anext(changes) == pod("a")
    found = cluster.get(pod("a"))
    assert found is not None
    assert found["status"] == {"phase": "Running"}
    api.drop(A)
    assert await anext(changes) == pod("a")
    assert cluster.get(pod("a")) is None


async def test_managed_fields_and_kubectls_copy_are_not_kept(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    api.put(A, {"metadata": {"managedFields": [{}], "annotations": annotations}})
    await cluster.start()
    found = cluster.get(pod("a"))
    assert found is not None
    assert "managedFields" not in found["metadata"]
    assert found["metadata"]["annotations"] == {"mine": "1"}
    assert (found["kind"], found["apiVersion"]) == ("Pod", "v1")


async def test_of_managed_fields_the_owners_are_kept_that_a_scope_asks_for(
    api: FakeApiServer, tmp_path: Path
) -> None:
    theirs = {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}
    api.put(A, {"metadata": {"managedFields": [theirs]}})
    api.put(B, {"metadata": {"managedFields": [theirs | {"operation": "Update"}]}})
    kinds = {POD: Scope(owners=("spec.x",))}
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    await cluster.start()
    kept = [each["metadata"].get("managedFields") for each in cluster.select(POD, "shop")]
    assert kept == [[theirs], None]
    await cluster.stop()


async def test_a_cut_watch_goes_on_where_it_was_without_a_list(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    changes = await started(cluster, api)
    api.cut()
    await until(lambda: not api.watching)
    api.put(A, {})
    assert await anext(changes) == pod("a")
    assert api.lists(PODS) == 1
    assert cluster.problems() == []


async def test_a_bookmark_moves_on_where_the_next_watch_begins(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    api.bookmark()
    api.forget_history()
    api.cut()
    await until(lambda: api.count("WATCH", PODS) == 2)
    assert api.queries[-1]["resourceVersion"] == str(api.version)
    assert api.lists(PODS) == 1


async def test_a_forgotten_version_leads_to_a_list_whose_differences_are_told(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    api.put(A, {})
    api.put("/api/v1/namespaces/shop/pods/same", {})
    changes = await started(cluster, api)
    api.cut()
    await until(lambda: not api.watching)
    api.drop(A)
    api.put(B, {})
    api.forget_history()
    assert {await anext(changes), await anext(changes)} == {pod("a"), pod("b")}
    assert cluster.get(pod("a")) is None
    assert cluster.get(pod("b")) is not None
    await until(lambda: api.watching)
    assert api.lists(PODS) == 2


async def test_an_error_event_410_leads_to_a_list(api: FakeApiServer, cluster: KubeCluster) -> None:
    await started(cluster, api)
    event = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    api.send(json.dumps(event).encode() + b"\n")
    await until(lambda: api.lists(PODS) == 2)


@pytest.mark.parametrize(
    "nonsense",
    [b"nonsense\n", b"[]\n", b"{}\n", b'{"type": "ADDED", "object": {"metadata": {}}}\n'],
)
async def test_a_malformed_event_leads_to_a_list(
    api: FakeApiServer, cluster: KubeCluster, nonsense: bytes
) -> None:
    await started(cluster, api)
    api.send(nonsense)
    await until(lambda: api.lists(PODS) == 2 and api.watching)
    api.put(A, {})
    await until(lambda: cluster.get(pod("a")))
    assert cluster.problems() == []


async def test_a_history_that_went_backwards_is_believed(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    api.put(A, {"spec": "new"})
    changes = await started(cluster, api)
    api.cut()
    await until(lambda: not api.watching)
    api.version = 5
    api.put(A, {"spec": "restored"})
    api.oldest = 10_000
    assert await anext(changes) == pod("a")
    found = cluster.get(pod("a"))
    assert found is not None
    assert found["spec"] == "restored"


async def test_errors_of_the_server_are_waited_out(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    refusals = [status(500, "etcd"), status(503, "starting"), web.Response(text="<html>")]
    api.faults.append(lambda _: refusals.pop() if refusals else None)
    api.put(A, {})
    async with asyncio.timeout(10):
        await cluster.start()
    assert cluster.get(pod("a")) is not None


async def test_a_kind_that_is_not_served_is_reported_and_found_later(
    api: FakeApiServer, tmp_path: Path
) -> None:
    kinds = {POD: Scope(), ROLLOUT: Scope()}
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    async with asyncio.timeout(10):
        await cluster.start()
    assert cluster.select(ROLLOUT, "") == []
    assert "rollouts" in " ".join(cluster.problems())
    api.served.add("/apis/rollouts.dev/v1alpha1/rollouts")
    api.put("/apis/rollouts.dev/v1alpha1/namespaces/shop/rollouts/r", {})
    await until(lambda: cluster.get(Ref(ROLLOUT, "shop", "r")))
    await until(lambda: not cluster.problems())
    await cluster.stop()


async def test_endpoint_slices_are_read_where_kubernetes_1_20_serves_them(
    api: FakeApiServer, tmp_path: Path
) -> None:
    root = "/apis/discovery.k8s.io/v1beta1"
    api.served.add(f"{root}/endpointslices")
    api.put(f"{root}/namespaces/shop/endpointslices/web-1", {"endpoints": []})
    kinds = {ENDPOINT_SLICE: Scope()}
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    async with asyncio.timeout(10):
        await cluster.start()
    await until(lambda: cluster.get(Ref(ENDPOINT_SLICE, "shop", "web-1")))
    assert cluster.synced()
    assert not cluster.problems()
    await cluster.stop()


async def test_who_refuses_for_a_moment_as_an_api_server_that_starts_is_asked_again_soon(
    api: FakeApiServer, tmp_path: Path
) -> None:
    refusals = [status(403, "clusterrole not found") for _ in range(3)]
    api.faults.append(lambda _: refusals.pop() if refusals else None)
    timing = WatchTiming(first_delay_seconds=0.01)
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], {POD: Scope()}, timing=timing)
    async with asyncio.timeout(10):
        await cluster.start()
    await cluster.stop()


async def test_who_refuses_for_a_moment_is_asked_again_soon_also_after_a_long_outage(
    api: FakeApiServer, tmp_path: Path
) -> None:
    codes = [403, 403, *[503] * 14]
    api.faults.append(lambda _: status(codes.pop(), "not yet") if codes else None)
    timing = WatchTiming(first_delay_seconds=0.01, longest_delay_seconds=0.02)
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], {POD: Scope()}, timing=timing)
    async with asyncio.timeout(10):
        await cluster.start()
    await cluster.stop()


async def test_a_missing_permission_keeps_start_waiting_and_is_reported(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    refusal = 'pods is forbidden: User "x" cannot list resource "pods"'
    api.faults.append(lambda _: status(403, refusal))
    starting = asyncio.create_task(cluster.start())
    await until(cluster.problems)
    assert refusal in cluster.problems()[0]
    assert not starting.done()
    assert not cluster.synced()
    api.faults.clear()
    await starting
