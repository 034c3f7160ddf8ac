"""Every example, applied as it is: a good new version of it is promoted, and no request is lost."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import yaml

from rollouts.model.kinds import AUTOSCALER, JSON, ROLLOUT, SCALED_OBJECT
from rollouts.model.validation import parse_rollout
from rollouts.sandbox.load import Load, Target
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.waiting import served

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

RELEASES = Path(__file__).parent
EXAMPLES = sorted((RELEASES.parents[2] / "examples").rglob("*.yaml"))
IN_DEPTH = {"adopt-deployment.yaml": "test_adoption.py", "placement.yaml": "test_identity.py"}
"""Examples that are released by the same rules where more is asked of them."""
EXPECTED_FINDINGS = {"canary-replicas.yaml": "RoundedWeights"}
HOST = re.compile(r"[\w-]+\.example\b")
RATE = 20.0
LONG_SECONDS = 15
"""A step or a delay that takes longer is not waited for here."""


class Example:
    """What a file says, under the names of a release."""

    def __init__(self, path: Path, release: Release) -> None:
        text = path.read_text(encoding="utf-8")
        rollout = next(each for each in yaml.safe_load_all(text) if each["kind"] == ROLLOUT.name)
        name = rollout["metadata"]["name"]
        text = HOST.sub(release.host, text).replace('"default"', f'"{release.namespace}"')
        self.text = re.sub(rf"\b{name}\b", manifests.NAME, text)
        self.objects: list[JSON] = list(yaml.safe_load_all(self.text))
        self.rollout = next(self.of(ROLLOUT.name))
        self.spec = parse_rollout(self.rollout)
        self.release = release

    def of(self, *kinds: str) -> Iterator[JSON]:
        return (each for each in self.objects if each["kind"] in kinds)

    @property
    def least(self) -> int:
        """The least number of pods that its autoscaler wants; 0 without one."""
        scalers = [each["spec"] for each in self.of(AUTOSCALER.name, SCALED_OBJECT.name)]
        return max(
            (each.get("minReplicas") or each["minReplicaCount"] for each in scalers), default=0
        )

    def targets(self) -> Iterator[Target]:
        """Yield whatever users may ask, where it is served."""
        for ingress in self.of("Ingress"):
            for rule in ingress["spec"]["rules"]:
                yield Target(self.release.sandbox.ingress_url, rule["host"])
        for route in self.of("HTTPRoute", "GRPCRoute"):
            for host in route["spec"]["hostnames"]:
                asked = ("/shop.Cart/Add", "POST") if "GRPC" in route["kind"] else ("/", "GET")
                yield Target(self.release.sandbox.gateway_url, host, *asked)

    def new_template(self, version: str) -> JSON:
        """Return what a release changes: the image, and here also what the app says it is."""
        template: JSON = self.rollout["spec"]["template"]
        (container,) = template["spec"]["containers"]
        others = [each for each in container.get("env", []) if each["name"] != "VERSION"]
        container |= {
            "image": f"{container['image'].rpartition(':')[0]}:{version}",
            "env": [{"name": "VERSION", "value": version}, *others],
        }
        return template

    def waits(self) -> str:
        """Return which step waits for a promotion, and why; nothing when none does."""
        index = self.release.status.get("currentStepIndex")
        if index is None:
            return ""
        held = [step.pause or step.analysis for step in self.spec.steps][index : index + 1]
        is_long = any(each is not None and (each.duration or 0) > LONG_SECONDS for each in held)
        return f"{index} {self.release.paused_for}" if is_long or self.release.paused_for else ""


async def applied(example: Example) -> None:
    release = example.release
    ended = await release.sandbox.kubectl(
        "-n", release.namespace, "apply", "-f", "-", given=example.text
    )
    assert ended.code == 0, ended.err
    await release.is_healthy()
    await release.until(
        lambda: release.status.get("replicas", 0) >= example.least, "its least size"
    )
    for each in example.targets():
        await served(each.url, each.host)


@asynccontextmanager
async def traffic(example: Example) -> AsyncIterator[list[Load]]:
    """Ask everything that can be asked, steadily."""
    targets = list(example.targets())
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(asking(each, RATE / len(targets))) for each in targets
        ]


@asynccontextmanager
async def asking(target: Target, rate: float) -> AsyncIterator[Load]:
    load = Load(target, rate)
    task = asyncio.create_task(load.run())
    yield load
    load.stop()
    await task


async def promoted(example: Example, load: Load) -> None:
    """Wait until the new version is stable; whatever waits for a person, or for long, is promoted."""
    release, passed = example.release, {""}
    while release.stable < 2:
        await release.until(
            lambda: release.stable == 2 or example.waits() not in passed, "the next step"
        )
        if release.stable < 2:
            passed.add(example.waits())
            await release.serves(load, 20)
            release.commands("promote")
    if example.spec.active_strategy.scale_down_delay_seconds <= LONG_SECONDS:
        await release.is_over()
    await release.is_healthy()
    await release.serves(load, 20)


async def released(example: Example) -> None:
    release = example.release
    await applied(example)
    async with traffic(example) as loads:
        release.edits(ROLLOUT, manifests.NAME, {"spec": {"template": example.new_template("2")}})
        await promoted(example, loads[0])
        for load in loads:
            await release.answers(load, "2")
    for load in loads:
        report = load.report()
        assert report.lost_reasons == {}, release.account()
        assert report.failed == 0
    assert len(release.pods()) >= example.least


def scenario_of(path: Path) -> Scenario:
    async def scenario(release: Release) -> None:
        example = Example(path, release)
        try:
            await released(example)
            expected = EXPECTED_FINDINGS.get(path.name, "Passed")
            assert release.condition("Preflight")["reason"] == expected
        finally:
            await release.sandbox.kubectl(
                "-n", release.namespace, "delete", "--wait=false", "-f", "-", given=example.text
            )

    scenario.__name__ = f"example_{path.stem}".replace("-", "_")
    return scenario


@pytest.mark.parametrize(
    "scenario",
    [scenario_of(path) for path in EXAMPLES if path.name not in IN_DEPTH],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)


@pytest.mark.parametrize(("example", "module"), IN_DEPTH.items())
async def test_the_others_are_released_elsewhere(example: str, module: str) -> None:
    assert RELEASES.parents[2] / "examples" / example in EXAMPLES
    assert example in (RELEASES / module).read_text(encoding="utf-8")
