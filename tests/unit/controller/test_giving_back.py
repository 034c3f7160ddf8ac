"""Everything is given back to a Deployment that may be gone, or can't be written, on a fake cluster."""

from contextlib import suppress

import pytest

from rollouts.core.workload import DETACH, REVERT
from rollouts.errors import Forbidden
from rollouts.model.kinds import (
    DEPLOYMENT,
    INGRESS,
    POD,
    REPLICA_SET,
    SERVICE,
    Ref,
)
from rollouts.ports import Create, Patch, Record
from tests.fakes.adopted import WORKLOAD, AdoptedShop
from tests.fakes.deployments import deployment
from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.shop import KEY, Shop


@pytest.fixture
def shop() -> AdoptedShop:
    return AdoptedShop()


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
