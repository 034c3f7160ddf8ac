"""A live Deployment becomes a Rollout's, is released, and is given back: no request is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.core.world import DETACH
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, ROLLOUT, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = Path(__file__).parents[3] / "examples" / "adopt-deployment.yaml"
REPLICAS = 2


def deployment(namespace: str) -> JSON:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": manifests.metadata(namespace),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": manifests.LABELS},
            "template": manifests.template("1"),
        },
    }


def adopting(namespace: str, strategy: JSON, scale_down: str = "onSuccess", **spec: Any) -> JSON:
    """Return the Rollout that takes the Deployment's place."""
    body = manifests.rollout(namespace, [], successCriteria=[], **spec)
    del body["spec"]["template"]
    del body["spec"]["selector"]
    reference = {"name": manifests.NAME, "scaleDown": scale_down}
    body["spec"] |= {"workloadRef": reference, "strategy": strategy}
    return body


def example(release: Release) -> dict[str, JSON]:
    """Return what the example says, by kind, for the release's host."""
    found = {each["kind"]: each for each in yaml.safe_load_all(EXAMPLE.read_text())}
    found["Ingress"]["spec"]["rules"][0]["host"] = release.host
    return found


async def opens_with_a_deployment(release: Release, *given: JSON) -> None:
    """Have a Service, an Ingress and a Deployment that is reached through them."""
    ours = deployment(release.namespace)
    usual = (manifests.service(release.namespace), manifests.ingress(release.namespace), ours)
    for each in given or usual:
        applied = await release.kubectl("apply", "-f", "-", given=each)
        assert applied.code == 0, applied.err
    await release.until(lambda: workload(release)["status"].get("availableReplicas") == REPLICAS)
    async with release.traffic() as first:
        await release.until(lambda: first.report().succeeded > 0)


async def is_adopted(release: Release, rollout: JSON) -> None:
    applied = await release.kubectl("apply", "-f", "-", given=rollout)
    assert applied.code == 0, applied.err
    await release.until(
        lambda: workload(release)["spec"]["replicas"] == 0, "the Deployment's pods gone"
    )
    await release.is_healthy()
    await release.until(
        lambda: all(HASH_LABEL in pod["metadata"]["labels"] for pod in living(release)),
        "ours alone",
    )


async def is_released(release: Release, image: str) -> None:
    container = manifests.container("")["name"]
    said = await release.kubectl(
        "set", "image", f"deployment/{manifests.NAME}", f"{container}={image}"
    )
    assert said.code == 0, said.err
    await release.until(
        lambda: release.status["stableRevision"]["images"] == [image], f"{image} stable"
    )


def workload(release: Release) -> JSON:
    return release.get(DEPLOYMENT, manifests.NAME) or {"spec": {}, "status": {}}


def living(release: Release) -> list[JSON]:
    return [pod for pod in release.pods() if not pod["metadata"].get("deletionTimestamp")]


async def is_as_before(release: Release, selector: dict[str, str], image: str) -> None:
    """Wait until nothing is left of the Rollout, and the Deployment serves."""
    await release.until(lambda: release.get(ROLLOUT, manifests.NAME) is None, "the Rollout gone")
    await release.until(
        lambda: (
            not [
                set_ for set_ in release.replica_sets() if HASH_LABEL in set_["metadata"]["labels"]
            ]
        )
    )
    await release.until(lambda: len(living(release)) == REPLICAS)
    assert release.selects(manifests.STABLE) == selector
    assert release.get(SERVICE, manifests.CANARY) is None
    assert release.get(INGRESS, manifests.CANARY_INGRESS) is None
    found = workload(release)
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert found["status"]["availableReplicas"] == REPLICAS


async def a_deployment_is_adopted_released_and_detached_under_traffic(release: Release) -> None:
    """As the example has it."""
    given = example(release)
    await opens_with_a_deployment(
        release, *(given[kind] for kind in ("Service", "Ingress", "Deployment"))
    )
    before = release.selects(manifests.STABLE)
    async with release.traffic(50) as load:
        await release.serves(load, 50)
        await is_adopted(release, given["Rollout"])
        await is_released(release, "demo/web:2")
        shown = await release.rollouts("get")
        assert (
            shown.out.count(f"{manifests.NAME}-{release.status['stableRevision']['hash']}")
            > REPLICAS
        )
        detached = await release.rollouts("detach", "--timeout", "60s")
        assert detached.code == 0, detached.err
        assert f"Deployment {manifests.NAME} has {REPLICAS} of {REPLICAS} pods" in detached.out
        await is_as_before(release, before, "demo/web:2")
        await release.serves(load, 100)
    release.removes(DEPLOYMENT, manifests.NAME)
    assert load.report().lost_reasons == {}


async def a_release_under_way_is_given_back_as_it_was(release: Release) -> None:
    """Progressively adopted, and deleted in the middle of a canary."""
    await opens_with_a_deployment(release)
    before = release.selects(manifests.STABLE)
    strategy = manifests.strategy(manifests.UNTIL_PROMOTED)
    rollout = adopting(release.namespace, strategy, "progressively", revertOnDeletion=True)
    async with release.traffic(50) as load:
        await is_adopted(release, rollout)
        waiting = asyncio.create_task(
            release.rollouts("set-image", f"{manifests.container('')['name']}=demo/web:2", "--wait")
        )
        await release.is_at(50)
        await release.serves(load, 50)
        gone = await release.kubectl("delete", "rollout", manifests.NAME, "--wait=false")
        assert gone.code == 0, gone.err
        await is_as_before(release, before, "demo/web:1")
        waited = await waiting
        assert waited.code == 1, "it was rolled back"
        await release.serves(load, 50)
    release.removes(DEPLOYMENT, manifests.NAME)
    assert load.report().lost_reasons == {}


async def a_deployment_is_adopted_without_a_router(release: Release) -> None:
    await opens_with_a_deployment(release)
    before = release.selects(manifests.STABLE)
    canary = {"steps": [{"setWeight": 50}, {"pause": {"duration": "1s"}}]}
    strategy = {"canary": {**canary, "scaleDownDelaySeconds": 1}}
    async with release.traffic(50) as load:
        await is_adopted(release, adopting(release.namespace, strategy))
        assert release.selects(manifests.STABLE) == before
        await is_released(release, "demo/web:2")
        release.edits(ROLLOUT, manifests.NAME, {"metadata": {"finalizers": [DETACH]}})
        release.removes(ROLLOUT, manifests.NAME)
        await is_as_before(release, before, "demo/web:2")
        await release.serves(load, 50)
    release.removes(DEPLOYMENT, manifests.NAME)
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        a_deployment_is_adopted_released_and_detached_under_traffic,
        a_release_under_way_is_given_back_as_it_was,
        a_deployment_is_adopted_without_a_router,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
