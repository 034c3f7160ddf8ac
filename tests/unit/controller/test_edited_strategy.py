"""Another strategy, Service or router: when settled it comes into force, in the middle it waits for a person."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, POD, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight, ingress, service, template
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


def put_ingress(loop: ControlLoop, name: str, backend: str) -> None:
    text = json.dumps(ingress()).replace("shop.test", f"{name}.test")
    body = json.loads(text.replace('{"name": "checkout", "port"', f'{{"name": "{backend}", "port"'))
    body["metadata"]["name"] = name
    loop.cluster.put(INGRESS, body)


async def deployed(loop: ControlLoop, way: Mapping[str, Any]) -> None:
    """Deploy by this strategy, with another Ingress and another Service beside."""
    other = service()
    other["metadata"]["name"] = "other"
    loop.cluster.put(SERVICE, other)
    put_ingress(loop, "second", "checkout")
    put_ingress(loop, "other", "other")
    await loop.deployed()
    loop.edit(goes_by(way))
    await loop.run(10)
    assert loop.status["phase"] == "Healthy"


async def waiting(loop: ControlLoop, way: Mapping[str, Any]) -> None:
    """Bring a release by this strategy to where it waits for a person."""
    await deployed(loop, way)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")


def new_shares(loop: ControlLoop) -> dict[str, float]:
    """Return the current revision's shares at the hosts whose Service the Rollout has had."""
    found = shares(loop.cluster, loop.status["currentRevision"]["hash"])
    return {host: share for host, share in found.items() if host != "other.test"}


async def shares_at_the_change(loop: ControlLoop) -> dict[str, float]:
    """Go on, reconcile by reconcile, until the strategy that is written comes into force."""
    for _ in range(500):
        loop.kubernetes.settle()
        before = len(loop.cluster.writes)
        await loop.reconciler.reconcile(KEY)
        if loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]:
            return new_shares(loop)
        if len(loop.cluster.writes) == before:
            loop.clock.move(0.5)
            loop.monitor.measure()
    raise AssertionError(loop.status["message"])


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
    loop: ControlLoop, old: JSON, new: JSON, words: str
) -> None:
    await waiting(loop, old)
    before = new_shares(loop)

    loop.edit(goes_by(new))
    await loop.run(60)

    assert new_shares(loop) == before
    assert (loop.status["phase"], loop.status["pause"]["reason"]) == ("Paused", "StrategyChanged")
    assert f"strategy was changed {words} in the middle of a release" in loop.status["message"]
    loop.cluster.writes.clear()
    await loop.run(60)
    assert loop.cluster.writes == [], "to wait costs nothing"
    loop.edit(goes_by(old))
    await loop.run(10)
    assert loop.status["pause"]["reason"] == "PauseStep", "taking it back ends the hold"
    assert new_shares(loop) == before


@pytest.mark.parametrize(("old", "new", "words"), WAYS)
@pytest.mark.parametrize("why", ["promote", "a new template"])
async def test_begun_anew_it_goes_back_by_the_old_way_before_it_goes_by_the_new_one(
    loop: ControlLoop, old: JSON, new: JSON, words: str, why: str
) -> None:
    assert words
    await waiting(loop, old)
    loop.edit(goes_by(new))
    await loop.run(3)
    loop.reconciler = loop.new_reconciler()

    if why == "promote":
        loop.command('{"id": "1", "verb": "promote"}')
    else:
        loop.release("shop:3")
    open_at_the_change = await shares_at_the_change(loop)
    await loop.run(30)
    assert loop.status["pause"]["reason"] == "PauseStep", loop.status["message"]
    assert loop.status["currentRevision"]["number"] == (2 if why == "promote" else 3)
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    assert set(open_at_the_change.values()) == {0.0}, "no two ways are open at once"
    for number in range(2, 6):
        loop.command(f'{{"id": "{number}", "verb": "promote"}}')
        await loop.run(3)
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(30)
    assert routing_objects(loop.cluster) == []
    assert loop.status["phase"] == "Healthy"


@pytest.mark.parametrize(("old", "new", "words"), WAYS)
@pytest.mark.parametrize("why", ["abort", "failures", "the stable template"])
async def test_it_goes_back_by_the_way_that_it_came(
    loop: ControlLoop, old: JSON, new: JSON, words: str, why: str
) -> None:
    assert words
    await waiting(loop, old)
    canary = loop.status["currentRevision"]["hash"]
    loop.edit(goes_by(new))
    await loop.run(3)

    match why:
        case "abort":
            loop.command('{"id": "1", "verb": "abort"}')
        case "failures":
            loop.monitor.failures = 80 if any(new_shares(loop).values()) else 0
            if not loop.monitor.failures:
                loop.command('{"id": "1", "verb": "abort"}')
        case _:
            loop.edit({"spec": {"template": template("shop:1")}})
    await loop.run(43)

    assert shares(loop.cluster, canary)["shop.test"] == 0
    assert routing_objects(loop.cluster) == []
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    if why == "the stable template":
        assert loop.status["phase"] == "Healthy"
    else:
        loop.command('{"id": "2", "verb": "retry"}')
        loop.monitor.failures = 0
        await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")


async def test_a_routing_object_that_is_only_taken_out_holds_nothing(loop: ControlLoop) -> None:
    await waiting(loop, BOTH)
    assert new_shares(loop) == {"shop.test": 0.25, "second.test": 0.25}

    loop.edit(goes_by(CANARY))
    await loop.run(30)

    assert new_shares(loop)["second.test"] == 0
    assert canary_weight(loop.cluster) == 25
    assert loop.status["pause"]["reason"] == "PauseStep"
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(30)
    assert routing_objects(loop.cluster) == []


async def test_while_a_rollback_is_tidied_up_the_old_way_stays_in_force(loop: ControlLoop) -> None:
    await waiting(loop, CANARY)
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.round()
    assert canary_weight(loop.cluster) == 0
    loop.edit(goes_by(BLUE_GREEN))
    await loop.run(30)
    assert routing_objects(loop.cluster) == []
    assert "blueGreen" in loop.status["effectiveSpec"]["strategy"]


async def test_pods_that_are_left_by_a_held_strategy_stay_as_long_as_it_is_written_now(
    loop: ControlLoop,
) -> None:
    await waiting(loop, {**CANARY, "abortScaleDownDelaySeconds": 0})
    canary = loop.status["currentRevision"]["hash"]
    loop.edit(goes_by({**BLUE_GREEN, "abortScaleDownDelaySeconds": 60}))
    await loop.run(3)
    assert loop.status["pause"]["reason"] == "StrategyChanged"
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.run(30)
    assert loop.cluster.select(POD, "shop", {HASH_LABEL: canary})
    await loop.run(120)
    assert not loop.cluster.select(POD, "shop", {HASH_LABEL: canary})


async def test_promote_full_waits_for_the_new_strategy(loop: ControlLoop) -> None:
    await waiting(loop, CANARY)
    loop.edit(goes_by(BLUE_GREEN))
    await loop.run(3)
    loop.command('{"id": "1", "verb": "promote-full"}')
    await loop.run(3)
    assert not loop.status["lastCommand"]["accepted"]
    assert "promote begins it anew" in loop.status["lastCommand"]["message"]
    assert canary_weight(loop.cluster) == 25


async def test_what_goes_over_by_itself_needs_no_second_promote(loop: ControlLoop) -> None:
    await waiting(loop, CANARY)
    loop.edit(goes_by(BLUE_GREEN))
    await loop.run(3)
    loop.command('{"id": "1", "verb": "promote"}')
    await loop.reconciler.reconcile(KEY)
    assert canary_weight(loop.cluster) == 0, "back first"
    loop.command('{"id": "2", "verb": "promote"}')
    await loop.reconciler.reconcile(KEY)
    assert loop.status["lastCommand"]["message"] == (
        "traffic goes back to stable by canary (nginx); then it begins by blueGreen; there is no"
        " hold to pass"
    )
    assert loop.status["phase"] == "Progressing"


async def test_when_settled_it_costs_one_write_to_know_another_spec(loop: ControlLoop) -> None:
    await deployed(loop, CANARY)
    loop.cluster.writes.clear()
    loop.edit(goes_by(BLUE_GREEN))
    await loop.run(30)
    assert len(loop.cluster.writes) == 1
    assert "template" not in loop.status["effectiveSpec"]


async def test_when_settled_a_share_of_the_pods_is_simply_left_for_a_router(
    loop: ControlLoop,
) -> None:
    await waiting(loop, BY_PODS)
    loop.command('{"id": "1", "verb": "promote-full"}')
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(30)
    loop.edit(goes_by(CANARY))
    await loop.reconciler.reconcile(KEY)
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    await loop.round()
    assert loop.status["phase"] == "Healthy"
    loop.release("shop:3")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)


async def test_after_an_abort_it_says_what_the_new_strategy_waits_for(loop: ControlLoop) -> None:
    await waiting(loop, BY_PODS)
    canary = loop.status["currentRevision"]["hash"]
    loop.command('{"id": "1", "verb": "abort"}')
    loop.edit(goes_by(CANARY))
    await loop.reconciler.reconcile(KEY)
    assert loop.cluster.select(POD, "shop", {HASH_LABEL: canary})
    assert loop.status["message"].endswith(
        "aborted; the strategy as it is written comes into force when all traffic is at stable"
    )
    await loop.run(30)
    assert not loop.cluster.select(POD, "shop", {HASH_LABEL: canary})
    assert loop.status["effectiveSpec"]["strategy"] == loop.rollout["spec"]["strategy"]
    assert loop.status["message"].endswith("aborted")
