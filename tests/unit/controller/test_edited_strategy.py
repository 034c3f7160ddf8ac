"""Another strategy, Service or router: at rest it comes into force, in the middle it waits for a person."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, INGRESS, JSON, POD, SERVICE
from tests.fakes.kubernetes import canary_weight, ingress, service, template
from tests.fakes.shop import KEY, Shop
from tests.fakes.traffic import routing_objects, shares

HOLD: JSON = {"pause": {}}
STEPS: list[JSON] = [{"setWeight": 25}, HOLD, {"setWeight": 50}]
DELAYS: JSON = {"scaleDownDelaySeconds": 5, "abortScaleDownDelaySeconds": 5}
CANARY: JSON = {
    "stableService": "checkout",
    "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
    "steps": STEPS,
    **DELAYS,
}
BOTH: JSON = {
    **CANARY,
    "trafficRouting": {"nginx": {"stableIngresses": ["checkout", "second"]}},
}
BLUE_GREEN: JSON = {
    "activeService": "checkout",
    "autoPromotionEnabled": False,
    "postPromotionAnalysis": {"duration": "60s"},
    **DELAYS,
}
BY_PODS: JSON = {"steps": STEPS, "maxSurge": 4, **DELAYS}
FIELDS = {*CANARY, *BLUE_GREEN, *BY_PODS, "canaryService", "previewService"}


def goes_by(way: Mapping[str, Any]) -> JSON:
    """Return the patch after which the strategy is this one alone."""
    kinds = ("blueGreen", "canary") if "activeService" in way else ("canary", "blueGreen")
    return {"spec": {"strategy": {kinds[1]: None, kinds[0]: {**dict.fromkeys(FIELDS), **way}}}}


def put_ingress(shop: Shop, name: str, backend: str) -> None:
    text = json.dumps(ingress()).replace("shop.test", f"{name}.test")
    body = json.loads(text.replace('{"name": "checkout", "port"', f'{{"name": "{backend}", "port"'))
    body["metadata"]["name"] = name
    shop.cluster.put(INGRESS, body)


async def deployed(shop: Shop, way: Mapping[str, Any]) -> None:
    """Deploy by this strategy, with another Ingress and another Service beside."""
    other = service()
    other["metadata"]["name"] = "other"
    shop.cluster.put(SERVICE, other)
    put_ingress(shop, "second", "checkout")
    put_ingress(shop, "other", "other")
    await shop.deployed()
    shop.edit(goes_by(way))
    await shop.run(10)
    assert shop.status["phase"] == "Healthy"


async def waiting(shop: Shop, way: Mapping[str, Any]) -> None:
    """Bring a release by this strategy to where it waits for a person."""
    await deployed(shop, way)
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")


def new_shares(shop: Shop) -> dict[str, float]:
    """Return the current revision's shares at the hosts whose Service the Rollout has had."""
    found = shares(shop.cluster, shop.status["currentRevision"]["hash"])
    return {host: share for host, share in found.items() if host != "other.test"}


async def shares_at_the_change(shop: Shop) -> dict[str, float]:
    """Go on, reconcile by reconcile, until the strategy that is written comes into force."""
    for _ in range(500):
        shop.kubernetes.settle()
        before = len(shop.cluster.writes)
        await shop.reconciler.reconcile(KEY)
        if shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]:
            return new_shares(shop)
        if len(shop.cluster.writes) == before:
            shop.clock.move(0.5)
            shop.eyes.look()
    raise AssertionError(shop.status["message"])


WAYS: list[Any] = [
    pytest.param(CANARY, BLUE_GREEN, "from canary (nginx) to blueGreen", id="to blueGreen"),
    pytest.param(BLUE_GREEN, CANARY, "from blueGreen to canary (nginx)", id="from blueGreen"),
    pytest.param(
        CANARY, BY_PODS, "from canary (nginx) to canary (by replicas)", id="router to pods"
    ),
    pytest.param(
        BY_PODS, CANARY, "from canary (by replicas) to canary (nginx)", id="pods to router"
    ),
    pytest.param(
        BY_PODS, BLUE_GREEN, "from canary (by replicas) to blueGreen", id="pods to blueGreen"
    ),
    pytest.param(CANARY, BOTH, "(trafficRouting)", id="another Ingress"),
    pytest.param(
        CANARY, {**CANARY, "canaryService": "preview"}, "(canaryService)", id="canaryService"
    ),
    pytest.param(
        CANARY,
        {
            **CANARY,
            "stableService": "other",
            "trafficRouting": {"nginx": {"stableIngresses": ["other"]}},
        },
        "(stableService, canaryService, trafficRouting)",
        id="stableService",
    ),
    pytest.param(
        BLUE_GREEN, {**BLUE_GREEN, "activeService": "other"}, "(activeService)", id="activeService"
    ),
]


@pytest.mark.parametrize(("old", "new", "words"), WAYS)
async def test_in_the_middle_of_a_release_traffic_stays_where_it_is(
    shop: Shop, old: JSON, new: JSON, words: str
) -> None:
    await waiting(shop, old)
    before = new_shares(shop)

    shop.edit(goes_by(new))
    await shop.run(60)

    assert new_shares(shop) == before
    assert (shop.status["phase"], shop.status["pause"]["reason"]) == ("Paused", "StrategyChanged")
    assert f"strategy was changed {words} in the middle of a release" in shop.status["message"]
    shop.cluster.writes.clear()
    await shop.run(60)
    assert shop.cluster.writes == [], "to wait costs nothing"
    shop.edit(goes_by(old))
    await shop.run(10)
    assert shop.status["pause"]["reason"] == "PauseStep", "taking it back ends the hold"
    assert new_shares(shop) == before


@pytest.mark.parametrize(("old", "new", "words"), WAYS)
@pytest.mark.parametrize("why", ["promote", "a new template"])
async def test_begun_anew_it_goes_back_by_the_old_way_before_it_goes_by_the_new_one(
    shop: Shop, old: JSON, new: JSON, words: str, why: str
) -> None:
    assert words
    await waiting(shop, old)
    shop.edit(goes_by(new))
    await shop.run(3)
    shop.reconciler = shop.new_reconciler()

    if why == "promote":
        shop.command('{"id": "1", "verb": "promote"}')
    else:
        shop.release("shop:3")
    open_at_the_change = await shares_at_the_change(shop)
    await shop.run(30)
    assert shop.status["pause"]["reason"] == "PauseStep", shop.status["message"]
    assert shop.status["currentRevision"]["number"] == (2 if why == "promote" else 3)
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    assert set(open_at_the_change.values()) == {0.0}, "no two ways are open at once"
    for number in range(2, 6):
        shop.command(f'{{"id": "{number}", "verb": "promote"}}')
        await shop.run(3)
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(30)
    assert routing_objects(shop.cluster) == []
    assert shop.status["phase"] == "Healthy"


@pytest.mark.parametrize(("old", "new", "words"), WAYS)
@pytest.mark.parametrize("why", ["abort", "failures", "the stable template"])
async def test_it_goes_back_by_the_way_that_it_came(
    shop: Shop, old: JSON, new: JSON, words: str, why: str
) -> None:
    assert words
    await waiting(shop, old)
    canary = shop.status["currentRevision"]["hash"]
    shop.edit(goes_by(new))
    await shop.run(3)

    match why:
        case "abort":
            shop.command('{"id": "1", "verb": "abort"}')
        case "failures":
            shop.eyes.failures = 80 if any(new_shares(shop).values()) else 0
            if not shop.eyes.failures:
                shop.command('{"id": "1", "verb": "abort"}')
        case _:
            shop.edit({"spec": {"template": template("shop:1")}})
    await shop.run(43)

    assert shares(shop.cluster, canary)["shop.test"] == 0
    assert routing_objects(shop.cluster) == []
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    if why == "the stable template":
        assert shop.status["phase"] == "Healthy"
    else:
        shop.command('{"id": "2", "verb": "retry"}')
        shop.eyes.failures = 0
        await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")


async def test_a_routing_object_that_is_only_taken_out_holds_nothing(shop: Shop) -> None:
    await waiting(shop, BOTH)
    assert new_shares(shop) == {"shop.test": 0.25, "second.test": 0.25}

    shop.edit(goes_by(CANARY))
    await shop.run(30)

    assert new_shares(shop)["second.test"] == 0
    assert canary_weight(shop.cluster) == 25
    assert shop.status["pause"]["reason"] == "PauseStep"
    shop.command('{"id": "1", "verb": "promote"}')
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(30)
    assert routing_objects(shop.cluster) == []


async def test_while_a_rollback_is_tidied_up_the_old_way_stays_in_force(shop: Shop) -> None:
    await waiting(shop, CANARY)
    shop.command('{"id": "1", "verb": "abort"}')
    await shop.round()
    assert canary_weight(shop.cluster) == 0
    shop.edit(goes_by(BLUE_GREEN))
    await shop.run(30)
    assert routing_objects(shop.cluster) == []
    assert "blueGreen" in shop.status["specInForce"]["strategy"]


async def test_promote_full_waits_for_the_new_strategy(shop: Shop) -> None:
    await waiting(shop, CANARY)
    shop.edit(goes_by(BLUE_GREEN))
    await shop.run(3)
    shop.command('{"id": "1", "verb": "promote-full"}')
    await shop.run(3)
    assert not shop.status["lastCommand"]["accepted"]
    assert "promote begins it anew" in shop.status["lastCommand"]["message"]
    assert canary_weight(shop.cluster) == 25


async def test_what_goes_over_by_itself_needs_no_second_promote(shop: Shop) -> None:
    await waiting(shop, CANARY)
    shop.edit(goes_by(BLUE_GREEN))
    await shop.run(3)
    shop.command('{"id": "1", "verb": "promote"}')
    await shop.reconciler.reconcile(KEY)
    assert canary_weight(shop.cluster) == 0, "back first"
    shop.command('{"id": "2", "verb": "promote"}')
    await shop.reconciler.reconcile(KEY)
    assert shop.status["lastCommand"]["message"] == (
        "traffic goes back to stable by canary (nginx); then it begins by blueGreen; there is no"
        " hold to pass"
    )
    assert shop.status["phase"] == "Progressing"


async def test_at_rest_it_costs_one_write_to_know_another_spec(shop: Shop) -> None:
    await deployed(shop, CANARY)
    shop.cluster.writes.clear()
    shop.edit(goes_by(BLUE_GREEN))
    await shop.run(30)
    assert len(shop.cluster.writes) == 1
    assert "template" not in shop.status["specInForce"]


async def test_at_rest_a_share_of_the_pods_is_simply_left_for_a_router(shop: Shop) -> None:
    await waiting(shop, BY_PODS)
    shop.command('{"id": "1", "verb": "promote-full"}')
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(30)
    shop.edit(goes_by(CANARY))
    await shop.reconciler.reconcile(KEY)
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    await shop.round()
    assert shop.status["phase"] == "Healthy"
    shop.release("shop:3")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)


async def test_after_an_abort_it_says_what_the_new_strategy_waits_for(shop: Shop) -> None:
    await waiting(shop, BY_PODS)
    canary = shop.status["currentRevision"]["hash"]
    shop.command('{"id": "1", "verb": "abort"}')
    shop.edit(goes_by(CANARY))
    await shop.reconciler.reconcile(KEY)
    assert shop.cluster.select(POD, "shop", {HASH_LABEL: canary})
    assert shop.status["message"].endswith(
        "aborted; the strategy as it is written comes into force when all traffic is at stable"
    )
    await shop.run(30)
    assert not shop.cluster.select(POD, "shop", {HASH_LABEL: canary})
    assert shop.status["specInForce"]["strategy"] == shop.rollout["spec"]["strategy"]
    assert shop.status["message"].endswith("aborted")
