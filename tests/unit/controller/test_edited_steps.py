"""Steps that are edited while a release is among them: an edit never promotes."""

import json
from typing import Any

import pytest

from rollouts.model.kinds import JSON
from tests.fakes.kubernetes import canary_weight
from tests.fakes.shop import Shop

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


def edit_steps(shop: Shop, steps: list[JSON]) -> None:
    shop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})


def promote(shop: Shop, id_: str, step: str | int | None = None) -> None:
    named = {} if step is None else {"step": step}
    shop.command(json.dumps({"id": id_, "verb": "promote", **named}))


async def at_the_second_gate(shop: Shop) -> Shop:
    """Bring a release to its fourth step: 50 %, and a pause."""
    await shop.deployed(strategy=strategy(GATED))
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause") is not None)
    promote(shop, "first")
    await shop.until(lambda: canary_weight(shop.cluster) == 50)
    await shop.run(5)
    assert shop.status["pause"]["reason"] == "PauseStep"
    return shop


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
async def test_no_edit_of_the_steps_passes_a_gate(shop: Shop, steps: list[JSON]) -> None:
    await at_the_second_gate(shop)

    edit_steps(shop, steps)
    await shop.run(120)

    assert canary_weight(shop.cluster) == 50
    assert shop.status["phase"] == "Paused"
    shop.eyes.failures = 80
    await shop.run(3)
    assert "RolledBack" in shop.reasons(), "it is watched as before"


async def test_a_step_that_is_not_there_any_more_holds_until_a_person_chooses(shop: Shop) -> None:
    await at_the_second_gate(shop)

    edit_steps(shop, [{"setWeight": 25}, {"setWeight": 60}, HOLD, {"setWeight": 80}, HOLD])
    await shop.run(10)

    assert shop.status["message"] == (
        "step 4/5 at 50 %: the steps were changed, and pause, which was current, can't be told"
        " apart: promote goes on with step 2/5 (setWeight 60); abort goes back to stable"
    )
    assert shop.status["pause"]["reason"] == "StepsChanged"
    promote(shop, "second")
    await shop.until(lambda: canary_weight(shop.cluster) == 60)
    await shop.run(60)
    assert canary_weight(shop.cluster) == 60
    assert shop.status["message"] == "step 3/5 at 60 %: waits for promotion"
    assert shop.reasons().count("StepsChanged") == 1


async def test_taking_the_edit_back_ends_the_hold(shop: Shop) -> None:
    await at_the_second_gate(shop)
    edit_steps(shop, [])
    await shop.run(5)
    assert shop.status["pause"]["reason"] == "StepsChanged"
    assert "promote goes on with the promotion" in shop.status["message"]

    edit_steps(shop, GATED)
    await shop.run(5)

    assert shop.status["pause"]["reason"] == "PauseStep"
    assert shop.status["step"] == "3/5"
    promote(shop, "second")
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_the_hold_outlives_a_restart_and_a_second_edit(shop: Shop) -> None:
    await at_the_second_gate(shop)
    edit_steps(shop, [{"setWeight": 25}, {"setWeight": 60}])
    await shop.run(5)
    shop.reconciler = shop.new_reconciler()
    edit_steps(shop, [{"setWeight": 99}])
    await shop.run(30)
    assert canary_weight(shop.cluster) == 50
    assert shop.status["pause"]["reason"] == "StepsChanged"
    shop.command('{"id": "2", "verb": "abort"}')
    await shop.run(20)
    assert canary_weight(shop.cluster) is None


async def test_promote_full_skips_changed_steps_too(shop: Shop) -> None:
    await at_the_second_gate(shop)
    edit_steps(shop, [HOLD, {"setWeight": 1}, HOLD, {"setWeight": 2}, HOLD])
    await shop.run(5)
    shop.command('{"id": "2", "verb": "promote-full"}')
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_editing_the_steps_while_it_promotes_changes_nothing(shop: Shop) -> None:
    await at_the_second_gate(shop)
    shop.command('{"id": "2", "verb": "promote-full"}')
    await shop.round()
    edit_steps(shop, [{"setWeight": 1}, HOLD, HOLD, HOLD, HOLD, HOLD, HOLD])
    await shop.until(lambda: "Promoted" in shop.reasons())


async def test_a_weight_that_is_edited_in_place_is_followed_down_and_up(shop: Shop) -> None:
    await shop.deployed(strategy=strategy([{"setWeight": 25}, HOLD]))
    shop.release("broken:2")
    await shop.until(lambda: "0 of 1 canary pods" in shop.status["message"])
    for weight, pods in ((75, 3), (50, 2)):
        edit_steps(shop, [{"setWeight": weight}, HOLD])
        await shop.run(3)
        assert shop.status["weights"]["desired"] == weight
        assert f"step 1/2 at 0 %: 0 of {pods} canary pods are available" in shop.status["message"]


async def test_one_promote_passes_one_gate_however_often_it_is_sent(shop: Shop) -> None:
    await shop.deployed(strategy=strategy(GATED))
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause") is not None)
    for number in range(3):
        promote(shop, f"try-{number}", 2)
        await shop.run(10)
        assert shop.status["lastCommand"]["accepted"]
    assert shop.status["lastCommand"]["message"] == "step 2 is passed already"
    assert shop.status["message"] == "step 4/5 at 50 %: waits for promotion"
    promote(shop, "early", "promotion")
    await shop.run(3)
    assert not shop.status["lastCommand"]["accepted"]
    assert shop.status["lastCommand"]["message"] == (
        "it names the promotion, but step 4/5 is the current one"
    )
    promote(shop, "now", "4")
    await shop.until(lambda: "Promoted" in shop.reasons())


@pytest.mark.parametrize("step", [{}, [], False, True, 0, -1, 2.5, "0", "9" * 5000, "x"])
@pytest.mark.parametrize("named", [True, False])
async def test_a_promote_of_no_step_that_can_be_meant_passes_none(
    shop: Shop, step: Any, named: bool
) -> None:
    await shop.deployed(strategy=strategy(GATED))
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause") is not None)
    before = shop.status["currentStepIndex"]

    said = {"verb": "promote", "step": step, "by": "ann"}
    shop.command(json.dumps({"id": "1", **said} if named else said))
    await shop.run(10)

    answer = shop.status["lastCommand"]
    assert (answer["accepted"], answer["verb"], answer["by"]) == (False, "promote", "ann")
    assert "give its number, as messages count, or promotion" in answer["message"]
    assert answer["id"] == "1" or not named
    assert shop.status["currentStepIndex"] == before


@pytest.mark.parametrize("said", [{"verb": "promote", "step": None}, {"verb": "abort", "step": []}])
async def test_a_step_that_is_null_or_of_another_verb_is_not_looked_at(
    shop: Shop, said: JSON
) -> None:
    await shop.deployed(strategy=strategy(GATED))
    shop.release("shop:2")
    await shop.until(lambda: shop.status.get("pause") is not None)
    shop.command(json.dumps({"id": "1", **said}))
    await shop.run(10)
    assert shop.status["lastCommand"]["accepted"]
