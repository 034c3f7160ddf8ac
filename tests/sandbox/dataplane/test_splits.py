"""What a TrafficSplit does to requests that an Ingress sends to its root Service."""

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from rollouts.model.kinds import CRD
from rollouts.model.routers.smi import TRAFFIC_SPLIT, TRAFFIC_SPLIT_VERSIONS
from rollouts.sandbox.crds import definitions
from rollouts.sandbox.load import Load, Target
from tests.sandbox.dataplane.test_exporter import counts

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox
HOST = "shop.example"


async def two_leaves(edge: "Edge") -> None:
    """Given an Ingress to `web`, and a pod behind each of web, web-stable and web-canary."""
    edge.service("web", await edge.pod(1, "root"))
    edge.service("web-stable", await edge.pod(2, "v1"))
    edge.service("web-canary", await edge.pod(3, "v2"))
    edge.ingress("web", "web")
    await edge.configurator.apply()


async def versions(edge: "Edge", requests: int = 40) -> set[str]:
    await edge.configurator.apply()
    return {await edge.version() for _ in range(requests)}


@pytest.mark.parametrize("version", TRAFFIC_SPLIT_VERSIONS)
async def test_every_version_splits_by_weight(edge: "Edge", version: str) -> None:
    await two_leaves(edge)
    milli = version == "v1alpha1"
    weights: dict[str, int | str] = {
        "web-stable": "750m" if milli else 75,
        "web-canary": "0.25" if milli else 25,
    }
    edge.split(version, "web", weights)
    await edge.configurator.apply()
    seen = Counter([await edge.version() for _ in range(400)])
    # Mean 100, standard deviation 9: five of them on each side.
    assert 55 <= seen["v2"] <= 145
    assert seen["v1"] + seen["v2"] == 400
    page = await edge.scrape()
    assert counts(page, service="web", canary="", status="200") == 400


async def test_a_backend_of_weight_0_is_as_good_as_not_listed(edge: "Edge") -> None:
    await two_leaves(edge)
    edge.split("v1alpha4", "web", {"web-stable": 100, "web-canary": 0, "missing": 0})
    assert await versions(edge) == {"v1"}
    edge.split("v1alpha4", "web", {"web-stable": 0, "web-canary": 0})
    assert await versions(edge) == {"root"}
    edge.store.delete(TRAFFIC_SPLIT, "default", "web")
    assert await versions(edge) == {"root"}


async def test_a_share_of_a_backend_that_can_not_answer_fails(edge: "Edge") -> None:
    await two_leaves(edge)
    edge.split("v1alpha4", "web", {"web-stable": 50, "missing": 50})
    assert await versions(edge, 60) == {"v1", "503"}
    edge.service("web-canary")
    edge.split("v1alpha4", "web", {"web-stable": 50, "web-canary": 50})
    assert await versions(edge, 60) == {"v1", "503"}


async def test_a_root_without_endpoints_is_split_all_the_same(edge: "Edge") -> None:
    await two_leaves(edge)
    edge.service("web")
    edge.split("v1alpha4", "web", {"web-stable": 1})
    assert await versions(edge) == {"v1"}


async def test_a_definition_that_goes_takes_its_splits_along_and_may_come_back(
    edge: "Edge", until: "Until"
) -> None:
    await two_leaves(edge)
    edge.split("v1alpha4", "web", {"web-stable": 1})
    running = asyncio.create_task(edge.configurator.run())
    assert await versions(edge) == {"v1"}
    edge.store.delete(CRD, "", TRAFFIC_SPLIT.crd_name)
    assert await versions(edge) == {"root"}
    again = next(each for each in definitions() if each["metadata"]["name"].startswith("traffic"))
    only = next(each for each in again["spec"]["versions"] if each["name"] == "v1alpha1")
    again["spec"]["versions"] = [only | {"storage": True}]
    edge.store.create(CRD, again)
    edge.split("v1alpha1", "web", {"web-canary": "1"})
    async with asyncio.timeout(5):
        while await edge.version() != "v2":
            pass
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def has_sent(load: Load, requests: int) -> bool:
    return load.report().sent >= requests


async def test_no_request_is_lost_while_the_weights_move(edge: "Edge", until: "Until") -> None:
    await two_leaves(edge)
    edge.split("v1alpha4", "web", {"web-stable": 100, "web-canary": 0})
    running = asyncio.create_task(edge.configurator.run())
    load = Load(Target(edge.nginx.listener.url, HOST), 200)
    sending = asyncio.create_task(load.run())
    for change in range(100):
        edge.split("v1alpha4", "web", {"web-stable": 100 - change, "web-canary": change})
        await until(partial(has_sent, load, change * 4))
    load.stop()
    report = await sending
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert report.succeeded == report.sent > 380, report.lost_reasons
    assert {"v1", "v2"} <= set(report.versions) <= {"v1", "v2", "root"}
