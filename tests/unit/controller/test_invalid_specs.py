"""A spec that is invalid from the beginning, or becomes so while its release is under way."""

import json

import pytest

from rollouts.model.kinds import EVENT, HASH_LABEL, REPLICA_SET, SERVICE, Ref
from tests.fakes.kubernetes import canary_weight, selected
from tests.fakes.shop import Shop

WRONG = {"spec": {"replicaz": 3}}
COMPLAINT = "spec.replicaz: unknown field; did you mean replicas?"


async def under_way(shop: Shop) -> Shop:
    """Bring a release to 25 %, and then make its spec invalid, with another controller to find it."""
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.edit(WRONG)
    await shop.run(3)
    shop.reconciler = shop.new_reconciler()
    await shop.run(3)
    return shop


def sizes(shop: Shop) -> list[int]:
    found = shop.cluster.select(REPLICA_SET, "shop")
    return sorted(each["spec"]["replicas"] for each in found)


def holding(shop: Shop) -> set[str]:
    return {each["type"] for each in shop.status["conditions"] if each["status"] == "True"}


async def test_an_invalid_spec_is_said_once_and_touches_no_traffic(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.cluster.writes.clear()
    shop.edit({"spec": {"replicaz": 3}})

    await shop.run(60)

    conditions = {each["type"]: each for each in shop.status["conditions"]}
    assert conditions["InvalidSpec"]["status"] == "True"
    assert "spec.replicaz: unknown field; did you mean replicas?" in shop.status["message"]
    assert shop.status["phase"] == "Degraded"
    assert canary_weight(shop.cluster) == 25
    assert len(shop.cluster.writes) <= 3  # status and events
    (said,) = [
        each for each in shop.cluster.select(EVENT, "shop") if each["reason"] == "InvalidSpec"
    ]
    assert (said["type"], said["count"]) == ("Warning", 1)
    assert "spec.replicaz" in said["message"]
    shop.edit({"spec": {"replicaz": None}})
    await shop.until(lambda: "Promoted" in shop.reasons())


@pytest.mark.parametrize("why", ["abort", "rollback", "failures"])
async def test_a_release_whose_spec_became_invalid_can_still_be_rolled_back(
    shop: Shop, why: str
) -> None:
    await under_way(shop)
    if why == "failures":
        shop.eyes.failures = 80
    else:
        shop.command(json.dumps({"id": "1", "verb": why, "by": "me"}))
    await shop.run(3)
    assert canary_weight(shop.cluster) == 0
    assert {"InvalidSpec", "Aborted"} <= holding(shop)
    await shop.run(30)
    rolled_back = shop.status["history"][-1]["message"]
    assert shop.status["message"] == f"{COMPLAINT}; by the last valid spec: {rolled_back}"
    assert canary_weight(shop.cluster) is None
    assert sizes(shop) == [0, 4]
    shop.edit({"spec": {"replicaz": None}})
    await shop.run(3)
    assert shop.status["message"] == shop.status["history"][-1]["message"]
    assert shop.status["history"][-1]["reason"] == "RolledBack"


@pytest.mark.parametrize("verb", ["promote", "promote-full"])
async def test_nothing_is_promoted_while_the_spec_is_invalid(shop: Shop, verb: str) -> None:
    await under_way(shop)
    shop.command(json.dumps({"id": "1", "verb": verb}))
    await shop.run(60)
    answer = shop.status["lastCommand"]
    assert not answer["accepted"]
    assert "spec.replicaz: unknown field; did you mean replicas?" in answer["message"]
    assert canary_weight(shop.cluster) == 25
    shop.edit({"spec": {"replicaz": None}})
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_it_says_what_is_wrong_and_what_goes_on(shop: Shop) -> None:
    await under_way(shop)
    assert shop.status["message"] == (
        "spec.replicaz: unknown field; did you mean replicas?; by the last valid spec: step 2/4 at"
        " 25 %: held until the spec is valid again"
    )
    shop.edit({"spec": {"replicaz": None, "pausd": True}})
    await shop.run(60)
    assert shop.status["message"].startswith("spec.pausd: unknown field; did you mean paused?; by")
    assert shop.status["message"].count("by the last valid spec") == 1


def reasons_of(shop: Shop, *kinds: str) -> set[str]:
    return {each["reason"] for each in shop.status["conditions"] if each["type"] in kinds}


async def test_what_holds_it_is_the_invalid_spec_and_nobody_else(shop: Shop) -> None:
    await under_way(shop)
    assert shop.status["pause"]["reason"] == "InvalidSpec"
    assert reasons_of(shop, "Ready", "Stalled", "InvalidSpec") == {"InvalidSpec"}


@pytest.mark.parametrize("gate", ["a step", "a command"])
async def test_a_gate_that_it_stood_at_holds_it_again_once_the_spec_is_valid(
    shop: Shop, gate: str
) -> None:
    steps = [{"setWeight": 25}, {"pause": {} if gate == "a step" else {"duration": "1h"}}]
    await shop.deployed()
    shop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("currentStepIndex") == 1)
    if gate == "a command":
        shop.command('{"id": "1", "verb": "pause"}')
    await shop.until(lambda: shop.status.get("pause") is not None)
    before = shop.status["pause"]["reason"]

    shop.edit(WRONG)
    await shop.run(3)
    assert shop.status["pause"]["reason"] == "InvalidSpec"
    assert reasons_of(shop, "Ready", "Stalled") == {"InvalidSpec"}
    since = shop.status["pause"]["at"]
    await shop.run(30)
    assert shop.status["pause"]["at"] == since

    shop.edit({"spec": {"replicaz": None}})
    await shop.run(3)
    assert (shop.status["phase"], shop.status["pause"]["reason"]) == ("Paused", before)
    assert canary_weight(shop.cluster) == 25


async def test_a_gate_is_not_the_reason_where_no_valid_spec_is_known(shop: Shop) -> None:
    await shop.deployed()
    steps = [{"setWeight": 25}, {"pause": {}}]
    shop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause") is not None)
    shop.edit({**WRONG, "status": {"specInForce": {"of": "another version"}}})
    await shop.run(3)
    assert reasons_of(shop, "Ready", "Stalled") == {"InvalidSpec"}
    shop.cluster.writes.clear()
    await shop.run(60, tick=5)
    assert shop.cluster.writes == [], "said once"
    shop.edit({"spec": {"replicaz": None}})
    await shop.run(3)
    assert shop.status["pause"]["reason"] == "PauseStep"


async def test_a_release_that_was_rolled_back_says_so_after_what_is_wrong(shop: Shop) -> None:
    await shop.deployed()
    shop.release("shop:2")
    await shop.until(lambda: canary_weight(shop.cluster) == 25)
    shop.command('{"id": "1", "verb": "abort"}')
    await shop.run(30)
    before = shop.status["message"]
    shop.edit(WRONG)
    await shop.run(3)
    assert shop.status["message"] == f"{COMPLAINT}; by the last valid spec: {before}"
    assert reasons_of(shop, "Ready", "Stalled") == {"RolledBack"}
    shop.cluster.writes.clear()
    await shop.run(60, tick=5)
    assert shop.cluster.writes == [], "said once"
    shop.edit({"spec": {"replicaz": None}})
    await shop.run(3)
    assert shop.status["message"] == before


@pytest.mark.parametrize("image", ["shop:3", "shop:1"])
async def test_another_template_begins_nothing_while_the_spec_is_invalid(
    shop: Shop, image: str
) -> None:
    await under_way(shop)
    before = shop.status["currentRevision"]
    shop.release(image)
    await shop.run(60)
    assert shop.status["currentRevision"] == before
    assert canary_weight(shop.cluster) == 25
    shop.edit({"spec": {"replicaz": None}})
    await shop.until(lambda: shop.status["phase"] == "Healthy")
    stable = shop.status["stableRevision"]
    assert stable["images"] == [image]


async def test_at_rest_what_runs_goes_on(shop: Shop) -> None:
    await shop.deployed()
    stable = shop.status["stableRevision"]["hash"]
    shop.edit(WRONG)
    await shop.run(3)
    shop.reconciler = shop.new_reconciler()

    shop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {HASH_LABEL: None}}})
    shop.edit({"spec": {"replicas": 6}})
    await shop.run(10)

    assert selected(shop.cluster, "checkout") == stable, "drift is put back"
    assert sizes(shop) == [6], "an autoscaler is followed"
    assert {"InvalidSpec", "Stalled"} <= holding(shop)
    shop.cluster.writes.clear()
    await shop.run(300, tick=5)
    assert shop.cluster.writes == [], "and that costs nothing"
    shop.edit({"spec": {"replicas": "many"}})
    await shop.run(3)
    assert sizes(shop) == [6], "what is no number changes nothing"


async def test_a_trap_and_an_invalid_spec_are_said_once(shop: Shop) -> None:
    await shop.deployed()
    shop.edit(WRONG)
    await shop.run(3)
    shop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    await shop.run(60)
    shop.cluster.writes.clear()
    await shop.run(300, tick=5)
    assert shop.cluster.writes == []
    assert shop.reasons().count("Blocked") == 1
    assert "Service checkout does not exist" in shop.status["message"]


async def test_a_deleted_replica_set_comes_back_while_the_spec_is_invalid(shop: Shop) -> None:
    await shop.deployed()
    shop.edit(WRONG)
    await shop.run(3)
    (gone,) = shop.cluster.select(REPLICA_SET, "shop")
    shop.cluster.drop(Ref(REPLICA_SET, "shop", gone["metadata"]["name"]))
    await shop.run(3)
    (made,) = shop.cluster.select(REPLICA_SET, "shop")
    assert made["spec"]["template"] == gone["spec"]["template"]


async def test_going_back_to_a_past_revision_works_with_an_invalid_spec(shop: Shop) -> None:
    await shop.deployed()
    first = shop.status["stableRevision"]["hash"]
    shop.release("shop:2")
    await shop.until(lambda: "Promoted" in shop.reasons())
    await shop.run(20)
    shop.edit(WRONG)
    await shop.run(3)
    shop.command('{"id": "1", "verb": "rollback"}')
    await shop.until(lambda: shop.status["stableRevision"]["hash"] == first)
    await shop.run(20)
    assert selected(shop.cluster, "checkout") == first
    shop.edit({"spec": {"replicaz": None}})
    await shop.run(20)
    assert shop.status["stableRevision"]["hash"] == first, "the template is still the other one"


async def test_a_release_that_has_not_begun_its_first_step_is_held_as_well(shop: Shop) -> None:
    await shop.deployed()
    shop.release("broken:2")
    await shop.until(lambda: "0 of 1 canary pods" in shop.status["message"])
    shop.edit(WRONG)
    await shop.run(1000, tick=50)
    assert "Aborted" not in holding(shop), "no deadline runs"
    assert shop.status["message"].endswith("step 1/4 at 0 %: held until the spec is valid again")


async def test_a_spec_that_was_never_valid_begins_nothing(shop: Shop) -> None:
    shop.apply(replicaz=3)
    await shop.run(10)
    assert shop.cluster.select(REPLICA_SET, "shop") == []
    assert "spec.replicaz" in shop.status["message"]
    assert "specInForce" not in shop.status
