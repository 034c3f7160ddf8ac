"""
The API servers that have to answer alike, each with its controllers: the sandbox's and a real one.

Each assertion in this folder was seen on the real one first. Where the two differ, the sandbox's
is wrong.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.autoscaling import Autoscaling, Timing
from rollouts.sandbox.workloads.control_loop import ControlLoop
from rollouts.sandbox.workloads.deployments import Deployments
from rollouts.sandbox.workloads.disruptions import Disruptions
from rollouts.sandbox.workloads.endpoints import EndpointSlices
from rollouts.sandbox.workloads.replicasets import ReplicaSets
from tests.contract.api_server.wire import Wire
from tests.contract.conftest import BORROWED, SERVERS, hung_up, write_kubeconfig


@pytest.fixture
async def embedded_wire(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[Wire]:
    async def compact() -> None:
        api_server.compact()

    wire = Wire(write_kubeconfig(api_server.url, tmp_path), "contract", compact)
    await wire.open()
    store = api_server.store
    controllers = (
        ReplicaSets(store),
        Deployments(store),
        EndpointSlices(store),
        Disruptions(store),
    )
    autoscaling = Autoscaling(store, timing=Timing(sync_seconds=0.1))
    running = [autoscaling.run(), *(ControlLoop(store, each).run() for each in controllers)]
    tasks = [asyncio.create_task(each) for each in running]
    yield wire
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await wire.close()


@pytest.fixture
async def real_wire(request: pytest.FixtureRequest, real_kubeconfig: Path) -> AsyncIterator[Wire]:
    async def compact() -> None:
        if BORROWED:
            pytest.skip("somebody's cluster is not made to forget its past")
        await asyncio.to_thread(request.getfixturevalue("control_plane").compact)

    wire = Wire(real_kubeconfig, f"contract-{uuid.uuid4().hex[:8]}", compact)
    await wire.open()
    yield wire
    await wire.close()
    await hung_up()


@pytest.fixture(params=SERVERS)
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.getfixturevalue(f"{request.param}_wire")
    return found
