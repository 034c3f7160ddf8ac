"""A spec that is invalid from the beginning, or becomes so while its release is under way."""

import json
from traceback import walk_tb

import pytest

from rollouts.errors import InvalidSpec
from rollouts.model.kinds import EVENT, HASH_LABEL, REPLICA_SET, SERVICE, Ref
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight, selected

WRONG = {"spec": {"replicaz": 3}}
ERROR = "spec.replicaz: unknown field; did you mean replicas?"


async def under_way(loop: ControlLoop) -> ControlLoop:
    """Bring a release to 25 %, and then make its spec invalid, with another controller to find it."""
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.edit(WRONG)
    await loop.run(3)
    loop.reconciler = loop.new_reconciler()
    await loop.run(3)
    return loop


def sizes(loop: ControlLoop) -> list[int]:
    found = loop.cluster.select(REPLICA_SET, "shop")
    return sorted(each["spec"]["replicas"] for each in found)


def holding(loop: ControlLoop) -> set[str]:
    return {each["type"] for each in loop.status["conditions"] if each["status"] == "True"}


async def test_an_invalid_spec_is_said_once_and_touches_no_traffic(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.cluster.writes.clear()
    loop.edit({"spec": {"replicaz": 3}})

    await loop.run(60)

    conditions = {each["type"]: each for each in loop.status["conditions"]}
    assert conditions["InvalidSpec"]["status"] == "True"
    assert "spec.replicaz: unknown field; did you mean replicas?" in loop.status["message"]
    assert loop.status["phase"] == "Degraded"
    assert canary_weight(loop.cluster) == 25
    assert len(loop.cluster.writes) <= 3  # status and events
    (said,) = [
        each for each in loop.cluster.select(EVENT, "shop") if each["reason"] == "InvalidSpec"
    ]
    assert (said["type"], said["count"]) == ("Warning", 1)
    assert "spec.replicaz" in said["message"]
    loop.edit({"spec": {"replicaz": None}})
    await loop.until(lambda: "Promoted" in loop.reasons())


@pytest.mark.parametrize("why", ["abort", "rollback", "failures"])
async def test_a_release_whose_spec_became_invalid_can_still_be_rolled_back(
    loop: ControlLoop, why: str
) -> None:
    await under_way(loop)
    if why == "failures":
        loop.monitor.failures = 80
    else:
        loop.command(json.dumps({"id": "1", "verb": why, "by": "me"}))
    await loop.run(3)
    assert canary_weight(loop.cluster) == 0
    assert {"InvalidSpec", "Aborted"} <= holding(loop)
    await loop.run(30)
    rolled_back = loop.status["history"][-1]["message"]
    assert loop.status["message"] == f"{ERROR}; by the last valid spec: {rolled_back}"
    assert canary_weight(loop.cluster) is None
    assert sizes(loop) == [0, 4]
    loop.edit({"spec": {"replicaz": None}})
    await loop.run(3)
    assert loop.status["message"] == loop.status["history"][-1]["message"]
    assert loop.status["history"][-1]["reason"] == "RolledBack"


@pytest.mark.parametrize("verb", ["promote", "promote-full"])
async def test_nothing_is_promoted_while_the_spec_is_invalid(loop: ControlLoop, verb: str) -> None:
    await under_way(loop)
    loop.command(json.dumps({"id": "1", "verb": verb}))
    await loop.run(60)
    answer = loop.status["lastCommand"]
    assert not answer["accepted"]
    assert "spec.replicaz: unknown field; did you mean replicas?" in answer["message"]
    assert canary_weight(loop.cluster) == 25
    loop.edit({"spec": {"replicaz": None}})
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_it_says_what_is_wrong_and_what_goes_on(loop: ControlLoop) -> None:
    await under_way(loop)
    assert loop.status["message"] == (
        "spec.replicaz: unknown field; did you mean replicas?; by the last valid spec: step 2/4 at"
        " 25 %: the release is held until the spec is valid again"
    )
    loop.edit({"spec": {"replicaz": None, "pausd": True}})
    await loop.run(60)
    assert loop.status["message"].startswith("spec.pausd: unknown field; did you mean paused?; by")
    assert loop.status["message"].count("by the last valid spec") == 1


def reasons_of(loop: ControlLoop, *kinds: str) -> set[str]:
    return {each["reason"] for each in loop.status["conditions"] if each["type"] in kinds}


async def test_what_holds_it_is_the_invalid_spec_and_nobody_else(loop: ControlLoop) -> None:
    await under_way(loop)
    assert loop.status["pause"]["reason"] == "InvalidSpec"
    assert reasons_of(loop, "Ready", "Stalled", "InvalidSpec") == {"InvalidSpec"}


@pytest.mark.parametrize("gate", ["a step", "a command"])
async def test_a_gate_that_it_stood_at_holds_it_again_once_the_spec_is_valid(
    loop: ControlLoop, gate: str
) -> None:
    steps = [{"setWeight": 25}, {"pause": {} if gate == "a step" else {"duration": "1h"}}]
    await loop.deployed()
    loop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("currentStepIndex") == 1)
    if gate == "a command":
        loop.command('{"id": "1", "verb": "pause"}')
    await loop.until(lambda: loop.status.get("pause") is not None)
    before = loop.status["pause"]["reason"]

    loop.edit(WRONG)
    await loop.run(3)
    assert loop.status["pause"]["reason"] == "InvalidSpec"
    assert reasons_of(loop, "Ready", "Stalled") == {"InvalidSpec"}
    since = loop.status["pause"]["at"]
    await loop.run(30)
    assert loop.status["pause"]["at"] == since

    loop.edit({"spec": {"replicaz": None}})
    await loop.run(3)
    assert (loop.status["phase"], loop.status["pause"]["reason"]) == ("Paused", before)
    assert canary_weight(loop.cluster) == 25


async def test_a_gate_is_not_the_reason_where_no_valid_spec_is_known(loop: ControlLoop) -> None:
    await loop.deployed()
    steps = [{"setWeight": 25}, {"pause": {}}]
    loop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause") is not None)
    loop.edit({**WRONG, "status": {"effectiveSpec": {"of": "another version"}}})
    await loop.run(3)
    assert reasons_of(loop, "Ready", "Stalled") == {"InvalidSpec"}
    loop.cluster.writes.clear()
    await loop.run(60, tick=5)
    assert loop.cluster.writes == [], "said once"
    loop.edit({"spec": {"replicaz": None}})
    await loop.run(3)
    assert loop.status["pause"]["reason"] == "PauseStep"


async def test_a_release_that_was_rolled_back_says_so_after_what_is_wrong(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)
    loop.command('{"id": "1", "verb": "abort"}')
    await loop.run(30)
    before = loop.status["message"]
    loop.edit(WRONG)
    await loop.run(3)
    assert loop.status["message"] == f"{ERROR}; by the last valid spec: {before}"
    assert reasons_of(loop, "Ready", "Stalled") == {"RolledBack"}
    loop.cluster.writes.clear()
    await loop.run(60, tick=5)
    assert loop.cluster.writes == [], "said once"
    loop.edit({"spec": {"replicaz": None}})
    await loop.run(3)
    assert loop.status["message"] == before


@pytest.mark.parametrize("image", ["shop:3", "shop:1"])
async def test_another_template_begins_nothing_while_the_spec_is_invalid(
    loop: ControlLoop, image: str
) -> None:
    await under_way(loop)
    before = loop.status["currentRevision"]
    loop.release(image)
    await loop.run(60)
    assert loop.status["currentRevision"] == before
    assert canary_weight(loop.cluster) == 25
    loop.edit({"spec": {"replicaz": None}})
    await loop.until(lambda: loop.status["phase"] == "Healthy")
    stable = loop.status["stableRevision"]
    assert stable["images"] == [image]


async def test_when_settled_what_runs_goes_on(loop: ControlLoop) -> None:
    await loop.deployed()
    stable = loop.status["stableRevision"]["hash"]
    loop.edit(WRONG)
    await loop.run(3)
    loop.reconciler = loop.new_reconciler()

    loop.cluster.edit(Ref(SERVICE, "shop", "checkout"), {"spec": {"selector": {HASH_LABEL: None}}})
    loop.edit({"spec": {"replicas": 6}})
    await loop.run(10)

    assert selected(loop.cluster, "checkout") == stable, "drift is put back"
    assert sizes(loop) == [6], "an autoscaler is followed"
    assert {"InvalidSpec", "Stalled"} <= holding(loop)
    loop.cluster.writes.clear()
    await loop.run(300, tick=5)
    assert loop.cluster.writes == [], "and that costs nothing"
    loop.edit({"spec": {"replicas": "many"}})
    await loop.run(3)
    assert sizes(loop) == [6], "what is no number changes nothing"


async def test_a_finding_and_an_invalid_spec_are_said_once(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.edit(WRONG)
    await loop.run(3)
    loop.cluster.drop(Ref(SERVICE, "shop", "checkout"))
    await loop.run(60)
    loop.cluster.writes.clear()
    await loop.run(300, tick=5)
    assert loop.cluster.writes == []
    assert loop.reasons().count("Blocked") == 1
    assert "Service checkout does not exist" in loop.status["message"]


async def test_a_deleted_replica_set_comes_back_while_the_spec_is_invalid(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.edit(WRONG)
    await loop.run(3)
    (gone,) = loop.cluster.select(REPLICA_SET, "shop")
    loop.cluster.drop(Ref(REPLICA_SET, "shop", gone["metadata"]["name"]))
    await loop.run(3)
    (made,) = loop.cluster.select(REPLICA_SET, "shop")
    assert made["spec"]["template"] == gone["spec"]["template"]


async def test_going_back_to_a_past_revision_works_with_an_invalid_spec(loop: ControlLoop) -> None:
    await loop.deployed()
    first = loop.status["stableRevision"]["hash"]
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons())
    await loop.run(20)
    loop.edit(WRONG)
    await loop.run(3)
    loop.command('{"id": "1", "verb": "rollback"}')
    await loop.until(lambda: loop.status["stableRevision"]["hash"] == first)
    await loop.run(20)
    assert selected(loop.cluster, "checkout") == first
    loop.edit({"spec": {"replicaz": None}})
    await loop.run(20)
    assert loop.status["stableRevision"]["hash"] == first, "the template is still the other one"


async def test_a_release_that_has_not_begun_its_first_step_is_held_as_well(
    loop: ControlLoop,
) -> None:
    await loop.deployed()
    loop.release("broken:2")
    await loop.until(lambda: "0 of 1 canary pods" in loop.status["message"])
    loop.edit(WRONG)
    await loop.run(1000, tick=50)
    assert "Aborted" not in holding(loop), "no deadline runs"
    assert loop.status["message"].endswith(
        "step 1/4 at 0 %: the release is held until the spec is valid again"
    )


async def test_a_spec_that_was_never_valid_begins_nothing(loop: ControlLoop) -> None:
    loop.apply(replicaz=3)
    await loop.run(10)
    assert loop.cluster.select(REPLICA_SET, "shop") == []
    assert "spec.replicaz" in loop.status["message"]
    assert "effectiveSpec" not in loop.status


async def test_an_invalid_spec_that_is_looked_at_again_and_again_holds_no_more_in_memory(
    loop: ControlLoop,
) -> None:
    loop.apply(replicaz=3)
    await loop.reconciler.reconcile(KEY)
    before = frames_held(loop)
    for _ in range(20):
        await loop.reconciler.reconcile(KEY)
    assert frames_held(loop) == before


def frames_held(loop: ControlLoop) -> int:
    """Return how many frames the remembered error keeps, with all that is in them."""
    error = loop.reconciler.parse_cache.spec(loop.rollout).spec
    assert isinstance(error, InvalidSpec)
    return len(list(walk_tb(error.__traceback__)))
