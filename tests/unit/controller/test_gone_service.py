"""The stable Service is deleted, alone or by the commit that names another one."""

import json

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, SERVICE, Ref
from tests.fakes.adopting_loop import AdoptingControlLoop
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.deployments import Deployments
from tests.fakes.kubernetes import canary_weight, selected, service, template
from tests.fakes.traffic import routing_objects
from tests.unit.controller.test_edited_strategy import BLUE_GREEN, CANARY, goes_by, waiting

GONE = Ref(SERVICE, "shop", "checkout")
OTHER_CANARY: JSON = {
    **CANARY,
    "stableService": "other",
    "trafficRouting": {"nginx": {"stableIngresses": ["other"]}},
}
OTHER_BLUE_GREEN: JSON = {**BLUE_GREEN, "activeService": "other"}


def pods_of(loop: ControlLoop, hash_: str) -> list[JSON]:
    return loop.cluster.select(POD, "shop", {HASH_LABEL: hash_})


@pytest.mark.parametrize(
    ("old", "new"),
    [(CANARY, OTHER_CANARY), (BLUE_GREEN, OTHER_BLUE_GREEN)],
    ids=["stableService", "activeService"],
)
@pytest.mark.parametrize("why", ["abort", "the stable template", "a new template", "promote"])
async def test_an_old_service_that_is_gone_is_not_waited_for(
    loop: ControlLoop, old: JSON, new: JSON, why: str
) -> None:
    """One commit names another Service, and deletes the one before."""
    await waiting(loop, old)
    loop.cluster.drop(GONE)
    loop.edit(goes_by(new))
    await loop.run(3)

    match why:
        case "the stable template":
            loop.edit({"spec": {"template": template("shop:1")}})
        case "a new template":
            loop.release("shop:3")
        case _:
            loop.command(json.dumps({"id": "1", "verb": why}))
    await loop.run(40)

    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    assert canary_weight(loop.cluster) is None, "what was made for the old one is gone"
    phase = {"abort": "Degraded", "the stable template": "Healthy"}.get(why, "Paused")
    assert loop.status["phase"] == phase
    assert "comes into force" not in loop.status["message"]


async def test_it_says_meanwhile_what_is_waited_for(loop: ControlLoop) -> None:
    await waiting(loop, CANARY)
    loop.cluster.drop(GONE)
    loop.edit(goes_by(OTHER_CANARY))
    await loop.run(3)
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.run(2)
    assert canary_weight(loop.cluster) == 0, "what is in flight has its time"
    awaits = "; the strategy as it is written comes into force when the routes are cleared"
    assert loop.status["message"].endswith(f"aborted{awaits}")
    loop.edit({"spec": {"template": template("shop:1")}})
    await loop.run(2)
    assert loop.status["phase"] == "Progressing"
    assert loop.status["message"] == f"Service checkout does not exist any more{awaits}"
    assert "Blocked" not in loop.reasons(), "nobody has to do anything"


async def test_routes_that_are_all_that_leads_to_stable_stay_until_its_service_is_there(
    loop: ControlLoop,
) -> None:
    await waiting(loop, CANARY)
    loop.command('{"id": "1", "verb": "promote-full"}')
    while "Promoted" not in loop.reasons():
        loop.kubernetes.settle()
        await loop.reconciler.reconcile(KEY)
        loop.clock.move(0.5)
        loop.monitor.measure()
    loop.cluster.drop(GONE)
    loop.edit(goes_by(OTHER_CANARY))
    await loop.run(60)
    assert canary_weight(loop.cluster) == 100
    assert loop.status["phase"] == "Degraded"
    assert loop.reasons().count("Blocked") == 1
    assert "are all that leads to stable: create it once more" in loop.status["message"]
    loop.cluster.put(SERVICE, service())
    await loop.run(30)
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    assert canary_weight(loop.cluster) is None
    assert selected(loop.cluster, "other") == loop.status["stableRevision"]["hash"]
    assert selected(loop.cluster, "checkout") == "", "it is named no longer"


async def test_without_an_edit_a_rollback_is_tidied_up_all_the_same(loop: ControlLoop) -> None:
    await waiting(loop, CANARY)
    canary, stable = (loop.status[each]["hash"] for each in ("currentRevision", "stableRevision"))
    loop.cluster.drop(GONE)
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.run(30)
    assert routing_objects(loop.cluster) == []
    assert selected(loop.cluster, "checkout-canary") == stable
    assert pods_of(loop, canary) == []
    assert len(pods_of(loop, stable)) == 4


async def test_a_deployment_gets_its_place_back_all_the_same() -> None:
    loop = await AdoptingControlLoop().adopted()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.kubernetes = Deployments(loop.cluster)
    loop.cluster.drop(GONE)
    loop.detach()
    await loop.gone()
    assert loop.workload["spec"]["replicas"] == 4
