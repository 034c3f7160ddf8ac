"""A Rollout that is nested too deeply for Python, which a real API server stores, hides no other."""

import asyncio
import json
import urllib.request
from pathlib import Path

import pytest

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.paths import collection_path
from rollouts.model.kinds import ROLLOUT, Ref
from rollouts.ports import Scope
from tests.contract.conftest import KubeWorld
from tests.contract.kubeconfigs import Access
from tests.fakes.kubernetes import rollout
from tests.waiting import until

LEVELS = 5000


def post(kubeconfig: Path, path: str, text: str) -> None:
    """Send JSON that Python could not write."""
    access = Access.of(kubeconfig)
    headers = {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(access.server + path, text.encode(), headers)
    with urllib.request.urlopen(request, timeout=30, context=access.trusted) as response:
        assert response.status == 201


@pytest.mark.parametrize("server", [pytest.param("real", marks=pytest.mark.control_plane)])
async def test_it_is_read_beside_its_neighbour_by_a_list_and_by_a_watch(
    real: KubeWorld, real_kubeconfig: Path, server: str
) -> None:
    deep, plain = rollout([{"setWeight": 5}]), rollout([{"setWeight": 5}])
    for body, name in ((deep, "deep"), (plain, "plain")):
        body["metadata"] = {"name": name, "namespace": real.namespace}
    deep["spec"]["template"]["spec"]["x"] = "DEEP"
    text = json.dumps(deep).replace('"DEEP"', '{"a":' * LEVELS + "1" + "}" * LEVELS)
    path = collection_path(ROLLOUT, real.namespace)
    await asyncio.to_thread(post, real_kubeconfig, path, text)
    await real.create(ROLLOUT, plain)
    names = [Ref(ROLLOUT, real.namespace, each) for each in ("deep", "plain")]
    await until(lambda: all(real.cluster.get(each) for each in names))
    assert real.kube.problems() == []

    second = KubeCluster(Connection(real_kubeconfig), [real.namespace], {ROLLOUT: Scope()})
    await second.start()
    assert all(second.get(each) for each in names)
    assert second.problems() == []
    await second.stop()
