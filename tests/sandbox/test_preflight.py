"""Who owns a Service's selector, on the sandbox's API server and by a real kubectl."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from rollouts.controller import preflight
from rollouts.controller.preflight.owners import appliers
from rollouts.controller.watches import WATCHED
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import WatchTiming
from rollouts.kube.requests import KubeRequests
from rollouts.model.crd import crd
from rollouts.model.finding import Finding
from rollouts.model.kinds import CRD, DEPLOYMENT, HASH_LABEL, JSON, ROLLOUT, SERVICE, Ref
from rollouts.model.validation import parse_rollout
from rollouts.ports import Patch
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from tests.waiting import until

KUBECTL = Path(sys.executable).with_name("kubectl")
EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal.yaml"
TOOL = ("--server-side", "--field-manager=argocd-controller")
STABLE = Ref(SERVICE, "default", "shop")

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(120)]


class World:
    """An API server with one Rollout, the caches of a controller, and who applies Services."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.cluster = KubeCluster(
            Connection(kubeconfig), [], WATCHED, timing=WatchTiming(first_delay_seconds=0.05)
        )
        documents = yaml.safe_load_all(EXAMPLE.read_text())
        self.rollout: JSON = next(each for each in documents if each["kind"] == "Rollout")

    async def settle(self) -> None:
        async with KubeRequests(self.kubeconfig) as others:
            await others.apply(CRD, crd())
            self.rollout["metadata"]["namespace"] = "default"
            await others.create(ROLLOUT, self.rollout)
        await self.cluster.start()

    async def kubectl(self, *arguments: str, stdin: JSON) -> None:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate(yaml.safe_dump(stdin).encode())
        assert process.returncode == 0, error.decode()

    async def apply(self, *options: str, **selector: str) -> None:
        """Have a tool apply the Service, and wait until the caches show that."""
        before = self.version()
        await self.kubectl("apply", *options, "-f", "-", stdin=service(selector))
        await until(lambda: self.version() != before)

    def version(self) -> str:
        found = self.cluster.get(STABLE)
        return found["metadata"]["resourceVersion"] if found is not None else ""

    def selector(self) -> JSON:
        found = self.cluster.get(STABLE)
        assert found is not None
        selector: JSON = found["spec"]["selector"]
        return selector

    def findings(self) -> list[Finding]:
        found = self.cluster.get(Ref(ROLLOUT, "default", "shop"))
        assert found is not None
        return list(preflight.findings(self.cluster, found, parse_rollout(found)))


def service(selector: JSON) -> JSON:
    port = {"port": 80, "targetPort": 8080}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"selector": {"app": "shop", **selector}, "ports": [port]},
    }


def deployment() -> JSON:
    labels = {"app": "legacy"}
    container = {"name": "web", "image": "web:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "legacy", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = ApiServer(Store())
    await server.start()
    config = {
        "clusters": [{"name": "it", "cluster": {"server": server.url}}],
        "users": [{"name": "me", "user": {"token": "anything"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        "current-context": "it",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    made = World(kubeconfig)
    try:
        await made.settle()
        yield made
    finally:
        await made.cluster.stop()
        await server.stop()


async def bind(world: World) -> None:
    """Put our key into the selector, as the controller does."""
    await world.cluster.write(Patch(STABLE, {"spec": {"selector": {HASH_LABEL: "abc"}}}))


async def test_a_tool_that_applies_the_selector_takes_our_key_out_and_is_named(
    world: World,
) -> None:
    await world.apply(*TOOL)
    (found,) = world.findings()
    assert found.reason == "AppliedByTool"
    assert "Service shop is owned by argocd-controller" in found.message
    await bind(world)
    assert world.findings() == []
    await world.apply(*TOOL, "--force-conflicts")
    assert HASH_LABEL not in world.selector()
    assert world.findings() == [found]


async def test_a_tool_that_was_told_to_ignore_the_selector_is_not_named(world: World) -> None:
    await world.apply(*TOOL)
    await bind(world)
    await world.apply(*TOOL, **{HASH_LABEL: "abc"})
    assert world.selector() == {"app": "shop", HASH_LABEL: "abc"}
    assert world.findings() == []


async def test_a_client_side_apply_leaves_our_key_alone(world: World) -> None:
    await world.apply()
    assert world.findings() == []
    await bind(world)
    await world.apply(tier="front")
    assert world.selector() == {"app": "shop", "tier": "front", HASH_LABEL: "abc"}
    assert [each.reason for each in world.findings()] == ["SelectsNoPods"]  # by its new tier


async def test_a_tool_that_applies_the_replicas_of_a_deployment_is_kept_in_mind(
    world: World,
) -> None:
    await world.kubectl("apply", *TOOL, "-f", "-", stdin=deployment())
    ref = Ref(DEPLOYMENT, "default", "legacy")
    await until(lambda: world.cluster.get(ref) is not None)
    found = world.cluster.get(ref)
    assert found is not None
    assert appliers(found, "spec.replicas") == ["argocd-controller"]
    assert appliers(found, "spec.template") == []  # of no interest, so not kept


async def test_lint_live_says_it_from_the_command_line(world: World) -> None:
    await world.apply(*TOOL)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollouts", "lint", "--live", "shop"),
        *("--kubeconfig", str(world.kubeconfig)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    lines = out.decode().splitlines()
    assert "default/shop: error: IngressNotFound" in lines[0]
    assert [line.split(": ")[2] for line in lines[1:-1]] == ["AppliedByTool", "NoReadyPods"]
    assert lines[-1] == "1 error, 2 warnings"
