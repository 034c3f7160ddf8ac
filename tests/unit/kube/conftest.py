from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.model.kinds import POD
from rollouts.ports import Scope
from tests.fakes.api_server import FakeApiServer
from tests.fakes.watched_pods import QUICK


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def cluster(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    made = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], {POD: Scope()}, timing=QUICK)
    yield made
    await made.stop()
