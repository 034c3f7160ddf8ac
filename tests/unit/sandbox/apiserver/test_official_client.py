"""The official client, as our controller uses it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client, watch

from rollouts.model.kinds import DEPLOYMENT, POD, Kind
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import deployment, gadget

untyped_watch: Any = watch
GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")


@pytest.fixture
async def api(server: ApiServer) -> AsyncIterator[Any]:
    """The client, untyped: its own types do not say what it returns."""
    configuration = client.Configuration(host=server.url)
    async with client.ApiClient(configuration) as api:
        yield api


async def test_typed_objects(api: Any, store: Store) -> None:
    apps: Any = client.AppsV1Api(api)
    created = await apps.create_namespaced_deployment("default", deployment())
    assert created.spec.template.spec.containers[0].image == "demo:1"
    assert created.metadata.managed_fields
    listed = await apps.list_namespaced_deployment("default", label_selector="!nothing")
    assert [item.metadata.name for item in listed.items] == ["web"]
    scale = await apps.read_namespaced_deployment_scale("web", "default")
    scale.spec.replicas = 4
    await apps.replace_namespaced_deployment_scale("web", "default", scale)
    found = store.get(DEPLOYMENT, "default", "web")
    assert found is not None
    assert found["spec"]["replicas"] == 4
    await apps.delete_namespaced_deployment("web", "default")
    with pytest.raises(client.ApiException) as refusal:
        await apps.read_namespaced_deployment("web", "default")
    assert refusal.value.status == 404


async def test_custom_objects(api: Any, gadgets: Store) -> None:
    custom: Any = client.CustomObjectsApi(api)
    place = ("example.dev", "v1", "default", "gadgets")
    created = await custom.create_namespaced_custom_object(*place, gadget())
    assert created["spec"]["replicas"] == 1
    await custom.patch_namespaced_custom_object_status(
        *place, "one", {"status": {"phase": "Fine"}}, _content_type="application/merge-patch+json"
    )
    found = gadgets.get(GADGET, "default", "one")
    assert found is not None
    assert found["status"] == {"phase": "Fine"}


async def test_watching(api: Any, store: Store) -> None:
    core: Any = client.CoreV1Api(api)
    listed = await core.list_namespaced_config_map("default")
    seen: list[tuple[str, str]] = []
    stream: Any = untyped_watch.Watch()

    async def follow() -> None:
        async for event in stream.stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=listed.metadata.resource_version,
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 2:
                return

    task = asyncio.create_task(follow())
    store.create(CONFIG_MAP, {"metadata": {"name": "one"}})
    store.delete(CONFIG_MAP, "default", "one")
    async with asyncio.timeout(10):
        await task
    await stream.close()
    assert seen == [("ADDED", "one"), ("DELETED", "one")]


async def test_evictions_budgets_and_autoscalers(api: Any, store: Store) -> None:
    core: Any = client.CoreV1Api(api)
    policy: Any = client.PolicyV1Api(api)
    autoscaling: Any = client.AutoscalingV2Api(api)
    meta = {"name": "web", "namespace": "default"}
    container = {"name": "app", "image": "demo:1"}
    body = {"metadata": meta, "spec": {"containers": [container], "nodeName": "sandbox"}}
    await core.create_namespaced_pod("default", body)
    budget = {"metadata": meta, "spec": {"minAvailable": 1, "selector": {}}}
    await policy.create_namespaced_pod_disruption_budget("default", budget)
    running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    store.patch(POD, "default", "web", running, "status")
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="web", namespace="default"))
    with pytest.raises(client.ApiException) as refusal:
        await core.create_namespaced_pod_eviction("web", "default", eviction)
    assert refusal.value.status == 429
    headers: Any = refusal.value.headers
    assert headers["Retry-After"] == "10", "nobody has counted yet"
    await policy.delete_namespaced_pod_disruption_budget("web", "default")
    await core.create_namespaced_pod_eviction("web", "default", eviction)
    pod = await core.read_namespaced_pod("web", "default")
    assert pod.metadata.deletion_timestamp
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": meta, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}
    made = await autoscaling.create_namespaced_horizontal_pod_autoscaler("default", scaler)
    assert made.spec.metrics[0].resource.target.average_utilization == 80
