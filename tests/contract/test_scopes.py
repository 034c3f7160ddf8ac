"""A cache that holds a part of a kind: the objects with a label, and some of their fields."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.controller.watches import WATCHED
from rollouts.errors import Conflict, Permanent
from rollouts.kube import cluster as writing
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import WatchTiming
from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, Ref
from rollouts.ports import Create, Patch
from rollouts.sandbox.apiserver.server import ApiServer
from tests.contract.conftest import write_kubeconfig
from tests.waiting import until

OURS = {"app": "web", HASH_LABEL: "abc"}


@pytest.fixture
async def cluster(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    kubeconfig = write_kubeconfig(api_server.url, tmp_path)
    kinds = {kind: WATCHED[kind] for kind in (REPLICA_SET, POD)}
    made = KubeCluster(
        Connection(kubeconfig), [], kinds, timing=WatchTiming(first_delay_seconds=0.02)
    )
    yield made
    await made.stop()


def replica_set(name: str, labels: JSON) -> JSON:
    template = {
        "metadata": {"labels": OURS},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": OURS}, "template": template},
    }


def pod(name: str, labels: JSON) -> JSON:
    metadata = {
        "name": name,
        "namespace": "default",
        "labels": labels,
        "annotations": {"config": "x" * 1000},
    }
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def names(cluster: KubeCluster) -> list[str]:
    return sorted(each["metadata"]["name"] for each in cluster.select(REPLICA_SET, ""))


async def test_what_is_not_ours_is_not_kept(api_server: ApiServer, cluster: KubeCluster) -> None:
    api_server.store.create(REPLICA_SET, replica_set("theirs", {"app": "web"}))
    api_server.store.create(REPLICA_SET, replica_set("ours", OURS))
    await cluster.start()
    assert names(cluster) == ["ours"]
    api_server.store.create(REPLICA_SET, replica_set("theirs-2", {"app": "web"}))
    api_server.store.create(REPLICA_SET, replica_set("ours-2", OURS))
    await until(lambda: names(cluster) == ["ours", "ours-2"])


async def test_what_loses_the_label_is_gone_and_comes_back_with_it(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    api_server.store.create(REPLICA_SET, replica_set("ours", OURS))
    await cluster.start()
    bare, labelled = ({"metadata": {"labels": {HASH_LABEL: each}}} for each in (None, "abc"))
    api_server.store.patch(REPLICA_SET, "default", "ours", bare)
    await until(lambda: not names(cluster))
    api_server.store.patch(REPLICA_SET, "default", "ours", labelled)
    await until(lambda: names(cluster) == ["ours"])


async def test_the_response_to_a_write_is_held_against_the_label_too(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    await cluster.start()
    await cluster.write(Create(REPLICA_SET, replica_set("ours", OURS)))
    await cluster.write(Create(REPLICA_SET, replica_set("theirs", {"app": "web"})))
    assert names(cluster) == ["ours"]
    bare = {"metadata": {"labels": {HASH_LABEL: None}}}
    await cluster.write(Patch(Ref(REPLICA_SET, "default", "ours"), bare))
    assert names(cluster) == []


async def test_of_a_pod_only_what_is_read_is_kept(
    api_server: ApiServer, cluster: KubeCluster
) -> None:
    api_server.store.create(POD, pod("web-1", OURS))
    await cluster.start()
    [found] = cluster.select(POD, "default", {"app": "web"})
    assert found["metadata"]["labels"] == OURS
    assert found["metadata"]["uid"]
    assert "annotations" not in found["metadata"]
    assert set(found["spec"]) <= {"hostNetwork"}
    assert found["status"]["phase"], "one that has ended is told by it"
    assert set(found["status"]) <= {
        "phase",
        "conditions",
        "containerStatuses",
        "initContainerStatuses",
    }


async def test_a_name_that_somebody_else_has_is_first_a_conflict_and_then_named(
    api_server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_server.store.create(REPLICA_SET, replica_set("web-abc", {"app": "web"}))
    await cluster.start()
    wanted = Create(REPLICA_SET, replica_set("web-abc", OURS))
    with pytest.raises(Conflict):
        await cluster.write(wanted)
    monkeypatch.setattr(writing, "UNSEEN_SECONDS", 0.0)
    with pytest.raises(Permanent, match=r"web-abc exists already .* delete it"):
        await cluster.write(wanted)
    api_server.store.delete(REPLICA_SET, "default", "web-abc")
    await cluster.write(wanted)
    assert names(cluster) == ["web-abc"]


async def test_a_name_that_ours_has_is_a_conflict_however_often(
    api_server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "UNSEEN_SECONDS", 0.0)
    api_server.store.create(REPLICA_SET, replica_set("web-abc", OURS))
    await cluster.start()
    for _ in range(2):
        with pytest.raises(Conflict):
            await cluster.write(Create(REPLICA_SET, replica_set("web-abc", OURS)))
