"""Releases whose size somebody else decides: autoscalers, and stable that makes room for its canary."""

from typing import Any

import pytest

from rollouts.model.kinds import AUTOSCALER, JSON, SCALED_OBJECT
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.switching import (
    blue_green,
    deploys,
    has_switched,
    hash_of,
    pods_of,
    ready,
    updates_to,
)

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

TARGET: JSON = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": manifests.NAME}
AT_ONCE: JSON = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}
PER_POD = 100


def demand(pods: int) -> JSON:
    """Return triggers that want so many pods."""
    metadata = {
        "serverAddress": "http://prometheus:9090",
        "query": f"vector({PER_POD * pods})",
        "threshold": str(PER_POD),
    }
    return {"triggers": [{"type": "prometheus", "metadata": metadata}]}


def scaled_object(namespace: str, pods: int) -> JSON:
    spec = {
        "scaleTargetRef": TARGET,
        "minReplicaCount": 2,
        "maxReplicaCount": 6,
        "advanced": {"horizontalPodAutoscalerConfig": AT_ONCE},
        **demand(pods),
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": manifests.metadata(namespace),
        "spec": spec,
    }


def wanted(release: Release) -> int:
    """Return what spec.replicas says."""
    return int(release.rollout["spec"]["replicas"])


def stable_pods(release: Release) -> int:
    return ready(pods_of(release, hash_of(release, "stableRevision")))


def canary_pods(release: Release) -> int:
    return ready(pods_of(release, hash_of(release, "currentRevision")))


async def has_pods(release: Release, stable: int, canary: int) -> None:
    await release.until(
        lambda: (stable_pods(release), canary_pods(release)) == (stable, canary),
        f"{stable} and {canary} pods",
    )


async def keda_scales_a_release_on_its_way_up_and_never_below_its_start(release: Release) -> None:
    await release.deploys(manifests.UNTIL_PROMOTED, replicas=2)
    release.create(SCALED_OBJECT, scaled_object(release.namespace, 4))
    await release.until(lambda: wanted(release) == 4 and stable_pods(release) == 4, "4 pods")
    async with release.traffic(30) as load:
        release.updates_to("2")
        await release.is_at(50)
        await has_pods(release, 4, 2)
        release.edits(SCALED_OBJECT, manifests.NAME, {"spec": demand(6)})
        await has_pods(release, 6, 3)
        release.edits(SCALED_OBJECT, manifests.NAME, {"spec": demand(1)})
        await release.until(lambda: wanted(release) == 2, "2 wanted")
        await has_pods(release, 4, 3)
        await release.serves(load, 60)
        assert stable_pods(release) == 4, f"all traffic may come back: {release.account()}"
        release.commands("promote")
        await release.is_promoted()
        await release.until(
            lambda: len(release.pods()) == 2, "what is wanted, once nothing can go back"
        )
    assert load.report().lost_reasons == {}
    assert wanted(release) == 2, "nobody fights over spec.replicas"
    made = release.get(AUTOSCALER, f"keda-hpa-{manifests.NAME}")
    assert made is not None
    assert made["status"]["currentReplicas"] == made["status"]["desiredReplicas"] == 2


async def an_hpa_has_one_selector_before_and_after_a_switch(release: Release) -> None:
    await deploys(release, blue_green(postPromotionAnalysis={"duration": "60s"}))
    ended = await release.kubectl(
        "autoscale", f"rollout/{manifests.NAME}", "--min=3", "--max=5", "--cpu-percent=80"
    )
    assert ended.code == 0, ended.err
    await release.until(lambda: wanted(release) == 3 and stable_pods(release) == 3, "its least")
    selector = release.status["selector"]
    async with release.traffic() as load:
        updates_to(release, "2")
        await has_switched(release)
        await has_pods(release, 3, 3)
        assert release.status["selector"] == selector
        release.commands("abort")
        await release.is_rolled_back()
    assert load.report().lost_reasons == {}
    assert release.status["selector"] == selector, "whoever learns by it goes on where it was"
    assert wanted(release) == stable_pods(release) == 3


def staying(release: Release) -> list[JSON]:
    """Return the pods that are not leaving."""
    return [pod for pod in release.pods() if not pod["metadata"].get("deletionTimestamp")]


def making_room(*steps: JSON) -> JSON:
    strategy = manifests.strategy([*steps])
    return {"canary": {**strategy["canary"], "dynamicStableScale": True}}


async def opens_with_room(release: Release, *steps: JSON, **spec: Any) -> None:
    await release.deploys([], strategy=making_room(*steps), replicas=4, **spec)


async def stable_makes_room_once_the_canary_serves_and_grows_before_it_has_to(
    release: Release,
) -> None:
    await opens_with_room(release, *manifests.UNTIL_PROMOTED)
    async with release.traffic(50) as load:
        release.updates_to("2")
        await release.is_at(50)
        await has_pods(release, 2, 2)
        served = release.status["weights"]["served"]
        assert served >= 40, "measured, before any stable pod went"
        assert len(staying(release)) == 4, "no more than are paid for, but those that are leaving"
        release.commands("abort")
        await release.until(lambda: release.weight == 0)
        assert stable_pods(release) == 4, "all of it again before the traffic comes back"
        await release.is_rolled_back()
        release.commands("retry")
        await release.is_at(50)
        await has_pods(release, 2, 2)
        release.commands("promote")
        await release.is_promoted()
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    assert len(release.pods()) == 4


@pytest.mark.parametrize(
    "scenario",
    [
        keda_scales_a_release_on_its_way_up_and_never_below_its_start,
        an_hpa_has_one_selector_before_and_after_a_switch,
        stable_makes_room_once_the_canary_serves_and_grows_before_it_has_to,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
