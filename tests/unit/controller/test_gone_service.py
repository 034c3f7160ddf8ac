"""The stable Service is deleted, alone or by the commit that names another one."""

import json

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, SERVICE, Ref
from tests.fakes.adopted import AdoptedShop
from tests.fakes.deployments import Deployments
from tests.fakes.kubernetes import canary_weight, selected, service, template
from tests.fakes.shop import KEY, Shop
from tests.fakes.traffic import routing_objects
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by, waiting

GONE = Ref(SERVICE, "shop", "checkout")
OTHER_CANARY: JSON = {
    **CANARY,
    "stableService": "other",
    "trafficRouting": {"nginx": {"stableIngresses": ["other"]}},
}
OTHER_BLUE_GREEN: JSON = {**BLUE_GREEN, "activeService": "other"}


def pods_of(shop: Shop, hash_: str) -> list[JSON]:
    return shop.cluster.select(POD, "shop", {HASH_LABEL: hash_})


@pytest.mark.parametrize(
    ("old", "new"),
    [(CANARY, OTHER_CANARY), (BLUE_GREEN, OTHER_BLUE_GREEN)],
    ids=["stableService", "activeService"],
)
@pytest.mark.parametrize("why", ["abort", "the stable template", "a new template", "promote"])
async def test_an_old_service_that_is_gone_is_not_waited_for(
    shop: Shop, old: JSON, new: JSON, why: str
) -> None:
    """One commit names another Service, and deletes the one before."""
    await waiting(shop, old)
    shop.cluster.drop(GONE)
    shop.edit(goes_by(new))
    await shop.run(3)

    match why:
        case "the stable template":
            shop.edit({"spec": {"template": template("shop:1")}})
        case "a new template":
            shop.release("shop:3")
        case _:
            shop.command(json.dumps({"id": "1", "verb": why}))
    await shop.run(40)

    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    assert canary_weight(shop.cluster) is None, "what was made for the old one is gone"
    phase = {"abort": "Degraded", "the stable template": "Healthy"}.get(why, "Paused")
    assert shop.status["phase"] == phase
    assert "comes into force" not in shop.status["message"]


async def test_it_says_meanwhile_what_is_waited_for(shop: Shop) -> None:
    await waiting(shop, CANARY)
    shop.cluster.drop(GONE)
    shop.edit(goes_by(OTHER_CANARY))
    await shop.run(3)
    shop.command('{"id": "1", "verb": "abort"}')
    await shop.run(2)
    assert canary_weight(shop.cluster) == 0, "what is in flight has its time"
    awaits = "; the strategy as it is written comes into force when the routes are cleared"
    assert shop.status["message"].endswith(f"aborted{awaits}")
    shop.edit({"spec": {"template": template("shop:1")}})
    await shop.run(2)
    assert shop.status["phase"] == "Progressing"
    assert shop.status["message"] == f"Service checkout does not exist any more{awaits}"
    assert "Blocked" not in shop.reasons(), "nobody has to do anything"


async def test_routes_that_are_all_that_leads_to_stable_stay_until_its_service_is_there(
    shop: Shop,
) -> None:
    await waiting(shop, CANARY)
    shop.command('{"id": "1", "verb": "promote-full"}')
    while "Promoted" not in shop.reasons():
        shop.kubernetes.settle()
        await shop.reconciler.reconcile(KEY)
        shop.clock.move(0.5)
        shop.eyes.look()
    shop.cluster.drop(GONE)
    shop.edit(goes_by(OTHER_CANARY))
    await shop.run(60)
    assert canary_weight(shop.cluster) == 100
    assert shop.status["phase"] == "Degraded"
    assert shop.reasons().count("Blocked") == 1
    assert "are all that leads to stable: create it once more" in shop.status["message"]
    shop.cluster.put(SERVICE, service())
    await shop.run(30)
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    assert canary_weight(shop.cluster) is None
    assert selected(shop.cluster, "other") == shop.status["stableRevision"]["hash"]
    assert selected(shop.cluster, "checkout") == "", "it is named no longer"


async def test_without_an_edit_a_rollback_is_tidied_up_all_the_same(shop: Shop) -> None:
    await waiting(shop, CANARY)
    canary, stable = (shop.status[each]["hash"] for each in ("currentRevision", "stableRevision"))
    shop.cluster.drop(GONE)
    shop.command('{"id": "1", "verb": "abort"}')
    await shop.run(30)
    assert routing_objects(shop.cluster) == []
    assert selected(shop.cluster, "checkout-canary") == stable
    assert pods_of(shop, canary) == []
    assert len(pods_of(shop, stable)) == 4


async def test_a_deployment_gets_its_place_back_all_the_same() -> None:
    shop = await AdoptedShop().adopted()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.kubernetes = Deployments(shop.cluster)
    shop.cluster.drop(GONE)
    shop.detach()
    await shop.gone()
    assert shop.workload["spec"]["replicas"] == 4
