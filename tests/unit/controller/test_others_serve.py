"""A Rollout that is made beside pods that serve already: none of them is lost."""

import pytest

from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, SERVICE, Ref
from tests.fakes.control_loop import ControlLoop
from tests.fakes.deployments import Deployments, deployment
from tests.fakes.kubernetes import selected, service
from tests.fakes.traffic import endpoints
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by

LEGACY = Ref(DEPLOYMENT, "shop", "checkout")


def beside(loop: ControlLoop, replicas: int) -> None:
    """Have a live Deployment of the same labels, behind the same Service."""
    loop.kubernetes = Deployments(loop.cluster)
    loop.cluster.put(DEPLOYMENT, deployment("shop:0", replicas))
    loop.kubernetes.settle()


def preflight(loop: ControlLoop) -> str:
    return str(
        next(each for each in loop.status["conditions"] if each["type"] == "Preflight")["message"]
    )


@pytest.mark.parametrize("way", [CANARY, BLUE_GREEN], ids=["canary", "blueGreen"])
@pytest.mark.parametrize("replicas", [0, 1])
async def test_a_first_deploy_that_is_smaller_takes_no_endpoint_away(
    loop: ControlLoop, replicas: int, way: JSON
) -> None:
    beside(loop, 9)
    loop.apply(replicas=replicas, strategy=goes_by(way)["spec"]["strategy"])
    await loop.run(30)
    assert len(endpoints(loop.cluster, "checkout")) == 9 + replicas
    assert loop.status["phase"] == "Healthy"
    assert "more ready pods of others" in loop.status["message"]
    assert "more ready pods of others" in preflight(loop)

    loop.release("shop:2")
    await loop.run(30)
    assert len(endpoints(loop.cluster, "checkout")) == 9 + replicas, "no canary gets in by accident"
    assert "Promoted" not in loop.reasons()


@pytest.mark.parametrize("how", ["it is scaled up", "the others go"])
async def test_it_is_narrowed_when_nobody_misses_them(loop: ControlLoop, how: str) -> None:
    beside(loop, 9)
    await loop.deployed(replicas=1)
    if how == "the others go":
        loop.cluster.edit(LEGACY, {"spec": {"replicas": 0}})
    else:
        loop.edit({"spec": {"replicas": 9}})
    await loop.run(10)
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert len(endpoints(loop.cluster, "checkout")) == (1 if how == "the others go" else 9)
    assert "DriftCorrected" not in loop.reasons(), "nobody has done anything"
    assert "others" not in preflight(loop)
    loop.release("shop:2")
    await loop.until(lambda: "WeightSet" in loop.reasons())


async def test_a_release_that_begins_before_goes_on_by_itself(loop: ControlLoop) -> None:
    beside(loop, 9)
    await loop.deployed(replicas=1)
    loop.release("shop:2")
    await loop.run(10)
    assert "until then no release moves on" in loop.status["message"]
    assert loop.status["phase"] == "Progressing"
    loop.cluster.edit(LEGACY, {"spec": {"replicas": 0}})
    await loop.until(lambda: "WeightSet" in loop.reasons())


async def test_a_users_own_canary_service_that_others_serve_is_not_taken(loop: ControlLoop) -> None:
    theirs = service()
    theirs["metadata"]["name"] = "checkout-canary"
    theirs["spec"]["selector"] = {"app": "checkout", "tier": "legacy"}
    loop.cluster.put(SERVICE, theirs)
    legacy = deployment("shop:0", 3)
    legacy["spec"]["template"]["metadata"]["labels"]["tier"] = "legacy"
    legacy["metadata"]["name"] = "legacy"
    loop.kubernetes = Deployments(loop.cluster)
    loop.cluster.put(DEPLOYMENT, legacy)
    await loop.deployed(replicas=4)
    loop.release("shop:2")
    await loop.run(20)
    assert len(endpoints(loop.cluster, "checkout-canary")) == 3
    found = loop.cluster.get(Ref(SERVICE, "shop", "checkout-canary"))
    assert found is not None
    assert HASH_LABEL not in found["spec"]["selector"]
    assert "Service checkout-canary leads to more ready pods of others" in loop.status["message"]


@pytest.mark.parametrize("way", [CANARY, BLUE_GREEN], ids=["canary", "blueGreen"])
async def test_a_release_whose_pods_the_service_does_not_select_gets_no_traffic(
    loop: ControlLoop, way: JSON
) -> None:
    """Its template has lost a label. A Service that was bound to it would have no endpoint."""
    loop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"tier": "web"}}})
    labelled = {"template": {"metadata": {"labels": {"tier": "web"}}}}
    loop.apply(strategy=goes_by(way)["spec"]["strategy"])
    loop.edit({"spec": labelled})
    theirs = service()
    theirs["metadata"]["name"] = "checkout-canary"
    loop.cluster.put(SERVICE, theirs)
    await loop.until(lambda: loop.status.get("phase") == "Healthy")

    loop.edit({"spec": {"template": {"metadata": {"labels": {"tier": None}}}}})
    loop.release("shop:2")
    await loop.run(20)
    loop.command('{"id": "1", "verb": "promote-full"}')
    await loop.run(60)
    assert len(endpoints(loop.cluster, "checkout")) == 4
    assert "Promoted" not in loop.reasons()
    assert "Service checkout selects none of the pods of revision 2" in loop.status["message"]
