"""What people and CI ask for, which revision they mean, and what they are answered."""

import pytest

from rollouts.core.next.commands import HANDLERS
from rollouts.core.plan.actions import NameCommand, SetWeight
from rollouts.core.world import Command
from rollouts.model.route import Split
from rollouts.model.status import PauseCondition
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    Scene,
    at,
    evidence,
    rolled_back,
    settled,
    spec_of,
    told,
    under_way,
)


def waiting() -> Scene:
    """Return a scene that waits for a person at step 2."""
    scene = under_way(25)
    return scene.after(scene.decide())


def answer(scene: Scene) -> tuple[bool, str]:
    handled = scene.decide().status.last_command
    assert handled is not None
    return handled.accepted, handled.message


def test_promote_passes_one_pause() -> None:
    decision = waiting().commanded("promote", by="ann").decide()
    status = decision.status
    assert status.last_command is not None
    assert (status.last_command.accepted, status.last_command.by) == (True, "ann")
    assert (status.last_command.id, status.last_command.revision) == ("id-1", 2)
    assert (status.current_step_index, status.weights.desired, status.pause) == (2, 50, None)
    assert [entry.message for entry in status.history if entry.reason == "Command"] == (
        ["promote by ann: step 2 is passed"]
    )


def test_a_command_counts_once() -> None:
    scene = waiting().commanded("promote")
    scene = scene.after(scene.decide())
    again = scene.decide()
    assert "Command" not in told(again)
    assert (again.status.current_step_index, again.status.promoted) == (2, "")


def test_promote_full_skips_the_steps_and_not_the_criteria() -> None:
    scene = under_way(25, spec_of(successCriteria=CRITERIA)).commanded("promote-full")
    decision = scene.decide()
    assert (decision.status.current_step_index, decision.status.weights.desired) == (3, 100)
    assert answer(scene)[0]
    bad = scene.with_(evidence=evidence("fail")).decide()
    assert bad.status.abort is not None
    assert bad.actions == (SetWeight(Split(0, cut_off=True)),)


def test_promote_ends_a_hold_and_says_so() -> None:
    held = under_way(25, held_by=PauseCondition(reason="Command", at=at(-1)), current_step_index=2)
    assert answer(held.commanded("promote")) == (True, "the rollout goes on")
    spec = spec_of([{"setWeight": 25}])
    assert answer(under_way(25, spec).commanded("promote")) == (
        False,
        "step 1/1; there is no hold to pass",
    )


def test_abort_takes_the_traffic_away_and_names_who_asked() -> None:
    decision = waiting().commanded("abort", by="ann").decide()
    assert decision.actions == (SetWeight(Split(0, cut_off=True)),)
    assert decision.status.abort is not None
    assert (decision.status.abort.by, decision.status.abort.reason) == ("ann", "aborted by ann")
    assert told(decision) == ["RolledBack"]


@pytest.mark.parametrize("held", [True, False])
def test_abort_wins_over_every_hold(held: bool) -> None:
    by = PauseCondition(reason="Command", at=at(-1)) if held else None
    scene = under_way(25, spec_of(paused=not held), held_by=by).commanded("abort")
    assert scene.decide().status.abort is not None


@pytest.mark.parametrize("verb", ["promote", "promote-full", "pause", "resume"])
def test_nothing_but_retry_takes_a_rollback_back(verb: str) -> None:
    scene = rolled_back().commanded(verb, "id-2")
    decision = scene.decide()
    accepted, message = answer(scene)
    assert not accepted
    assert decision.status.abort is not None
    assert decision.status.weights.desired == 0
    if verb.startswith("promote"):
        assert message == "the rollout was rolled back; use retry"


def test_a_failure_wins_over_a_promotion_in_the_same_moment() -> None:
    scene = under_way(25, spec_of(successCriteria=CRITERIA), evidence=evidence("fail"))
    assert scene.commanded("promote").decide().status.abort is not None
    assert scene.commanded("pause").decide().status.abort is not None


def test_abort_of_what_is_stopped_or_was_never_begun() -> None:
    assert answer(rolled_back().commanded("abort", "id-2")) == (
        True,
        "all traffic is at stable already",
    )
    assert answer(settled().commanded("abort")) == (False, "no rollout is under way")


def test_retry_begins_again_at_the_first_step() -> None:
    scene = rolled_back().commanded("retry", "id-2")
    status = scene.decide().status
    assert answer(scene) == (True, "revision 2 (shop:newhash) begins again at step 1")
    assert (status.abort, status.current_step_index, status.started_at) == (None, 0, at(1))
    assert [entry.hash for entry in status.retiring] == ["newhash"], "it may still answer somebody"
    accepted, message = answer(waiting().commanded("retry"))
    assert (accepted, message) == (
        False,
        "the rollout was not rolled back, so there is nothing to retry",
    )


def test_pause_holds_and_resume_lets_go() -> None:
    scene = under_way(25).commanded("pause", by="ann")
    decision = scene.decide()
    assert decision.status.phase == "Paused"
    assert decision.status.held_by is not None
    assert (
        decision.status.message
        == "step 1/3 at 25 %: the release is held by a pause command of ann: `resume` ends it"
    )
    held = scene.after(decision)
    assert answer(held.commanded("pause", "id-2")) == (
        True,
        "the rollout is paused already; resume lets it go on",
    )
    resumed = held.commanded("resume", "id-2").decide().status
    assert (resumed.held_by, resumed.current_step_index) == (None, 1)
    assert answer(waiting().commanded("resume")) == (
        False,
        "no pause command holds the rollout; status.message says what it waits for",
    )
    assert answer(settled().commanded("pause")) == (False, "no rollout is under way")


@pytest.mark.parametrize("verb", [verb for verb in HANDLERS if verb != "resume"])
@pytest.mark.parametrize("revision", ["1", "otherhash", "3"])
def test_a_command_for_another_revision_is_refused(verb: str, revision: str) -> None:
    scene = waiting().commanded(verb, revision=revision)
    decision = scene.decide()
    assert answer(scene) == (
        False,
        (
            f"the command names revision {revision}, and revision 2 (shop:newhash) is the current one;"
            " send it again if it is meant for that one"
        ),
    )
    assert told(decision) == ["CommandRefused"]
    assert (decision.status.abort, decision.status.current_step_index) == (None, 1)
    assert (
        decision.status.message == "step 2/3 at 25 %: waits for a person to promote or abort it"
    ), "it stays readable"


@pytest.mark.parametrize("revision", ["2", NEW, ""])
def test_a_revision_is_named_by_number_or_hash_or_not_at_all(revision: str) -> None:
    assert answer(waiting().commanded("promote", revision=revision))[0]


def test_an_unknown_verb_is_answered_with_those_that_are_known() -> None:
    accepted, message = answer(waiting().commanded("promot"))
    assert not accepted
    assert message == f"unknown verb 'promot'; known are {', '.join(HANDLERS)}"


def test_what_nobody_understands_is_answered_as_such() -> None:
    scene = waiting().with_(command=Command(id="x", verb="?"), bad_command="it is no JSON")
    assert answer(scene) == (False, "it is no JSON")


def test_a_bare_verb_is_named_first_and_carried_out_once() -> None:
    scene = waiting().commanded("promote", id_="")
    decision = scene.decide()
    assert decision.actions == (NameCommand(id="promote-99", verb="promote", revision="2"),)
    assert decision.status.last_command is None
    assert decision.status.current_step_index == 1
    assert scene.decide().actions == decision.actions, "whoever decides again gives the same id"
    named = scene.after(decision).commanded("promote", id_="promote-99")
    decision = named.decide()
    assert NameCommand(id="promote-99", verb="promote", revision="2") not in decision.actions
    assert decision.status.current_step_index == 2


@pytest.mark.parametrize(("verb", "revision"), [("promote-full", "2"), ("abort", "")])
def test_a_bare_verb_promotes_no_release_that_comes_after_it_and_stops_any(
    verb: str, revision: str
) -> None:
    """The next template may come between the two decisions that a bare verb takes."""
    (action,) = waiting().commanded(verb, id_="").decide().actions
    assert action == NameCommand(id=f"{verb}-99", verb=verb, revision=revision)


def test_a_promote_is_not_for_a_template_that_is_seen_with_it_for_the_first_time() -> None:
    """A click and a push of the next version may reach the controller as one change."""
    scene = waiting().with_(template_hash="newest")
    named = scene.commanded("promote-full", id_="").decide()
    assert NameCommand("promote-full-99", "promote-full", "2", before_status=True) in named.actions
    assert named.status.current_revision is not None
    assert named.status.current_revision.number == 3

    decision = scene.commanded("promote-full").decide()
    assert decision.status.promoted == ""
    assert decision.status.last_command is not None
    assert decision.status.last_command.message.startswith(
        "the command was given for revision 2, and revision 3 "
    )


def test_a_promote_with_the_first_sight_of_a_release_is_for_that_release() -> None:
    """Who applies a template to a settled Rollout, and promotes it in the same breath, means it."""
    scene = settled().with_(template_hash="newest")
    (action,) = scene.commanded("promote-full", id_="").decide().actions
    assert action == NameCommand("promote-full-99", "promote-full", "2")
    assert scene.commanded("promote-full").decide().status.promoted == "Full"


def test_a_bare_verb_is_named_also_while_traffic_goes_back() -> None:
    scene = under_way(25, spec_of(successCriteria=CRITERIA), evidence=evidence("fail"))
    assert scene.commanded("promote", id_="").decide().actions == (
        SetWeight(Split(0, cut_off=True)),
        NameCommand(id="promote-99", verb="promote", revision="2"),
    )
