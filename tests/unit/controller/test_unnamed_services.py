"""A Service that the spec names no longer: it is given back, and never left without endpoints."""

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, REPLICA_SET, ROLLOUT, SERVICE, Ref
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import Kubernetes, rollout, selected, service, template
from tests.fakes.traffic import endpoints, shares
from tests.unit.controller.test_crashes import CrashingLoop
from tests.unit.controller.test_edited_strategy import (
    BLUE_GREEN,
    BY_PODS,
    CANARY,
    deployed,
    goes_by,
)

OTHER: JSON = {
    **CANARY,
    "stableService": "other",
    "trafficRouting": {"nginx": {"stableIngresses": ["other"]}},
}
PREVIEWED: JSON = {**CANARY, "canaryService": "preview"}
CHANGES: list[Any] = [
    pytest.param(CANARY, BY_PODS, ["checkout"], id="router to pods"),
    pytest.param(BLUE_GREEN, BY_PODS, ["checkout"], id="blueGreen to pods"),
    pytest.param(CANARY, OTHER, ["checkout"], id="stableService"),
    pytest.param(
        BLUE_GREEN, {**BLUE_GREEN, "activeService": "other"}, ["checkout"], id="activeService"
    ),
    pytest.param(PREVIEWED, CANARY, ["preview"], id="canaryService"),
    pytest.param(PREVIEWED, BY_PODS, ["checkout", "preview"], id="both"),
    pytest.param(
        {**BLUE_GREEN, "previewService": "preview"}, BLUE_GREEN, ["preview"], id="previewService"
    ),
]


class Watchful(Kubernetes):
    """A cluster that does not bear a Service that had ready endpoints and has none."""

    def settle(self) -> None:
        before = {name: endpoints(self.cluster, name) for name in self._services()}
        super().settle()
        for name in self._services():
            lost = before.get(name) and not endpoints(self.cluster, name)
            assert not lost, f"Service {name} has no endpoints any more"

    def _services(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.cluster.select(SERVICE, "shop")]


async def bound(loop: ControlLoop, way: Mapping[str, Any]) -> None:
    """Deploy by a strategy; a preview Service is the user's own."""
    preview = service()
    preview["metadata"]["name"] = "preview"
    loop.cluster.put(SERVICE, preview)
    loop.kubernetes = Watchful(loop.cluster)
    await deployed(loop, way)


async def promoted(loop: ControlLoop) -> None:
    before, number = loop.reasons().count("Promoted"), loop.status["currentRevision"]["number"]
    loop.command(f'{{"id": "full-{number}", "verb": "promote-full"}}')
    await loop.until(lambda: loop.reasons().count("Promoted") > before)
    await loop.run(60)
    assert loop.status["phase"] == "Healthy", loop.status["message"]


@pytest.mark.parametrize(("old", "new", "names"), CHANGES)
@pytest.mark.parametrize("at_once", [True, False], ids=["with a new image", "settled"])
async def test_it_is_given_back_and_nobodys_request_is_lost(
    loop: ControlLoop, old: JSON, new: JSON, names: list[str], at_once: bool
) -> None:
    await bound(loop, old)
    assert set(names) <= set(loop.status["services"])

    loop.edit(goes_by(new))
    if not at_once:
        await loop.run(10)
        assert loop.status["phase"] == "Healthy"
    loop.release("shop:2")
    await promoted(loop)

    for name in names:
        assert selected(loop.cluster, name) == ""
        assert len(endpoints(loop.cluster, name)) == 4
    assert not set(names) & set(loop.status.get("services") or [])
    assert loop.reasons().count("ServiceGivenBack") == len(names)
    assert shares(loop.cluster, loop.status["stableRevision"]["hash"])["shop.test"] == 1
    assert [each["reason"] for each in loop.status["conditions"]].count("ServiceStillBound") == 0
    loop.cluster.writes.clear()
    await loop.run(60)
    assert loop.cluster.writes == []


@pytest.mark.parametrize(("old", "new", "names"), CHANGES)
@pytest.mark.parametrize("verb", ["promote", "abort"])
async def test_in_the_middle_of_a_release_it_is_given_back_when_that_is_over(
    loop: ControlLoop, old: JSON, new: JSON, names: list[str], verb: str
) -> None:
    await bound(loop, old)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    loop.edit(goes_by(new))
    await loop.run(10)
    assert all(selected(loop.cluster, name) for name in names), "it is held by the old strategy"
    bad = loop.status["currentRevision"]["hash"]

    loop.command(f'{{"id": "1", "verb": "{verb}"}}')
    if verb == "abort":
        await loop.run(60)
        found = loop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{bad}"))
        assert found is not None
        assert found["spec"]["replicas"] == 0
    else:
        await loop.run(30)
        await promoted(loop)

    for name in names:
        assert selected(loop.cluster, name) == ""
        assert len(endpoints(loop.cluster, name)) == 4


async def test_the_pods_of_a_canary_that_was_given_up_get_nothing_by_it(loop: ControlLoop) -> None:
    """Without our key it would select them, for as long as they stay."""
    await bound(loop, CANARY)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    bad = loop.status["currentRevision"]["hash"]
    loop.edit(goes_by(BY_PODS))
    loop.command('{"id": "1", "verb": "abort"}')
    for _ in range(120):
        loop.kubernetes.settle()
        await loop.round()
        if loop.status["weights"].get("applied", 0) == 0:
            assert shares(loop.cluster, bad)["shop.test"] == 0
        loop.clock.move(0.5)
    assert selected(loop.cluster, "checkout") == ""


async def test_one_of_ours_stays_and_is_used_again_when_it_is_named_again(
    loop: ControlLoop,
) -> None:
    await bound(loop, CANARY)
    loop.release("shop:2")
    await promoted(loop)
    assert selected(loop.cluster, "checkout-canary") == loop.status["stableRevision"]["hash"]
    loop.edit(goes_by(PREVIEWED))
    loop.release("shop:3")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    await promoted(loop)
    assert selected(loop.cluster, "checkout-canary") == ""
    loop.edit(goes_by(CANARY))
    loop.release("shop:4")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    assert selected(loop.cluster, "checkout-canary") == loop.status["currentRevision"]["hash"]


async def test_a_service_that_is_named_again_is_bound_again(loop: ControlLoop) -> None:
    await bound(loop, CANARY)
    loop.edit(goes_by(OTHER))
    await loop.run(10)
    assert selected(loop.cluster, "checkout") == ""
    loop.edit(goes_by(CANARY))
    await loop.run(10)
    assert selected(loop.cluster, "checkout") == loop.status["stableRevision"]["hash"]
    assert selected(loop.cluster, "other") == ""
    assert "DriftCorrected" not in loop.reasons(), "nobody else has done anything"


async def test_a_service_that_another_rollout_names_by_now_is_left_to_it(loop: ControlLoop) -> None:
    await bound(loop, CANARY)
    stable = loop.status["stableRevision"]["hash"]
    another = rollout([], strategy={"blueGreen": {"activeService": "checkout"}})
    another["metadata"]["name"] = "another"
    loop.cluster.put(ROLLOUT, another)
    loop.edit(goes_by(OTHER))
    await loop.run(10)
    assert selected(loop.cluster, "checkout") == stable
    assert loop.status["services"] == ["other"]


@pytest.mark.parametrize("change", [None, "theirs"], ids=["taken out", "another's"])
async def test_what_somebody_else_has_done_with_it_is_left_as_it_is(
    loop: ControlLoop, change: str | None
) -> None:
    await bound(loop, CANARY)
    if change:
        owner = {"kind": "Rollout", "name": "another", "uid": "another", "controller": True}
        metadata = {
            "namespace": "shop",
            "name": "another-theirs",
            "labels": {HASH_LABEL: change},
            "ownerReferences": [owner],
        }
        spec = {"replicas": 0, "selector": {}, "template": template("shop:1")}
        loop.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": spec})
    loop.edit(goes_by(OTHER))
    loop.kubernetes = Kubernetes(loop.cluster)
    loop.cluster.edit(
        Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {HASH_LABEL: change}}}
    )
    await loop.run(10)
    assert selected(loop.cluster, "checkout") == (change or "")
    assert loop.status["services"] == ["other"]


async def test_one_that_would_select_nothing_without_our_key_stops_releases(
    loop: ControlLoop,
) -> None:
    """Without any selector it would keep the addresses of pods that are gone."""
    await bound(loop, CANARY)
    stable = loop.status["stableRevision"]["hash"]
    loop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"app": None}}})
    loop.edit(goes_by(OTHER))
    loop.release("shop:2")
    await loop.run(60)
    assert selected(loop.cluster, "checkout") == stable
    assert "give it a selector of its own" in loop.status["message"]
    loop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"app": "checkout"}}})
    await loop.run(10)
    assert "ServiceStillBound" not in loop.status["message"]


async def test_a_controller_that_comes_later_goes_on(loop: ControlLoop) -> None:
    await bound(loop, CANARY)
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    loop.edit(goes_by(BY_PODS))
    loop.command('{"id": "1", "verb": "abort"}')
    for _ in range(150):
        loop.reconciler = loop.new_reconciler()
        await loop.run(0.5, tick=0.5)
    assert selected(loop.cluster, "checkout") == ""
    loop.command('{"id": "2", "verb": "retry"}')
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    assert shares(loop.cluster, loop.status["currentRevision"]["hash"])["shop.test"] == 0.25


@pytest.mark.parametrize("writes", range(1, 16))
async def test_wherever_the_controller_dies_its_successor_gives_them_back(writes: int) -> None:
    loop = CrashingLoop()
    await bound(loop, PREVIEWED)
    loop.edit(goes_by(BY_PODS))
    loop.release("shop:2")
    loop.writes_left = writes
    await promoted(loop)
    for name in ("checkout", "preview"):
        assert selected(loop.cluster, name) == ""
    assert loop.status.get("services", []) == []


async def test_a_share_of_the_pods_is_a_share_of_the_requests_from_the_first_release_on(
    loop: ControlLoop,
) -> None:
    """One commit changes the strategy and the image."""
    await bound(loop, BLUE_GREEN)
    loop.edit(goes_by(BY_PODS))
    loop.release("shop:2")
    await loop.until(lambda: (loop.status.get("pause") or {}).get("reason") == "PauseStep")
    hash_ = loop.status["currentRevision"]["hash"]
    assert shares(loop.cluster, hash_)["shop.test"] == 0.25


def sizes(loop: ControlLoop) -> list[int]:
    return sorted(each["spec"]["replicas"] for each in loop.cluster.select(REPLICA_SET, "shop"))


async def released_once(loop: ControlLoop) -> None:
    """Have the canary Service made."""
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(60)


async def test_one_of_ours_that_was_given_back_keeps_no_old_revision(loop: ControlLoop) -> None:
    await released_once(loop)
    loop.edit({"spec": {"strategy": {"canary": {"canaryService": "another"}}}})
    await loop.run(30)
    assert selected(loop.cluster, "checkout-canary") == ""
    loop.release("shop:3")
    await loop.run(100)
    assert loop.status["stableRevision"]["images"] == ["shop:3"]
    assert sizes(loop) == [0, 0, 4]


async def test_one_of_ours_that_was_given_back_keeps_no_canary_that_was_rolled_back(
    loop: ControlLoop,
) -> None:
    await released_once(loop)
    by_pods = {"stableService": None, "trafficRouting": None, "maxUnavailable": 0}
    loop.edit({"spec": {"strategy": {"canary": by_pods}}})
    await loop.run(60)
    loop.release("shop:3")
    await loop.until(lambda: loop.status["weights"]["applied"] == 50)
    loop.monitor.failures = 500
    await loop.run(60)
    assert loop.status["phase"] == "Degraded"
    assert sizes(loop) == [0, 0, 4], "each of its pods would have its share of the requests"


@pytest.mark.parametrize("released", [True, False], ids=["with another image", "as it was"])
async def test_a_rollout_without_its_status_finds_what_it_had_bound(
    loop: ControlLoop, released: bool
) -> None:
    """It comes back from Git, which has taken the router out meanwhile: no status, no owner, no name for it."""
    await bound(loop, CANARY)
    assert selected(loop.cluster, "checkout")
    loop.cluster.drop(KEY.ref)
    image = "shop:2" if released else "shop:1"
    loop.cluster.put(ROLLOUT, rollout([], image, strategy={"canary": BY_PODS}))
    await loop.run(120)
    if released:
        await promoted(loop)
    assert not selected(loop.cluster, "checkout")
    assert endpoints(loop.cluster, "checkout")
    assert loop.status["phase"] == "Healthy"
