"""A Deployment becomes a Rollout's, gets a release, and is given back, on a fake cluster."""

import copy
from contextlib import suppress
from typing import Any

import pytest

from rollouts.controller.index import Index
from rollouts.core.workload import DETACH, REVERT
from rollouts.errors import Forbidden
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    INGRESS,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Ref,
)
from rollouts.ports import Create, Patch, Record
from tests.fakes.deployments import Deployments, deployment
from tests.fakes.kubernetes import canary_weight, rollout, selected
from tests.fakes.shop import CRITERIA, KEY, STEPS, Shop
from tests.fakes.traffic import shares
from tests.unit.controller.test_crashes import FragileShop

WORKLOAD = Ref(DEPLOYMENT, "shop", "checkout")


class Served(Deployments):
    """Never has fewer pods in the stable Service than there were at the beginning."""

    def settle(self) -> None:
        super().settle()
        service = self.cluster.get(Ref(SERVICE, "shop", "checkout"))
        assert service is not None
        assert len(self.cluster.select(POD, "shop", service["spec"]["selector"])) >= 4


class AdoptedShop(Shop):
    """A shop whose Rollout takes the place of a Deployment, watched for what users would meet."""

    def __init__(self, **workload: Any) -> None:
        super().__init__()
        self.cluster.put(DEPLOYMENT, deployment(**workload))
        self.kubernetes = Served(self.cluster)
        self.kubernetes.settle()

    def apply(self, **changes: Any) -> None:
        ref = {"name": "checkout", **changes.pop("workloadRef", {})}
        body = rollout(STEPS, **({"successCriteria": CRITERIA, "workloadRef": ref} | changes))
        del body["spec"]["template"]
        del body["spec"]["selector"]
        self.cluster.put(ROLLOUT, body)

    def release(self, image: str) -> None:
        self.cluster.edit(WORKLOAD, {"spec": {"template": deployment(image)["spec"]["template"]}})

    @property
    def workload(self) -> JSON:
        found = self.cluster.get(WORKLOAD)
        assert found is not None
        return found

    async def adopted(self, **changes: Any) -> "AdoptedShop":
        self.apply(**changes)
        await self.until(lambda: self.workload["spec"]["replicas"] == 0)
        await self.round()
        return self

    def detach(self, finalizer: str = DETACH) -> None:
        metadata = {"finalizers": [finalizer], "deletionTimestamp": "2030-01-01T00:00:00Z"}
        self.edit({"metadata": metadata})

    async def gone(self) -> None:
        """Wait until the last finalizer has been taken away."""
        await self.until(lambda: not self.rollout["metadata"].get("finalizers"))


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
    assert shop.status["history"][-1]["reason"] == "PutBack"
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


def events(shop: Shop) -> list[str]:
    return [each.reason for each in shop.cluster.writes if isinstance(each, Record)]


async def rounds(shop: AdoptedShop, seconds: int) -> None:
    """Let time pass where writes are refused."""
    for _ in range(seconds):
        with suppress(AssertionError, Forbidden):
            await shop.round()
        shop.clock.move(1)


async def test_a_template_that_can_t_be_given_back_for_a_while_is_given_back_then() -> None:
    shop = AdoptedShop()
    shop.apply(workloadRef={"scaleDown": "never"})
    await shop.until(lambda: shop.status.get("phase") == "Healthy")
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and write.ref == WORKLOAD else None
    )
    shop.detach()
    await rounds(shop, 60)
    assert selected(shop.cluster, "checkout") != "", (
        "its Services would select what was not promoted"
    )
    shop.cluster.refuses = lambda _: None
    await shop.gone()
    assert shop.workload["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:1"
    assert events(shop).count("TemplateGivenBack") == 1


@pytest.mark.parametrize("finalizer", [DETACH, REVERT])
async def test_a_rollout_that_is_deleted_with_its_deployment_goes_after_a_minute(
    shop: AdoptedShop, finalizer: str
) -> None:
    await shop.adopted(revertOnDeletion=finalizer == REVERT)
    shop.cluster.drop(WORKLOAD)
    shop.detach(finalizer)
    await shop.run(50)
    assert shop.rollout["metadata"]["finalizers"] == [finalizer]
    assert "create it; without it the Rollout goes at" in shop.status["message"]
    assert shop.status["phase"] == "Degraded"
    await shop.run(20)
    assert not shop.rollout["metadata"]["finalizers"]
    assert "NotReverted" in events(shop)
    assert selected(shop.cluster, "checkout") == "", "who comes next is found by the Service"


async def test_without_its_deployment_it_stays_until_its_services_are_given_back(
    shop: AdoptedShop,
) -> None:
    """Nobody else would ever take our key out, and whoever comes next would not be found by them."""
    await shop.adopted()
    shop.cluster.drop(WORKLOAD)
    shop.cluster.refuses = lambda write: (
        Forbidden("no") if isinstance(write, Patch) and write.ref.kind == SERVICE else None
    )
    shop.detach()
    await rounds(shop, 120)
    assert shop.rollout["metadata"]["finalizers"]
    assert events(shop).count("Blocked") == 2
    shop.cluster.refuses = lambda _: None
    await shop.run(2)
    assert not shop.rollout["metadata"]["finalizers"]
    assert selected(shop.cluster, "checkout") == ""
    assert events(shop).count("NotReverted") == 1


async def test_a_deployment_that_is_only_replaced_is_given_everything_back(
    shop: AdoptedShop,
) -> None:
    await shop.adopted()
    shop.cluster.drop(WORKLOAD)
    for each in shop.cluster.select(REPLICA_SET, "shop", {"app": "checkout"}):  # its own go with it
        shop.cluster.drop(Ref(REPLICA_SET, "shop", each["metadata"]["name"]))
    shop.detach()
    await shop.run(30)
    shop.cluster.put(DEPLOYMENT, deployment(replicas=0))
    await shop.gone()
    assert shop.workload["status"]["availableReplicas"] == 4
    assert "NotReverted" not in events(shop)


async def test_a_deployment_that_goes_on_the_way_back_is_waited_for_no_longer(
    shop: AdoptedShop,
) -> None:
    await shop.adopted()
    shop.detach()
    await shop.round()
    shop.cluster.edit(WORKLOAD, {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})
    await shop.run(70)
    assert not shop.rollout["metadata"]["finalizers"]


@pytest.mark.parametrize("release", [False, True], ids=["at-rest", "in-a-release"])
async def test_a_namespace_that_goes_is_not_held_up(shop: AdoptedShop, release: bool) -> None:
    await shop.adopted(revertOnDeletion=True)
    if release:
        shop.release("shop:2")
        await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.refuses = lambda write: (
        Forbidden("the namespace is being terminated") if isinstance(write, Create) else None
    )
    for kind in (DEPLOYMENT, REPLICA_SET, SERVICE, INGRESS, POD):
        for each in shop.cluster.select(kind, "shop"):
            shop.cluster.drop(Ref(kind, "shop", each["metadata"]["name"]))
    shop.detach(REVERT)
    await shop.reconciler.reconcile(KEY)
    assert not shop.rollout["metadata"]["finalizers"]


async def test_a_rollout_that_was_never_valid_has_nothing_to_give_back(shop: AdoptedShop) -> None:
    shop.apply(strategy={"canary": {"steps": [{"setWait": 5}]}})
    await shop.round()
    shop.detach()
    await shop.round()
    assert not shop.rollout["metadata"]["finalizers"]
