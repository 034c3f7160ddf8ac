"""A Rollout that is made beside pods that serve already: none of them is lost."""

import pytest

from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, SERVICE, Ref
from tests.fakes.deployments import Deployments, deployment
from tests.fakes.kubernetes import selected, service
from tests.fakes.shop import Shop
from tests.fakes.traffic import endpoints
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by

LEGACY = Ref(DEPLOYMENT, "shop", "checkout")


def beside(shop: Shop, replicas: int) -> None:
    """Have a live Deployment of the same labels, behind the same Service."""
    shop.kubernetes = Deployments(shop.cluster)
    shop.cluster.put(DEPLOYMENT, deployment("shop:0", replicas))
    shop.kubernetes.settle()


def preflight(shop: Shop) -> str:
    return str(
        next(each for each in shop.status["conditions"] if each["type"] == "Preflight")["message"]
    )


@pytest.mark.parametrize("way", [CANARY, BLUE_GREEN], ids=["canary", "blueGreen"])
@pytest.mark.parametrize("replicas", [0, 1])
async def test_a_first_deploy_that_is_smaller_takes_no_endpoint_away(
    shop: Shop, replicas: int, way: JSON
) -> None:
    beside(shop, 9)
    shop.apply(replicas=replicas, strategy=goes_by(way)["spec"]["strategy"])
    await shop.run(30)
    assert len(endpoints(shop.cluster, "checkout")) == 9 + replicas
    assert shop.status["phase"] == "Healthy"
    assert "more ready pods of others" in shop.status["message"]
    assert "more ready pods of others" in preflight(shop)

    shop.release("shop:2")
    await shop.run(30)
    assert len(endpoints(shop.cluster, "checkout")) == 9 + replicas, "no canary gets in by accident"
    assert "Promoted" not in shop.reasons()


@pytest.mark.parametrize("how", ["it is scaled up", "the others go"])
async def test_it_is_narrowed_when_nobody_misses_them(shop: Shop, how: str) -> None:
    beside(shop, 9)
    await shop.deployed(replicas=1)
    if how == "the others go":
        shop.cluster.edit(LEGACY, {"spec": {"replicas": 0}})
    else:
        shop.edit({"spec": {"replicas": 9}})
    await shop.run(10)
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    assert len(endpoints(shop.cluster, "checkout")) == (1 if how == "the others go" else 9)
    assert "DriftCorrected" not in shop.reasons(), "nobody has done anything"
    assert "others" not in preflight(shop)
    shop.release("shop:2")
    await shop.until(lambda: "WeightSet" in shop.reasons())


async def test_a_release_that_begins_before_goes_on_by_itself(shop: Shop) -> None:
    beside(shop, 9)
    await shop.deployed(replicas=1)
    shop.release("shop:2")
    await shop.run(10)
    assert "until then no release moves on" in shop.status["message"]
    assert shop.status["phase"] == "Progressing"
    shop.cluster.edit(LEGACY, {"spec": {"replicas": 0}})
    await shop.until(lambda: "WeightSet" in shop.reasons())


async def test_a_users_own_canary_service_that_others_serve_is_not_taken(shop: Shop) -> None:
    theirs = service()
    theirs["metadata"]["name"] = "checkout-canary"
    theirs["spec"]["selector"] = {"app": "checkout", "tier": "legacy"}
    shop.cluster.put(SERVICE, theirs)
    legacy = deployment("shop:0", 3)
    legacy["spec"]["template"]["metadata"]["labels"]["tier"] = "legacy"
    legacy["metadata"]["name"] = "legacy"
    shop.kubernetes = Deployments(shop.cluster)
    shop.cluster.put(DEPLOYMENT, legacy)
    await shop.deployed(replicas=4)
    shop.release("shop:2")
    await shop.run(20)
    assert len(endpoints(shop.cluster, "checkout-canary")) == 3
    found = shop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    assert found is not None
    assert HASH_LABEL not in found["spec"]["selector"]
    assert "Service checkout-canary has more ready pods of others" in shop.status["message"]


@pytest.mark.parametrize("way", [CANARY, BLUE_GREEN], ids=["canary", "blueGreen"])
async def test_a_release_whose_pods_the_service_does_not_select_gets_no_traffic(
    shop: Shop, way: JSON
) -> None:
    """Its template has lost a label. A Service that was bound to it would have no endpoint."""
    shop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"tier": "web"}}})
    labelled = {"template": {"metadata": {"labels": {"tier": "web"}}}}
    shop.apply(strategy=goes_by(way)["spec"]["strategy"])
    shop.edit({"spec": labelled})
    theirs = service()
    theirs["metadata"]["name"] = "checkout-canary"
    shop.cluster.put(SERVICE, theirs)
    await shop.until(lambda: shop.status.get("phase") == "Healthy")

    shop.edit({"spec": {"template": {"metadata": {"labels": {"tier": None}}}}})
    shop.release("shop:2")
    await shop.run(20)
    shop.command('{"id": "1", "verb": "promote-full"}')
    await shop.run(60)
    assert len(endpoints(shop.cluster, "checkout")) == 4
    assert "Promoted" not in shop.reasons()
    assert "Service checkout selects none of the pods of revision 2" in shop.status["message"]
