"""A promote passes one hold: the one that its sender has seen."""

from typing import Any

import pytest

from rollouts.model.status import PauseCondition, Weights
from tests.unit.core.facts.test_evidence import TELLS, leaning
from tests.unit.core.worlds import CRITERIA, Scene, at, evidence, rolled_back, settled, spec_of
from tests.unit.core.worlds import under_way as canary

GATED: list[Any] = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]


def at_the_gate(**changes: Any) -> Scene:
    """Return a scene at step 2, which waits for a person, with evidence that leans."""
    facts = {
        "current_step_index": 1,
        "step_started_at": at(-40),
        "weights": Weights(desired=25, applied=25, applied_at=at(-60)),
        "evidence": leaning(),
        **changes,
    }
    return canary(25, spec_of(GATED, successCriteria=CRITERIA)).with_(**facts)


def answered(scene: Scene, id_: str, **facts: str) -> tuple[Scene, bool, str]:
    """Return the scene after a promote, and what it was answered."""
    decision = scene.commanded("promote", id_, **facts).decide()
    last = decision.status.last_command
    assert last is not None
    return scene.after(decision), last.accepted, last.message


def test_who_passes_a_gate_twice_does_not_pass_the_evidence_behind_it() -> None:
    scene, accepted, text = answered(at_the_gate(), "1", step="2")
    assert (accepted, text) == (
        True,
        f"step 2 is passed; what holds it next is evidence: errors: {TELLS}",
    )
    scene, accepted, text = answered(scene, "2", step="2")
    assert accepted
    assert text == f"step 2 is passed already; now step 2/4 at 25 %: errors: {TELLS}"
    assert scene.status.weights.desired == 25
    assert scene.status.promoted == "Step"


def test_who_has_seen_the_evidence_passes_it_once() -> None:
    scene = at_the_gate(promoted="Step", leaning_since=at(-5))
    scene, accepted, text = answered(scene, "1", step="2", hold="evidence")
    assert (accepted, text) == (True, "step 2/4 goes on without more evidence")
    assert scene.status.weights.desired == 50
    scene, accepted, text = answered(scene, "2", step="2", hold="evidence")
    assert (accepted, text) == (True, "step 2 is passed already")


def test_evidence_that_has_turned_is_not_waived() -> None:
    scene = at_the_gate(promoted="Step", evidence=evidence(seconds=0))
    _, accepted, text = answered(scene, "1", step="2", hold="evidence")
    assert (accepted, text) == (True, "step 2/4 is no longer held by evidence")


def test_a_pause_command_and_a_gate_are_two_holds() -> None:
    held = at_the_gate(
        evidence=evidence(seconds=0), held_by=PauseCondition(reason="Command", at=at(-5), by="ann")
    )
    _, accepted, text = answered(held, "1", step="2")
    assert (accepted, text) == (
        False,
        "step 2/4 is held by a pause command of ann: resume it",
    )
    after, accepted, text = answered(held, "2")
    assert (accepted, text) == (True, "the rollout goes on")
    assert after.status.promoted == ""
    assert after.status.current_step_index == 1


def test_nobody_passes_what_the_spec_holds() -> None:
    spec = spec_of(GATED, successCriteria=CRITERIA, paused=True)
    _, accepted, text = answered(at_the_gate(spec=spec), "1", step="2")
    assert (accepted, text) == (
        False,
        "spec.paused holds the rollout, and no command ends that; set it to false",
    )


def test_a_step_that_is_no_gate_is_not_passed() -> None:
    scene = at_the_gate(current_step_index=2, weights=Weights(desired=50, applied=25))
    _, accepted, text = answered(scene, "1", step="3")
    assert not accepted
    assert text.startswith("step 3/4 is no pause and no analysis")


def test_who_is_late_is_told_that_it_is_promoted() -> None:
    _, accepted, text = answered(settled(), "1", step="2", revision="1")
    assert (accepted, text) == (True, "revision 1 is promoted already")
    assert not answered(settled(), "2")[1]
    assert not answered(rolled_back(), "3", step="2", revision="2")[1]


@pytest.mark.parametrize("hold", ["x", "step"])
def test_a_hold_that_there_is_not_is_refused(hold: str) -> None:
    _, accepted, text = answered(at_the_gate(), "1", hold=hold)
    assert (accepted, text) == (
        False,
        f"the command names the hold {hold!r}; known are edit, pause, evidence",
    )
