"""Steps that are edited while a release is among them: an edit never promotes."""

import json
from typing import Any

import pytest

from rollouts.model.kinds import JSON
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import canary_weight

HOLD: JSON = {"pause": {}}
GATED: list[JSON] = [{"setWeight": 25}, HOLD, {"setWeight": 50}, HOLD, {"setWeight": 75}]


def strategy(steps: list[JSON]) -> JSON:
    routing = {"nginx": {"stableIngresses": ["checkout"]}}
    delays = {"scaleDownDelaySeconds": 5, "abortScaleDownDelaySeconds": 5}
    return {
        "canary": {
            "stableService": "checkout",
            "trafficRouting": routing,
            "steps": steps,
            **delays,
        }
    }


def edit_steps(loop: ControlLoop, steps: list[JSON]) -> None:
    loop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})


def promote(loop: ControlLoop, id_: str, step: str | int | None = None) -> None:
    named = {} if step is None else {"step": step}
    loop.command(json.dumps({"id": id_, "verb": "promote", **named}))


async def at_the_second_gate(loop: ControlLoop) -> ControlLoop:
    """Bring a release to its fourth step: 50 %, and a pause."""
    await loop.deployed(strategy=strategy(GATED))
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause") is not None)
    promote(loop, "first")
    await loop.until(lambda: canary_weight(loop.cluster) == 50)
    await loop.run(5)
    assert loop.status["pause"]["reason"] == "PauseStep"
    return loop


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([{"setWeight": 25}], id="shortened"),
        pytest.param([], id="all of them removed"),
        pytest.param([{"setWeight": 90}, {"setWeight": 95}, {"setWeight": 99}], id="all others"),
        pytest.param(GATED[2:], id="what is past removed"),
        pytest.param([{"setWeight": 90}, *GATED], id="one put in front"),
        pytest.param([{"setWeight": 90}, HOLD, {"setWeight": 90}, HOLD], id="past weights raised"),
        pytest.param([*GATED[:3], {"setWeight": 75}], id="the gate removed"),
        pytest.param([*GATED[:3], {"analysis": {"duration": "1s"}}], id="the gate replaced"),
    ],
)
async def test_no_edit_of_the_steps_passes_a_gate(loop: ControlLoop, steps: list[JSON]) -> None:
    await at_the_second_gate(loop)

    edit_steps(loop, steps)
    await loop.run(120)

    assert canary_weight(loop.cluster) == 50
    assert loop.status["phase"] == "Paused"
    loop.monitor.failures = 80
    await loop.run(3)
    assert "RolledBack" in loop.reasons(), "it is watched as before"


async def test_a_step_that_is_not_there_any_more_holds_until_a_person_chooses(
    loop: ControlLoop,
) -> None:
    await at_the_second_gate(loop)

    edit_steps(loop, [{"setWeight": 25}, {"setWeight": 60}, HOLD, {"setWeight": 80}, HOLD])
    await loop.run(10)

    assert loop.status["message"] == (
        "step 4/5 at 50 %: the steps were changed, and pause, which was current, can't be told"
        " apart: promote goes on with step 2/5 (setWeight 60); abort goes back to stable"
    )
    assert loop.status["pause"]["reason"] == "StepsChanged"
    promote(loop, "second")
    await loop.until(lambda: canary_weight(loop.cluster) == 60)
    await loop.run(60)
    assert canary_weight(loop.cluster) == 60
    assert loop.status["message"] == "step 3/5 at 60 %: waits for a person to promote or abort it"
    assert loop.reasons().count("StepsChanged") == 1


async def test_taking_the_edit_back_ends_the_hold(loop: ControlLoop) -> None:
    await at_the_second_gate(loop)
    edit_steps(loop, [])
    await loop.run(5)
    assert loop.status["pause"]["reason"] == "StepsChanged"
    assert "promote goes on with the promotion" in loop.status["message"]

    edit_steps(loop, GATED)
    await loop.run(5)

    assert loop.status["pause"]["reason"] == "PauseStep"
    assert loop.status["step"] == "4/5"
    promote(loop, "second")
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_the_hold_outlives_a_restart_and_a_second_edit(loop: ControlLoop) -> None:
    await at_the_second_gate(loop)
    edit_steps(loop, [{"setWeight": 25}, {"setWeight": 60}])
    await loop.run(5)
    loop.reconciler = loop.new_reconciler()
    edit_steps(loop, [{"setWeight": 99}])
    await loop.run(30)
    assert canary_weight(loop.cluster) == 50
    assert loop.status["pause"]["reason"] == "StepsChanged"
    loop.command('{"id": "2", "verb": "abort"}')
    await loop.run(20)
    assert canary_weight(loop.cluster) is None


async def test_promote_full_skips_changed_steps_too(loop: ControlLoop) -> None:
    await at_the_second_gate(loop)
    edit_steps(loop, [HOLD, {"setWeight": 1}, HOLD, {"setWeight": 2}, HOLD])
    await loop.run(5)
    loop.command('{"id": "2", "verb": "promote-full"}')
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_editing_the_steps_while_it_promotes_changes_nothing(loop: ControlLoop) -> None:
    await at_the_second_gate(loop)
    loop.command('{"id": "2", "verb": "promote-full"}')
    await loop.round()
    edit_steps(loop, [{"setWeight": 1}, HOLD, HOLD, HOLD, HOLD, HOLD, HOLD])
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_a_weight_that_is_edited_in_place_is_followed_down_and_up(loop: ControlLoop) -> None:
    await loop.deployed(strategy=strategy([{"setWeight": 25}, HOLD]))
    loop.release("broken:2")
    await loop.until(lambda: "0 of 1 canary pods" in loop.status["message"])
    for weight, pods in ((75, 3), (50, 2)):
        edit_steps(loop, [{"setWeight": weight}, HOLD])
        await loop.run(3)
        assert loop.status["weights"]["desired"] == weight
        assert f"step 1/2 at 0 %: 0 of {pods} canary pods are available" in loop.status["message"]


async def test_one_promote_passes_one_gate_however_often_it_is_sent(loop: ControlLoop) -> None:
    await loop.deployed(strategy=strategy(GATED))
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause") is not None)
    for number in range(3):
        promote(loop, f"try-{number}", 2)
        await loop.run(10)
        assert loop.status["lastCommand"]["accepted"]
    assert loop.status["lastCommand"]["message"] == "step 2 is passed already"
    assert loop.status["message"] == "step 4/5 at 50 %: waits for a person to promote or abort it"
    promote(loop, "early", "promotion")
    await loop.run(3)
    assert not loop.status["lastCommand"]["accepted"]
    assert loop.status["lastCommand"]["message"] == (
        "the command names the promotion, and step 4/5 is the current one; name that, or no step"
    )
    promote(loop, "now", "4")
    await loop.until(lambda: "Promoted" in loop.reasons())


@pytest.mark.parametrize("step", [{}, [], False, True, 0, -1, 2.5, "0", "9" * 5000, "x"])
@pytest.mark.parametrize("named", [True, False])
async def test_a_promote_of_no_step_that_can_be_meant_passes_none(
    loop: ControlLoop, step: Any, named: bool
) -> None:
    await loop.deployed(strategy=strategy(GATED))
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause") is not None)
    before = loop.status["currentStepIndex"]

    said = {"verb": "promote", "step": step, "by": "ann"}
    loop.command(json.dumps({"id": "1", **said} if named else said))
    await loop.run(10)

    answer = loop.status["lastCommand"]
    assert (answer["accepted"], answer["verb"], answer["by"]) == (False, "promote", "ann")
    assert (
        "give its number as messages show it, such as 2 for step 2/6, or promotion"
        in answer["message"]
    )
    assert answer["id"] == "1" or not named
    assert loop.status["currentStepIndex"] == before


@pytest.mark.parametrize("said", [{"verb": "promote", "step": None}, {"verb": "abort", "step": []}])
async def test_a_step_that_is_null_or_of_another_verb_is_not_looked_at(
    loop: ControlLoop, said: JSON
) -> None:
    await loop.deployed(strategy=strategy(GATED))
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause") is not None)
    loop.command(json.dumps({"id": "1", **said}))
    await loop.run(10)
    assert loop.status["lastCommand"]["accepted"]
