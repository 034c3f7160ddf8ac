"""Commands as people and scripts write them, through the reconciler."""

import json
from contextlib import suppress

import pytest

from rollouts.errors import Conflict
from rollouts.ports import Write
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight


async def test_a_bare_verb_gets_an_id_and_counts_once(loop: ControlLoop) -> None:
    await loop.deployed()
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    loop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause", {}).get("reason") == "PauseStep")

    loop.command("promote")
    await loop.until(lambda: loop.status["currentStepIndex"] == 3)
    await loop.run(30)

    assert loop.status["lastCommand"]["accepted"] is True
    assert loop.status["lastCommand"]["by"] == "kubectl"
    assert loop.status["currentStepIndex"] == 3
    command = json.loads(loop.rollout["metadata"]["annotations"]["rollouts.dev/command"])
    assert command["id"] == loop.status["lastCommand"]["id"]


@pytest.mark.parametrize("writes", range(6))
async def test_a_bare_promote_never_names_a_newer_release_whenever_the_controller_dies(
    loop: ControlLoop, writes: int
) -> None:
    """A newer template comes with it, and the controller dies after so many writes."""
    await loop.deployed()
    steps = [{"setWeight": 25}, {"pause": {}}]
    loop.edit({"spec": {"strategy": {"canary": {"steps": steps}}}})
    loop.release("shop:2")
    await loop.until(lambda: loop.status.get("pause", {}).get("reason") == "PauseStep")

    loop.release("shop:3")
    loop.command("promote")
    done: list[Write] = []

    def dies(write: Write) -> Exception | None:
        done.append(write)
        return Conflict("it died") if len(done) > writes else None

    loop.cluster.refuses = dies
    with suppress(Conflict):
        for _ in range(3):
            await loop.reconciler.reconcile(KEY)
    loop.cluster.refuses = lambda _: None
    loop.reconciler = loop.new_reconciler()
    await loop.run(60)

    assert loop.status["lastCommand"]["accepted"] is False
    assert loop.status["currentRevision"]["number"] == 3
    assert loop.status["pause"]["reason"] == "PauseStep"


async def test_a_command_for_another_revision_is_refused(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)

    loop.command(json.dumps({"id": "1", "verb": "abort", "revision": 1, "by": "ci"}))
    await loop.round()

    assert loop.status["lastCommand"]["accepted"] is False
    assert "abort" not in loop.status


async def test_an_abort_needs_no_looks(loop: ControlLoop) -> None:
    await loop.deployed()
    loop.release("shop:2")
    await loop.until(lambda: canary_weight(loop.cluster) == 25)

    loop.command(json.dumps({"id": "7", "verb": "abort", "revision": 2, "by": "mara"}))
    await loop.round()

    assert canary_weight(loop.cluster) == 0
    assert loop.status["abort"]["by"] == "mara"


@pytest.mark.parametrize("text", ["???", "[1]", '{"id": "1"}', "{"])
async def test_a_command_that_nobody_understands_is_put_on_record_once(
    loop: ControlLoop, text: str
) -> None:
    await loop.deployed()
    loop.cluster.writes.clear()
    loop.command(text)

    await loop.run(30)

    assert loop.status["lastCommand"]["accepted"] is False
    assert "CommandRefused" not in loop.reasons(), "history is for decisions"
    assert len(loop.cluster.writes) == 2  # status and event
