"""Kinds that come with a CRD, where the API server does not tell us of CRDs, or late."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import REFUSALS
from rollouts.model.kinds import AUTOSCALER, CRD, JSON, POD, Ref
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.ports import Scope
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.crds import definition, established
from tests.fakes.watched_pods import QUICK, A, pod
from tests.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PODS = "/api/v1/namespaces/shop/pods"
SPLITS = "/apis/split.smi-spec.io/v1alpha2/namespaces/shop/trafficsplits"
KINDS = {
    POD: Scope(),
    CRD: Scope(names=(TRAFFIC_SPLIT.crd_name,), needed=False),
    TRAFFIC_SPLIT: Scope(versions=("v1alpha4", "v1alpha2"), needed=False),
}


@pytest.fixture
def cluster(api: FakeApiServer, tmp_path: Path) -> KubeCluster:
    api.put(A, {})
    api.put(f"{CRDS}/{TRAFFIC_SPLIT.crd_name}", established(definition(TRAFFIC_SPLIT, "v1alpha2")))
    api.put(f"{SPLITS}/web", {"spec": {"service": "web"}})
    api.served |= {CRDS, SPLITS, PODS}
    return KubeCluster(Connection(api.kubeconfig(tmp_path)), ["shop"], KINDS, timing=QUICK)


def refuse(api: FakeApiServer, plural: str) -> None:
    def forbidden(request: web.Request) -> web.Response | None:
        return status(403, f"{plural} is forbidden") if plural in request.path else None

    api.faults.append(forbidden)


async def start(cluster: KubeCluster) -> None:
    async with asyncio.timeout(10):
        await cluster.start()
    assert cluster.synced()


async def test_what_is_served_at_the_start_is_read_before_the_start_is_over(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await start(cluster)
    found = cluster.get(Ref(TRAFFIC_SPLIT, "shop", "web"))
    assert found is not None
    assert found["apiVersion"] == "split.smi-spec.io/v1alpha2"
    asked = dict(zip([path for _, path in api.requests], api.queries, strict=True))
    assert asked[CRDS]["fieldSelector"] == f"metadata.name={TRAFFIC_SPLIT.crd_name}"
    assert asked[SPLITS] is not None
    await cluster.stop()


async def test_who_may_not_see_definitions_is_told_and_works_without_them(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    refuse(api, "customresourcedefinitions")
    await start(cluster)
    assert cluster.get(pod("a")) is not None
    assert cluster.select(TRAFFIC_SPLIT, "") == []
    [problem] = cluster.problems()
    assert "customresourcedefinitions is forbidden" in problem
    api.faults.clear()
    await until(lambda: cluster.select(TRAFFIC_SPLIT, "shop"))
    await until(lambda: not cluster.problems())
    await cluster.stop()


async def test_a_kind_that_is_installed_but_not_for_us_holds_up_nothing(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    refuse(api, "trafficsplits")
    await start(cluster)
    assert cluster.get(pod("a")) is not None
    assert "trafficsplits is forbidden" in " ".join(cluster.problems())
    await cluster.stop()


@pytest.mark.parametrize("plural", ["trafficsplits", "customresourcedefinitions"])
async def test_that_a_kind_may_not_be_read_is_known_and_told_until_it_may(
    api: FakeApiServer, cluster: KubeCluster, plural: str
) -> None:
    """Also where it has no objects, so that nothing else would tell of it; an outage is no permission."""
    api.drop(f"{SPLITS}/web")
    refuse(api, plural)
    await start(cluster)
    changes = cluster.changes()
    assert f"{plural} is forbidden" in cluster.refusal(TRAFFIC_SPLIT, "shop")
    assert not cluster.refusal(POD, "shop")
    api.faults[:] = [lambda each: status(503, "away") if plural in each.path else None]
    await until(lambda: "away" in " ".join(cluster.problems()))
    assert f"{plural} is forbidden" in cluster.refusal(TRAFFIC_SPLIT, "shop")
    api.faults.clear()
    await until(lambda: not cluster.refusal(TRAFFIC_SPLIT, "shop"))
    async with asyncio.timeout(10):
        while await anext(changes) != Ref(CRD, "", TRAFFIC_SPLIT.crd_name):
            pass
    await cluster.stop()


async def test_what_may_be_listed_and_not_watched_may_not_be_read(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """A list that is granted now and then says nothing of what has changed since."""

    def refused(request: web.Request) -> web.Response | None:
        is_watch = "watch" in request.query and "trafficsplits" in request.path
        return status(403, "trafficsplits is forbidden: cannot watch") if is_watch else None

    api.faults.append(refused)
    await start(cluster)
    await until(lambda: cluster.refusal(TRAFFIC_SPLIT, "shop"))
    lists = api.count("GET", SPLITS)
    async with asyncio.timeout(10):
        while api.count("GET", SPLITS) < lists + 5:
            await asyncio.sleep(
                0
            )  # each turn of the loop is looked at: what must not happen is short
            assert cluster.refusal(TRAFFIC_SPLIT, "shop")
    api.faults.clear()
    await until(lambda: not cluster.refusal(TRAFFIC_SPLIT, "shop"))
    await cluster.stop()


async def test_refusals_of_an_api_server_that_refuses_everything_say_nothing_of_one_kind(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """It has not read the roles yet: the routes that it refuses meanwhile have to be waited for."""

    def starts(request: web.Request) -> web.Response | None:
        asked = api.count("GET", CRDS)
        has_begun = asked > 2 * REFUSALS and PODS in request.path
        return None if has_begun or api.watching else status(403, "clusterrole not found")

    api.faults.append(starts)
    await start(cluster)
    assert cluster.get(Ref(TRAFFIC_SPLIT, "shop", "web")) is not None
    await cluster.stop()


async def test_a_definition_that_is_ahead_of_its_api_is_caught_up_with(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """An API server may say Established a moment before it answers."""
    api.served.remove(SPLITS)
    await start(cluster)
    assert cluster.select(TRAFFIC_SPLIT, "shop") == []
    api.served.add(SPLITS)
    await until(lambda: cluster.select(TRAFFIC_SPLIT, "shop"))
    await cluster.stop()


async def test_what_is_built_in_is_read_at_the_version_of_an_older_cluster(
    api: FakeApiServer, tmp_path: Path
) -> None:
    older = "/apis/autoscaling/v2beta2"
    api.served.add(f"{older}/horizontalpodautoscalers")
    fields = ("metadata.name", "metadata.namespace", "spec.metrics.type")
    spec: JSON = {"metrics": [{"type": "Resource", "resource": {}}], "maxReplicas": 3}
    api.put(f"{older}/namespaces/shop/horizontalpodautoscalers/web", {"spec": spec})
    kinds = {AUTOSCALER: Scope(fields=fields)}
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    await start(cluster)
    await until(lambda: cluster.select(AUTOSCALER, "shop"))
    [found] = cluster.select(AUTOSCALER, "shop")
    assert found["spec"] == {"metrics": [{"type": "Resource"}]}
    await cluster.stop()
