"""Requests through the whole sandbox while pods come and go: none is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from rollouts.model.kinds import DEPLOYMENT, JSON, POD, SERVICE
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, LoadReport, Target
from tests import waiting

pytestmark = pytest.mark.sandbox
HOST = "shop.example"
LABELS = {"app": "web"}


def deployment(version: str, replicas: int = 3) -> JSON:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    container = {
        "name": "web",
        "image": f"demo:{version}",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": probe,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}},
        },
    }


def service() -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def ingress() -> JSON:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": HOST, "http": {"paths": [path]}}]},
    }


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(tmp_path / "sandbox", controller=None) as sandbox:
        yield sandbox


until = partial(waiting.until, seconds=60)


def rolled_out(sandbox: Sandbox, replicas: int) -> bool:
    found = sandbox.store.get(DEPLOYMENT, "default", "web") or {}
    status = found.get("status") or {}
    counts = {status.get(f"{name}Replicas", 0) for name in ("updated", "ready", "available")}
    pods = len(sandbox.store.select(POD, "default", LABELS))
    return counts == {replicas} and status["replicas"] == pods == replicas


async def is_open(sandbox: Sandbox) -> None:
    """Deploy three pods, and wait until the ingress, which follows a moment later, knows them."""
    sandbox.store.create(SERVICE, service())
    sandbox.store.create(INGRESS, ingress())
    sandbox.store.create(DEPLOYMENT, deployment("v1"))
    await until(lambda: rolled_out(sandbox, 3))
    await waiting.served(sandbox.ingress_url, HOST)


async def settled(sandbox: Sandbox, body: JSON) -> None:
    """Apply a Deployment and wait until it is rolled out and the old pods are gone."""
    sandbox.store.patch(DEPLOYMENT, "default", "web", body)
    await until(lambda: rolled_out(sandbox, body["spec"]["replicas"]))


async def under_load(sandbox: Sandbox, *changes: JSON) -> LoadReport:
    load = Load(Target(sandbox.ingress_url, HOST), 100)
    sending = asyncio.create_task(load.run())
    for change in changes:
        await settled(sandbox, change)
    load.stop()
    return await sending


async def test_a_rolling_update_and_scaling_lose_no_request(sandbox: Sandbox) -> None:
    await is_open(sandbox)
    report = await under_load(
        sandbox, deployment("v2"), deployment("v2", replicas=5), deployment("v2", replicas=1)
    )
    assert report.lost == 0, report.lost_reasons
    assert report.failed == 0
    assert report.succeeded == report.sent
    assert set(report.versions) == {"v1", "v2"}


async def test_a_killed_pod_loses_no_request_that_may_be_sent_twice(sandbox: Sandbox) -> None:
    await is_open(sandbox)
    load = Load(Target(sandbox.ingress_url, HOST), 100)
    sending = asyncio.create_task(load.run())
    await until(lambda: load.report().succeeded > 20)
    victim = next(each for each in sandbox._processes.running if "web" in each.name)
    victim.signal(signal.SIGKILL)
    killed_at = load.report().sent
    await until(lambda: load.report().sent > killed_at + 150)
    load.stop()
    report = await sending
    assert report.lost == 0, report.lost_reasons
    assert report.succeeded == report.sent
