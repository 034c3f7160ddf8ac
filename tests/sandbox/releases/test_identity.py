"""Pods that say which revision they are, and are restarted under load, as the example has it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.model.kinds import DISRUPTION_BUDGET
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = Path(__file__).parents[3] / "examples" / "placement.yaml"


async def opens_as_in_the_example(release: Release) -> None:
    """Apply the example, under the release's own names."""
    text = (
        EXAMPLE.read_text()
        .replace("catalog.example", release.host)
        .replace("catalog", manifests.NAME)
    )
    ended = await release.sandbox.kubectl("-n", release.namespace, "apply", "-f", "-", given=text)
    assert ended.code == 0, ended.err
    await release.is_healthy()


def budget(release: Release, **spec: Any) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": manifests.metadata(release.namespace),
        "spec": {"selector": {"matchLabels": manifests.LABELS}, **spec},
    }
    release.create(DISRUPTION_BUDGET, body)


def names(release: Release) -> set[str]:
    return {pod["metadata"]["name"] for pod in release.pods()}


async def by_role(release: Release) -> Counter[str]:
    """Return what kubectl sees of the pods: version, role, and whether alerts are muted."""
    ended = await release.kubectl("get", "pods", "-o", "yaml")
    assert ended.code == 0, ended.err
    found: Counter[str] = Counter()
    for pod in yaml.safe_load(ended.out)["items"]:
        metadata = pod["metadata"]
        version = pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        muted = " muted" if "example.com/alerts" in metadata.get("annotations", {}) else ""
        found[f"{version} {metadata['labels']['role']}{muted}"] += 1
    return found


async def pods_follow_the_role_of_their_revision_and_survive_it(release: Release) -> None:
    await opens_as_in_the_example(release)
    assert await by_role(release) == {"1.0 stable": 6}
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(50)
        assert await by_role(release) == {"1.0 stable": 6, "2 canary muted": 3}
        canaries = {
            name for name in names(release) if release.status["currentRevision"]["hash"] in name
        }
        release.commands("promote")
        await release.is_promoted()
        await release.is_healthy()
        assert await by_role(release) == {"2 stable": 6}
        assert canaries <= names(release), "no pod was restarted"
        (kept,) = [each for each in release.replica_sets() if each["spec"]["replicas"]]
        affinity = kept["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
        assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]
        written = len(release.sandbox.audit.writes(release.namespace))
        await release.serves(load, 40)
        assert len(release.sandbox.audit.writes(release.namespace)) == written, "settled is silent"
    assert load.report().lost_reasons == {}


async def a_restart_under_load_loses_nothing_and_respects_the_budget(release: Release) -> None:
    await release.deploys(replicas=4)
    budget(release, minAvailable=4)
    before = names(release)
    async with release.traffic(50) as load:
        ended = await release.rollouts("restart")
        assert ended.code == 0, ended.err
        await release.until(lambda: "disruption budget web needs 4" in release.message, "its words")
        assert release.phase == "Progressing"
        assert names(release) == before
        release.edits(DISRUPTION_BUDGET, manifests.NAME, {"spec": {"minAvailable": 3}})
        await release.until(lambda: release.events("Restarted"), "the end of the restart")
        await release.until(lambda: release.phase == "Healthy" and len(names(release)) == 4)
        await release.serves(load, 50)
    assert not names(release) & before
    assert load.report().lost_reasons == {}


async def a_single_pod_is_restarted_behind_a_second_one(release: Release) -> None:
    await release.deploys(replicas=1)
    budget(release, minAvailable=1)
    before = names(release)
    async with release.traffic(50) as load:
        release.commands("restart")
        await release.until(lambda: release.events("Restarted"), "the end of the restart")
        await release.until(lambda: len(names(release)) == 1 and release.phase == "Healthy")
        await release.serves(load, 50)
    assert not names(release) & before
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        pods_follow_the_role_of_their_revision_and_survive_it,
        a_restart_under_load_loses_nothing_and_respects_the_budget,
        a_single_pod_is_restarted_behind_a_second_one,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
