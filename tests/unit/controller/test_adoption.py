"""A Deployment becomes a Rollout's, gets a release, and is given back, on a fake cluster."""

import copy

import pytest

from rollouts.controller.index import Index
from rollouts.core.workload import DETACH, REVERT
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Ref,
)
from tests.fakes.adopted import WORKLOAD, AdoptedShop
from tests.fakes.deployments import deployment
from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.shop import KEY
from tests.fakes.traffic import shares
from tests.unit.controller.test_crashes import FragileShop


@pytest.fixture
def shop() -> AdoptedShop:
    return AdoptedShop()


async def test_a_live_deployment_becomes_the_rollouts(shop: AdoptedShop) -> None:
    before = copy.deepcopy(shop.workload["spec"]["template"])
    await shop.adopted()
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    assert shop.status["phase"] == "Healthy"
    assert shop.status["selector"].startswith("app=checkout,")
    assert shop.workload["spec"]["template"] == before
    assert shop.status["adoption"]["replicas"] == 4
    writes = len(shop.cluster.writes)
    await shop.run(30)
    assert len(shop.cluster.writes) == writes, "a settled Rollout causes no writes"


async def test_its_replica_sets_are_nothing_that_a_deployment_would_take_over(
    shop: AdoptedShop,
) -> None:
    await shop.adopted()
    (ours,) = shop.cluster.select(
        REPLICA_SET, "shop", {HASH_LABEL: shop.status["stableRevision"]["hash"]}
    )
    assert "app" not in ours["metadata"]["labels"]
    assert ours["spec"]["template"]["metadata"]["labels"]["app"] == "checkout"


async def test_a_change_of_the_deployments_image_is_a_release(shop: AdoptedShop) -> None:
    await shop.adopted()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    assert shop.workload["spec"]["replicas"] == 0
    await shop.until(lambda: shop.status["stableRevision"]["images"] == ["shop:2"])
    await shop.run(20)
    assert shop.status["phase"] == "Healthy"


async def test_a_new_default_of_the_api_server_starts_nothing(shop: AdoptedShop) -> None:
    await shop.adopted()
    (ours,) = shop.cluster.select(
        REPLICA_SET, "shop", {HASH_LABEL: shop.status["stableRevision"]["hash"]}
    )
    new = {"spec": {"template": {"spec": {"newField": "NewDefault"}}}}
    shop.cluster.edit(Ref(REPLICA_SET, "shop", ours["metadata"]["name"]), new)
    shop.cluster.edit(WORKLOAD, new)
    await shop.run(5)
    assert shop.status["currentRevision"] == shop.status["stableRevision"]
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)


@pytest.mark.parametrize("finalizer", [DETACH, REVERT])
async def test_it_is_given_back_as_it_was(shop: AdoptedShop, finalizer: str) -> None:
    service = Ref(SERVICE, "shop", "checkout")
    before = copy.deepcopy((shop.cluster.get(service) or {})["spec"])
    template = copy.deepcopy(shop.workload["spec"]["template"])
    await shop.adopted(revertOnDeletion=finalizer == REVERT)
    shop.detach(finalizer)
    await shop.gone()
    assert (shop.cluster.get(service) or {})["spec"] == before
    assert shop.workload["spec"]["template"] == template
    assert shop.workload["status"]["availableReplicas"] == 4
    assert shop.status["message"].startswith("Deployment checkout serves with 4 pods")


async def test_a_canary_is_not_promoted_by_the_way_out(shop: AdoptedShop) -> None:
    await shop.adopted()
    template = copy.deepcopy(shop.workload["spec"]["template"])
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.detach()
    await shop.round()
    assert canary_weight(shop.cluster) in (0, None)
    await shop.gone()
    assert shop.workload["spec"]["template"] == template
    assert canary_weight(shop.cluster) is None
    said = [entry["reason"] for entry in shop.status["history"]]
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
    shop: AdoptedShop, strategy: JSON, scale_down: str
) -> None:
    await shop.adopted(strategy=strategy, workloadRef={"scaleDown": scale_down})
    stable = shop.status["stableRevision"]["hash"]
    assert selected(shop.cluster, "checkout") == ("" if "canary" in strategy else stable)
    shop.release("shop:2")
    await shop.until(lambda: shop.status["weights"]["applied"] >= 50)
    shop.detach()
    await shop.gone()
    assert images(shop.workload) == ["shop:1"]
    assert selected(shop.cluster, "checkout") == ""
    assert shop.workload["status"]["availableReplicas"] == 4


class FragileAdoption(AdoptedShop, FragileShop):
    """One whose controller dies after any write that a test names."""


@pytest.mark.parametrize("crash_after", range(1, 13))
async def test_it_is_given_back_by_whoever_comes_next(crash_after: int) -> None:
    shop = FragileAdoption()
    await shop.adopted()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.writes_left = crash_after
    shop.detach()
    await shop.gone()
    assert images(shop.workload) == ["shop:1"]
    assert shop.workload["status"]["availableReplicas"] == 4
    assert selected(shop.cluster, "checkout") == ""
    assert canary_weight(shop.cluster) is None


@pytest.mark.parametrize("crash_after", range(1, 7))
@pytest.mark.parametrize("scale_down", ["onSuccess", "progressively"])
async def test_it_is_adopted_by_whoever_comes_next(scale_down: str, crash_after: int) -> None:
    shop = FragileAdoption()
    shop.writes_left = crash_after
    await shop.adopted(workloadRef={"scaleDown": scale_down})
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    assert shop.status["adoption"]["replicas"] == 4
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]


def images(deployment: JSON) -> list[str]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return [str(each["image"]) for each in containers]


async def test_the_finalizer_comes_and_goes_with_the_spec(shop: AdoptedShop) -> None:
    await shop.adopted(revertOnDeletion=True)
    assert shop.rollout["metadata"]["finalizers"] == [REVERT]
    shop.edit({"metadata": {"finalizers": ["somebody/else", REVERT]}})
    shop.edit({"spec": {"revertOnDeletion": False}})
    await shop.round()
    assert shop.rollout["metadata"]["finalizers"] == ["somebody/else"]


async def test_a_younger_rollout_of_the_same_deployment_stands_back(shop: AdoptedShop) -> None:
    await shop.adopted()
    elder = copy.deepcopy(shop.rollout)
    elder["metadata"]["name"] = "elder"
    elder["spec"]["strategy"] = {"canary": {}}
    shop.cluster.put(ROLLOUT, elder)["metadata"]["creationTimestamp"] = "2000-01-01T00:00:00Z"
    await shop.round()
    assert "Rollout elder already has the place of Deployment checkout" in shop.status["message"]
    index = Index(shop.cluster)
    both = {KEY, KEY._replace(name="elder")}
    for key in both:
        index.rollouts(key.ref)
    assert index.rollouts(KEY.ref) == both
    assert index.rollouts(WORKLOAD) == both


async def test_without_its_deployment_it_holds_what_it_has(shop: AdoptedShop) -> None:
    await shop.adopted()
    shop.cluster.drop(WORKLOAD)
    await shop.run(5)
    assert shop.status["phase"] == "Degraded"
    assert "Deployment checkout does not exist; what runs goes on" in shop.status["message"]
    assert shop.status["selector"].startswith("app=checkout,")
    shop.cluster.put(DEPLOYMENT, deployment(replicas=0))
    await shop.run(5)
    assert shop.status["phase"] == "Healthy"


async def test_replicas_that_come_back_are_put_back(shop: AdoptedShop) -> None:
    await shop.adopted()
    shop.cluster.edit(WORKLOAD, {"spec": {"replicas": 4}})
    await shop.round()
    assert shop.workload["spec"]["replicas"] == 0
    assert shop.status["history"][-1]["reason"] == "DriftCorrected"
    assert shop.status["phase"] == "Healthy"


WAITING = {**BLUE_GREEN["blueGreen"], "autoPromotionEnabled": False}


@pytest.mark.parametrize(
    "strategy", [None, BY_REPLICAS, {"blueGreen": WAITING}], ids=["nginx", "replicas", "blue-green"]
)
async def test_what_was_not_promoted_gets_no_request_on_the_way_out(strategy: JSON | None) -> None:
    """A Service that has its own selector back selects the pods of every revision."""
    shop = AdoptedShop()
    await shop.adopted(**({"strategy": strategy} if strategy else {}))
    shop.release("shop:2")
    await shop.until(lambda: len(shop.cluster.select(REPLICA_SET, "shop")) > 3)
    await shop.run(5)
    new = shop.status["currentRevision"]["hash"]
    shop.detach()
    await shop.round()
    most = 0.0 if strategy != BY_REPLICAS else 1.0
    while shop.rollout["metadata"]["finalizers"]:
        assert max(shares(shop.cluster, new).values()) <= most, shop.status["message"]
        await shop.run(1)
    assert max(shares(shop.cluster, new).values()) == 0
