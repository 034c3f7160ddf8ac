"""Releases whose canary gets its traffic by any router: a TrafficSplit, routes of the Gateway API, Ingresses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import sqrt
from typing import Any

import pytest

from rollouts.model.kinds import JSON, ROLLOUT, SERVICE, Kind
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests, switching
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.test_releases import share_of
from tests.waiting import served

QUICK: JSON = {"pause": {"duration": "1s"}}
QUICK_STEPS: list[JSON] = [{"setWeight": 25}, QUICK, {"setWeight": 50}, QUICK]
NGINX: JSON = {"nginx": {"stableIngresses": [manifests.NAME]}}
SMI: JSON = {"smi": {}}
HTTP: JSON = {"gatewayAPI": {"httpRoutes": [manifests.NAME]}}
SANDBOX: JSON = {"name": "sandbox", "namespace": "default"}
"""The parent that somebody serves."""


# Given.


def strategy(routing: JSON, steps: list[JSON], **fields: Any) -> JSON:
    usual: JSON = {
        "stableService": manifests.STABLE,
        "trafficRouting": routing,
        "steps": steps,
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
    }
    return {"canary": {**usual, **fields}}


def rollout(release: Release, routing: JSON, steps: list[JSON], **spec: Any) -> JSON:
    """Return a Rollout that is judged by what its pods count."""
    usual = {
        "strategy": strategy(routing, steps),
        "template": switching.template("1"),
        "successCriteria": [switching.ERRORS],
    }
    return manifests.rollout(release.namespace, [], **{**usual, **spec})


async def deploys(release: Release, body: JSON, *objects: tuple[Kind, JSON]) -> None:
    """Deploy version 1 behind these objects and the stable Service, and wait until it is Healthy."""
    release.create(SERVICE, manifests.service(release.namespace))
    for kind, each in objects:
        release.create(kind, each)
    release.create(ROLLOUT, body)
    await release.is_healthy()


def ingress(
    release: Release, name: str = manifests.NAME, *, service: str = manifests.STABLE
) -> tuple[Kind, JSON]:
    """Return an Ingress; by any other name than the usual it has a host of that name."""
    host = release.host if name == manifests.NAME else f"{name}.{release.host}"
    rule = {"host": host, "http": {"paths": [manifests.path(service)]}}
    return INGRESS, manifests.ingress(release.namespace, rule, name=name)


def backend(name: str = manifests.STABLE, **more: Any) -> JSON:
    return {"name": name, "port": 80, **more}


def http_route(release: Release, *rules: JSON, **spec: Any) -> tuple[Kind, JSON]:
    return HTTP_ROUTE, _route(
        release, HTTP_ROUTE, spec, list(rules) or [{"backendRefs": [backend()]}]
    )


def grpc_route(release: Release, **spec: Any) -> tuple[Kind, JSON]:
    matches = [{"method": {"service": "shop.Cart", "method": "Add"}}]
    return GRPC_ROUTE, _route(
        release, GRPC_ROUTE, spec, [{"matches": matches, "backendRefs": [backend()]}]
    )


def _route(release: Release, kind: Kind, spec: JSON, rules: list[JSON]) -> JSON:
    name = spec.pop("name", manifests.NAME)
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": manifests.metadata(release.namespace, name),
        "spec": {"parentRefs": [SANDBOX], "hostnames": [release.host], **spec, "rules": rules},
    }


@asynccontextmanager
async def traffic(
    release: Release, rate: float = 20.0, headers: dict[str, str] | None = None, **target: str
) -> AsyncIterator[Load]:
    """Send steady traffic, none of which may be lost, from when it is served: that is a moment after Healthy."""
    url = target.get("url", release.sandbox.ingress_url) + target.get("path", "/")
    await served(url, target.get("host", release.host))
    async with release.traffic(rate, headers, **target) as load:
        yield load
    report = load.report()
    print(f"{release.namespace}: {report.sent} requests sent, lost: {report.lost_reasons}")
    assert report.lost_reasons == {}


@asynccontextmanager
async def callers(release: Release, rate: float = 20.0) -> AsyncIterator[Load]:
    """Send what the GRPCRoute is for, at the Gateway, none of which may be lost."""
    url = release.sandbox.gateway_url
    async with traffic(release, rate, url=url, path="/shop.Cart/Add", method="POST") as load:
        yield load


# Then.


async def has(release: Release, weight: int) -> None:
    """Wait until all routes have confirmed the weight."""
    await release.until(lambda: release.status["weights"]["applied"] == weight, f"{weight} %")


async def gets(release: Release, weight: int, *loads: Load, requests: int = 200) -> None:
    """See that version 2 gives this share of the answers to each of the loads, within four sigma."""
    before = [load.report() for load in loads]
    await asyncio.gather(*(release.serves(load, requests) for load in loads))
    sigma = sqrt(weight * (100 - weight) / requests)
    for was, load in zip(before, loads, strict=True):
        share = share_of("2", was, load.report())
        print(f"{release.namespace}: {share:.1f} % of {requests} answers at {weight} %")
        assert share == pytest.approx(weight, abs=4 * sigma)


def split(
    release: Release, name: str = manifests.NAME, version: str = TRAFFIC_SPLIT.version
) -> list[int]:
    """Return the weights of stable and canary in the TrafficSplit; nothing when there is none."""
    kind = Kind(TRAFFIC_SPLIT.group, version, TRAFFIC_SPLIT.plural, TRAFFIC_SPLIT.name)
    found = release.get(kind, name)
    if found is None:
        return []
    weights = {each["service"]: int(each["weight"]) for each in found["spec"]["backends"]}
    return [weights.get(each, 0) for each in (manifests.STABLE, manifests.CANARY)]


def refs(
    release: Release, name: str = manifests.NAME, kind: Kind = HTTP_ROUTE
) -> list[dict[str, int]]:
    """Return, rule by rule, the weights of all backends of a route."""
    found = release.get(kind, name) or {"spec": {"rules": []}}
    return [
        {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs", [])}
        for rule in found["spec"]["rules"]
    ]


def put_back(release: Release) -> list[str]:
    """Return what the history says was put back."""
    history = release.status.get("history") or []
    return [str(each["message"]) for each in history if each["reason"] == "DriftCorrected"]


def as_written(found: JSON | None) -> JSON:
    """Return what of an object is its user's: all but what the API server counts."""
    assert found is not None
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: value for key, value in found["metadata"].items() if key in kept and value}
    return {"metadata": metadata, "spec": found["spec"]}
