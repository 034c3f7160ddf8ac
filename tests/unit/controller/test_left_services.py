"""A Service that the spec names no longer: it is given back, and never left without endpoints."""

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.model.kinds import HASH_LABEL, JSON, REPLICA_SET, ROLLOUT, SERVICE, Ref
from tests.fakes.kubernetes import Kubernetes, rollout, selected, service, template
from tests.fakes.shop import Shop
from tests.fakes.traffic import endpoints, shares
from tests.unit.controller.test_crashes import FragileShop
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


async def bound(shop: Shop, way: Mapping[str, Any]) -> None:
    """Deploy by a strategy; a preview Service is the user's own."""
    preview = service()
    preview["metadata"]["name"] = "preview"
    shop.cluster.put(SERVICE, preview)
    shop.kubernetes = Watchful(shop.cluster)
    await deployed(shop, way)


async def promoted(shop: Shop) -> None:
    before, number = shop.reasons().count("Promoted"), shop.status["currentRevision"]["number"]
    shop.command(f'{{"id": "full-{number}", "verb": "promote-full"}}')
    await shop.until(lambda: shop.reasons().count("Promoted") > before)
    await shop.run(60)
    assert shop.status["phase"] == "Healthy", shop.status["message"]


@pytest.mark.parametrize(("old", "new", "names"), CHANGES)
@pytest.mark.parametrize("at_once", [True, False], ids=["with a new image", "at rest"])
async def test_it_is_given_back_and_nobodys_request_is_lost(
    shop: Shop, old: JSON, new: JSON, names: list[str], at_once: bool
) -> None:
    await bound(shop, old)
    assert set(names) <= set(shop.status["services"])

    shop.edit(goes_by(new))
    if not at_once:
        await shop.run(10)
        assert shop.status["phase"] == "Healthy"
    shop.release("shop:2")
    await promoted(shop)

    for name in names:
        assert selected(shop.cluster, name) == ""
        assert len(endpoints(shop.cluster, name)) == 4
    assert not set(names) & set(shop.status.get("services") or [])
    assert shop.reasons().count("ServiceGivenBack") == len(names)
    assert shares(shop.cluster, shop.status["stableRevision"]["hash"])["shop.test"] == 1
    assert [each["reason"] for each in shop.status["conditions"]].count("ServiceLeftBehind") == 0
    shop.cluster.writes.clear()
    await shop.run(60)
    assert shop.cluster.writes == []


@pytest.mark.parametrize(("old", "new", "names"), CHANGES)
@pytest.mark.parametrize("verb", ["promote", "abort"])
async def test_in_the_middle_of_a_release_it_is_given_back_when_that_is_over(
    shop: Shop, old: JSON, new: JSON, names: list[str], verb: str
) -> None:
    await bound(shop, old)
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    shop.edit(goes_by(new))
    await shop.run(10)
    assert all(selected(shop.cluster, name) for name in names), "it is held by the old strategy"
    bad = shop.status["currentRevision"]["hash"]

    shop.command(f'{{"id": "1", "verb": "{verb}"}}')
    if verb == "abort":
        await shop.run(60)
        found = shop.cluster.get(Ref(REPLICA_SET, "shop", f"checkout-{bad}"))
        assert found is not None
        assert found["spec"]["replicas"] == 0
    else:
        await shop.run(30)
        await promoted(shop)

    for name in names:
        assert selected(shop.cluster, name) == ""
        assert len(endpoints(shop.cluster, name)) == 4


async def test_the_pods_of_a_canary_that_was_given_up_get_nothing_by_it(shop: Shop) -> None:
    """Without our key it would select them, for as long as they stay."""
    await bound(shop, CANARY)
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    bad = shop.status["currentRevision"]["hash"]
    shop.edit(goes_by(BY_PODS))
    shop.command('{"id": "1", "verb": "abort"}')
    for _ in range(120):
        shop.kubernetes.settle()
        await shop.round()
        if shop.status["weights"].get("applied", 0) == 0:
            assert shares(shop.cluster, bad)["shop.test"] == 0
        shop.clock.move(0.5)
    assert selected(shop.cluster, "checkout") == ""


async def test_one_of_ours_stays_and_is_used_again_when_it_is_named_again(shop: Shop) -> None:
    await bound(shop, CANARY)
    shop.release("shop:2")
    await promoted(shop)
    assert selected(shop.cluster, "checkout-canary") == shop.status["stableRevision"]["hash"]
    shop.edit(goes_by(PREVIEWED))
    shop.release("shop:3")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    await promoted(shop)
    assert selected(shop.cluster, "checkout-canary") == ""
    shop.edit(goes_by(CANARY))
    shop.release("shop:4")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    assert selected(shop.cluster, "checkout-canary") == shop.status["currentRevision"]["hash"]


async def test_a_service_that_is_named_again_is_bound_again(shop: Shop) -> None:
    await bound(shop, CANARY)
    shop.edit(goes_by(OTHER))
    await shop.run(10)
    assert selected(shop.cluster, "checkout") == ""
    shop.edit(goes_by(CANARY))
    await shop.run(10)
    assert selected(shop.cluster, "checkout") == shop.status["stableRevision"]["hash"]
    assert selected(shop.cluster, "other") == ""
    assert "DriftCorrected" not in shop.reasons(), "nobody else has done anything"


async def test_a_service_that_another_rollout_names_by_now_is_left_to_it(shop: Shop) -> None:
    await bound(shop, CANARY)
    stable = shop.status["stableRevision"]["hash"]
    another = rollout([], strategy={"blueGreen": {"activeService": "checkout"}})
    another["metadata"]["name"] = "another"
    shop.cluster.put(ROLLOUT, another)
    shop.edit(goes_by(OTHER))
    await shop.run(10)
    assert selected(shop.cluster, "checkout") == stable
    assert shop.status["services"] == ["other"]


@pytest.mark.parametrize("change", [None, "theirs"], ids=["taken out", "another's"])
async def test_what_somebody_else_has_done_with_it_is_left_as_it_is(
    shop: Shop, change: str | None
) -> None:
    await bound(shop, CANARY)
    if change:
        owner = {"kind": "Rollout", "name": "another", "uid": "another", "controller": True}
        metadata = {
            "namespace": "shop",
            "name": "another-theirs",
            "labels": {HASH_LABEL: change},
            "ownerReferences": [owner],
        }
        spec = {"replicas": 0, "selector": {}, "template": template("shop:1")}
        shop.cluster.put(REPLICA_SET, {"metadata": metadata, "spec": spec})
    shop.edit(goes_by(OTHER))
    shop.kubernetes = Kubernetes(shop.cluster)
    shop.cluster.edit(
        Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {HASH_LABEL: change}}}
    )
    await shop.run(10)
    assert selected(shop.cluster, "checkout") == (change or "")
    assert shop.status["services"] == ["other"]


async def test_one_that_would_select_nothing_without_our_key_stops_releases(shop: Shop) -> None:
    """Without any selector it would keep the addresses of pods that are gone."""
    await bound(shop, CANARY)
    stable = shop.status["stableRevision"]["hash"]
    shop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"app": None}}})
    shop.edit(goes_by(OTHER))
    shop.release("shop:2")
    await shop.run(60)
    assert selected(shop.cluster, "checkout") == stable
    assert "give it a selector of its own" in shop.status["message"]
    shop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {"app": "checkout"}}})
    await shop.run(10)
    assert "ServiceLeftBehind" not in shop.status["message"]


async def test_a_controller_that_comes_later_goes_on(shop: Shop) -> None:
    await bound(shop, CANARY)
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    shop.edit(goes_by(BY_PODS))
    shop.command('{"id": "1", "verb": "abort"}')
    for _ in range(150):
        shop.reconciler = shop.new_reconciler()
        await shop.run(0.5, tick=0.5)
    assert selected(shop.cluster, "checkout") == ""
    shop.command('{"id": "2", "verb": "retry"}')
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    assert shares(shop.cluster, shop.status["currentRevision"]["hash"])["shop.test"] == 0.25


@pytest.mark.parametrize("writes", range(1, 16))
async def test_wherever_the_controller_dies_its_successor_gives_them_back(writes: int) -> None:
    shop = FragileShop()
    await bound(shop, PREVIEWED)
    shop.edit(goes_by(BY_PODS))
    shop.release("shop:2")
    shop.writes_left = writes
    await promoted(shop)
    for name in ("checkout", "preview"):
        assert selected(shop.cluster, name) == ""
    assert shop.status.get("services", []) == []


async def test_a_share_of_the_pods_is_a_share_of_the_requests_from_the_first_release_on(
    shop: Shop,
) -> None:
    """One commit changes the strategy and the image."""
    await bound(shop, BLUE_GREEN)
    shop.edit(goes_by(BY_PODS))
    shop.release("shop:2")
    await shop.until(lambda: (shop.status.get("pause") or {}).get("reason") == "PauseStep")
    hash_ = shop.status["currentRevision"]["hash"]
    assert shares(shop.cluster, hash_)["shop.test"] == 0.25


def sizes(shop: Shop) -> list[int]:
    return sorted(each["spec"]["replicas"] for each in shop.cluster.select(REPLICA_SET, "shop"))


async def released_once(shop: Shop) -> None:
    """Have the canary Service made."""
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(60)


async def test_one_of_ours_that_was_given_back_keeps_no_old_revision(shop: Shop) -> None:
    await released_once(shop)
    shop.edit({"spec": {"strategy": {"canary": {"canaryService": "another"}}}})
    await shop.run(30)
    assert selected(shop.cluster, "checkout-canary") == ""
    shop.release("shop:3")
    await shop.run(100)
    assert shop.status["stableRevision"]["images"] == ["shop:3"]
    assert sizes(shop) == [0, 0, 4]


async def test_one_of_ours_that_was_given_back_keeps_no_canary_that_was_rolled_back(
    shop: Shop,
) -> None:
    await released_once(shop)
    by_pods = {"stableService": None, "trafficRouting": None, "maxUnavailable": 0}
    shop.edit({"spec": {"strategy": {"canary": by_pods}}})
    await shop.run(60)
    shop.release("shop:3")
    await shop.until(lambda: shop.status["weights"]["applied"] == 50)
    shop.eyes.failures = 500
    await shop.run(60)
    assert shop.status["phase"] == "Degraded"
    assert sizes(shop) == [0, 0, 4], "each of its pods would have its share of the requests"
