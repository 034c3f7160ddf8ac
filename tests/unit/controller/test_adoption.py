"""A Deployment becomes a Rollout's, gets a release, and is given back, on a fake cluster."""

import copy

import pytest

from rollouts.controller.index import Index
from rollouts.core.world import DETACH, REVERT
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Ref,
)
from tests.fakes.adopting_loop import WORKLOAD, AdoptingControlLoop
from tests.fakes.control_loop import KEY
from tests.fakes.deployments import deployment
from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.traffic import shares
from tests.unit.controller.test_crashes import CrashingLoop


@pytest.fixture
def loop() -> AdoptingControlLoop:
    return AdoptingControlLoop()


async def test_a_live_deployment_becomes_the_rollouts(loop: AdoptingControlLoop) -> None:
    before = copy.deepcopy(loop.workload["spec"]["template"])
    await loop.adopted()
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert loop.status["phase"] == "Healthy"
    assert loop.status["selector"].startswith("app=checkout,")
    assert loop.workload["spec"]["template"] == before
    assert loop.status["adoption"]["replicas"] == 4
    writes = len(loop.cluster.writes)
    await loop.run(30)
    assert len(loop.cluster.writes) == writes, "a settled Rollout causes no writes"


async def test_its_replica_sets_are_nothing_that_a_deployment_would_take_over(
    loop: AdoptingControlLoop,
) -> None:
    await loop.adopted()
    (ours,) = loop.cluster.select(
        REPLICA_SET, "shop", {HASH_LABEL: loop.status["stableRevision"]["hash"]}
    )
    assert "app" not in ours["metadata"]["labels"]
    assert ours["spec"]["template"]["metadata"]["labels"]["app"] == "checkout"


async def test_a_change_of_the_deployments_image_is_a_release(loop: AdoptingControlLoop) -> None:
    await loop.adopted()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    assert loop.workload["spec"]["replicas"] == 0
    await loop.until(lambda: loop.status["stableRevision"]["images"] == ["shop:2"])
    await loop.run(20)
    assert loop.status["phase"] == "Healthy"


async def test_a_new_default_of_the_api_server_starts_nothing(loop: AdoptingControlLoop) -> None:
    await loop.adopted()
    (ours,) = loop.cluster.select(
        REPLICA_SET, "shop", {HASH_LABEL: loop.status["stableRevision"]["hash"]}
    )
    new = {"spec": {"template": {"spec": {"newField": "NewDefault"}}}}
    loop.cluster.edit(Ref(REPLICA_SET, "shop", ours["metadata"]["name"]), new)
    loop.cluster.edit(WORKLOAD, new)
    await loop.run(5)
    assert loop.status["currentRevision"] == loop.status["stableRevision"]
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)


@pytest.mark.parametrize("finalizer", [DETACH, REVERT])
async def test_it_is_given_back_as_it_was(loop: AdoptingControlLoop, finalizer: str) -> None:
    service = Ref(SERVICE, "shop", "checkout")
    before = copy.deepcopy((loop.cluster.get(service) or {})["spec"])
    template = copy.deepcopy(loop.workload["spec"]["template"])
    await loop.adopted(revertOnDeletion=finalizer == REVERT)
    loop.detach(finalizer)
    await loop.gone()
    assert (loop.cluster.get(service) or {})["spec"] == before
    assert loop.workload["spec"]["template"] == template
    assert loop.workload["status"]["availableReplicas"] == 4
    assert loop.status["message"].startswith("Deployment checkout serves with 4 pods")


async def test_a_canary_is_not_promoted_by_the_way_out(loop: AdoptingControlLoop) -> None:
    await loop.adopted()
    template = copy.deepcopy(loop.workload["spec"]["template"])
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.detach()
    await loop.round()
    assert canary_weight(loop.cluster) in (0, None)
    await loop.gone()
    assert loop.workload["spec"]["template"] == template
    assert canary_weight(loop.cluster) is None
    said = [entry["reason"] for entry in loop.status["history"]]
    assert said[-4:] == ["RolledBack", "Reverting", "TemplateGivenBack", "Reverted"]


BY_REPLICAS = {
    "canary": {
        "steps": [{"setWeight": 50}, {"pause": {}}],
        "maxUnavailable": 0,
        "scaleDownDelaySeconds": 5,
        "abortScaleDownDelaySeconds": 5,
    }
}
BLUE_GREEN = {
    "blueGreen": {
        "activeService": "checkout",
        "postPromotionAnalysis": {"duration": 3600},
        "scaleDownDelaySeconds": 5,
        "abortScaleDownDelaySeconds": 5,
    }
}


@pytest.mark.parametrize("strategy", [BY_REPLICAS, BLUE_GREEN], ids=["replicas", "blue-green"])
@pytest.mark.parametrize("scale_down", ["onSuccess", "progressively"])
async def test_whatever_the_strategy_what_is_not_promoted_is_not_given_back(
    loop: AdoptingControlLoop, strategy: JSON, scale_down: str
) -> None:
    await loop.adopted(strategy=strategy, workloadRef={"scaleDown": scale_down})
    stable = loop.status["stableRevision"]["hash"]
    assert selected(loop.cluster, "checkout") == ("" if "canary" in strategy else stable)
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] >= 50)
    loop.detach()
    await loop.gone()
    assert images(loop.workload) == ["shop:1"]
    assert selected(loop.cluster, "checkout") == ""
    assert loop.workload["status"]["availableReplicas"] == 4


class CrashingAdoption(AdoptingControlLoop, CrashingLoop):
    """One whose controller dies after any write that a test names."""


@pytest.mark.parametrize("crash_after", range(1, 13))
async def test_it_is_given_back_by_whoever_comes_next(crash_after: int) -> None:
    loop = CrashingAdoption()
    await loop.adopted()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.writes_left = crash_after
    loop.detach()
    await loop.gone()
    assert images(loop.workload) == ["shop:1"]
    assert loop.workload["status"]["availableReplicas"] == 4
    assert selected(loop.cluster, "checkout") == ""
    assert canary_weight(loop.cluster) is None


@pytest.mark.parametrize("crash_after", range(1, 7))
@pytest.mark.parametrize("scale_down", ["onSuccess", "progressively"])
async def test_it_is_adopted_by_whoever_comes_next(scale_down: str, crash_after: int) -> None:
    loop = CrashingAdoption()
    loop.writes_left = crash_after
    await loop.adopted(workloadRef={"scaleDown": scale_down})
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    assert loop.status["adoption"]["replicas"] == 4
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]


def images(deployment: JSON) -> list[str]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return [str(each["image"]) for each in containers]


async def test_the_finalizer_comes_and_goes_with_the_spec(loop: AdoptingControlLoop) -> None:
    await loop.adopted(revertOnDeletion=True)
    assert loop.rollout["metadata"]["finalizers"] == [REVERT]
    loop.edit({"metadata": {"finalizers": ["somebody/else", REVERT]}})
    loop.edit({"spec": {"revertOnDeletion": False}})
    await loop.round()
    assert loop.rollout["metadata"]["finalizers"] == ["somebody/else"]


async def test_a_younger_rollout_of_the_same_deployment_stands_back(
    loop: AdoptingControlLoop,
) -> None:
    await loop.adopted()
    elder = copy.deepcopy(loop.rollout)
    elder["metadata"]["name"] = "elder"
    elder["spec"]["strategy"] = {"canary": {}}
    loop.cluster.put(ROLLOUT, elder)["metadata"]["creationTimestamp"] = "2000-01-01T00:00:00Z"
    await loop.round()
    assert "Rollout elder already has the place of Deployment checkout" in loop.status["message"]
    index = Index(loop.cluster)
    both = {KEY, KEY._replace(name="elder")}
    for key in both:
        index.rollouts(key.ref)
    assert index.rollouts(KEY.ref) == both
    assert index.rollouts(WORKLOAD) == both


async def test_without_its_deployment_it_holds_what_it_has(loop: AdoptingControlLoop) -> None:
    await loop.adopted()
    loop.cluster.drop(WORKLOAD)
    await loop.run(5)
    assert loop.status["phase"] == "Degraded"
    assert (
        "Deployment checkout does not exist; the pods that run are kept" in loop.status["message"]
    )
    assert loop.status["selector"].startswith("app=checkout,")
    loop.cluster.put(DEPLOYMENT, deployment(replicas=0))
    await loop.run(5)
    assert loop.status["phase"] == "Healthy"


async def test_replicas_that_come_back_are_put_back(loop: AdoptingControlLoop) -> None:
    await loop.adopted()
    loop.cluster.edit(WORKLOAD, {"spec": {"replicas": 4}})
    await loop.round()
    assert loop.workload["spec"]["replicas"] == 0
    assert loop.status["history"][-1]["reason"] == "DriftCorrected"
    assert loop.status["phase"] == "Healthy"


WAITING = {**BLUE_GREEN["blueGreen"], "autoPromotionEnabled": False}


@pytest.mark.parametrize(
    "strategy", [None, BY_REPLICAS, {"blueGreen": WAITING}], ids=["nginx", "replicas", "blue-green"]
)
async def test_what_was_not_promoted_gets_no_request_on_the_way_out(strategy: JSON | None) -> None:
    """A Service that has its own selector back selects the pods of every revision."""
    loop = AdoptingControlLoop()
    await loop.adopted(**({"strategy": strategy} if strategy else {}))
    loop.release("shop:2")
    await loop.until(lambda: len(loop.cluster.select(REPLICA_SET, "shop")) > 3)
    await loop.run(5)
    new = loop.status["currentRevision"]["hash"]
    loop.detach()
    await loop.round()
    most = 0.0 if strategy != BY_REPLICAS else 1.0
    while loop.rollout["metadata"]["finalizers"]:
        assert max(shares(loop.cluster, new).values()) <= most, loop.status["message"]
        await loop.run(1)
    assert max(shares(loop.cluster, new).values()) == 0
