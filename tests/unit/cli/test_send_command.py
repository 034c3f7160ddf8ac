"""Commands that meet: one is waited for, none is lost, and who was overtaken is told by what."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from rollouts.model.kinds import COMMAND_ANNOTATION, JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import hash_of, healthy, progressing, rollout

Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.TURN_SECONDS", 0.05)
    monkeypatch.setattr("rollouts.cli.send_command.ANSWER_SECONDS", 0.3)


def by_ann(verb: str = "promote", **facts: str) -> JSON:
    """Return the command of somebody else."""
    return {"id": "a", "verb": verb, "revision": hash_of(3), "by": "ann", **facts}


def commanded(obj: JSON, command: JSON | str) -> JSON:
    """Put a command into the annotation, as whoever writes last does."""
    text = command if isinstance(command, str) else json.dumps(command)
    obj["metadata"].setdefault("annotations", {})[COMMAND_ANNOTATION] = text
    return obj


def answered(obj: JSON, message: str = "done so", *, accepted: bool = True) -> JSON:
    """Answer the command in the annotation, as the controller does."""
    command = json.loads(obj["metadata"]["annotations"][COMMAND_ANNOTATION])
    told = {key: command.get(key, "") for key in ("id", "verb", "by")}
    obj["status"]["lastCommand"] = {**told, "accepted": accepted, "message": message}
    return obj


def midway(**status: Any) -> JSON:
    """Return a Rollout at step 4 of 7."""
    return rollout(3, {**progressing(3), **status})


def written(cluster: FakeRequests) -> list[JSON]:
    """Return the commands that were written."""
    return [
        json.loads(each["metadata"]["annotations"][COMMAND_ANNOTATION]) for each in cluster.patches
    ]


def paused(reason: str, **status: Any) -> JSON:
    return {"pause": {"reason": reason, "at": "2030-01-01T00:00:00.000Z"}, **status}


@pytest.mark.parametrize(
    ("status", "arguments", "hold"),
    [
        (paused("PauseStep"), [], None),
        ({}, [], None),
        ({"leaningSince": "2030-01-01T00:00:00.000Z"}, [], "evidence"),
        (paused("Inconclusive"), [], "evidence"),
        (paused("MetricsUnavailable"), [], "evidence"),
        (paused("MetricsUnavailable"), ["--step", "4"], None),
        (paused("Command", heldBy={"reason": "Command"}), [], "pause"),
        (paused("StepsChanged"), [], "edit"),
        (paused("StrategyChanged"), [], "edit"),
    ],
)
def test_a_promote_names_what_is_shown_to_hold_it(
    rollouts: Run, cluster: FakeRequests, status: JSON, arguments: list[str], hold: str | None
) -> None:
    cluster.add("Rollout", midway(**status))
    cluster.on_patch = answered
    assert rollouts("promote", "checkout", *arguments).code == 0
    assert written(cluster)[0].get("hold") == hold


@pytest.mark.parametrize(
    ("status", "arguments", "step"),
    [
        (progressing(3), [], "4"),
        ({**progressing(3), "currentStepIndex": 7, "step": "7/7"}, [], "promotion"),
        (progressing(3), ["--step", "2"], "2"),
        (progressing(3), ["--step", "promotion", "--revision", "3"], "promotion"),
        (progressing(3), ["--full"], None),
        (healthy(3), [], None),
    ],
)
def test_a_promote_names_the_step_that_it_passes(
    rollouts: Run, cluster: FakeRequests, status: JSON, arguments: list[str], step: str | None
) -> None:
    cluster.add("Rollout", rollout(3, status))
    cluster.on_patch = answered
    assert rollouts("promote", "checkout", *arguments).code == 0
    assert written(cluster)[0].get("step") == step


@pytest.mark.parametrize("arguments", [["--step", "0"], ["--step", "x"], ["--step", "2", "--full"]])
def test_a_step_that_is_none_is_wrong_usage(
    rollouts: Run, cluster: FakeRequests, arguments: list[str]
) -> None:
    cluster.add("Rollout", midway())
    ran = rollouts("promote", "checkout", *arguments)
    assert ran.code == 2
    assert not cluster.patches


def test_a_command_that_is_not_answered_yet_has_its_turn_first(
    rollouts: Run, cluster: FakeRequests
) -> None:
    """And this one still names the step that was current when it was given."""
    cluster.add("Rollout", commanded(midway(), by_ann(step="4")))
    passed = answered(commanded(midway(currentStepIndex=4), by_ann(step="4")))
    cluster.script = [copy.deepcopy(passed)]

    def answer(obj: JSON) -> None:
        assert obj["status"]["lastCommand"]["id"] == "a", "ann's was answered before"
        answered(obj, "step 4 is passed already")

    cluster.on_patch = answer
    ran = rollouts("promote", "checkout")
    assert (ran.code, ran.out) == (0, "checkout: promote: step 4 is passed already\n")
    assert [each["step"] for each in written(cluster)] == ["4"]


@pytest.mark.parametrize("standing", [by_ann(), "promote"])
def test_what_nobody_answers_is_not_waited_for_for_long(
    rollouts: Run, cluster: FakeRequests, standing: JSON | str
) -> None:
    cluster.add("Rollout", commanded(midway(), standing))
    cluster.on_patch = answered
    assert rollouts("pause", "checkout").code == 0
    assert [each["verb"] for each in written(cluster)] == ["pause"]


@pytest.mark.parametrize("standing", ["what?", "[1]", "{"])
def test_what_can_t_be_read_is_not_waited_for(
    rollouts: Run, cluster: FakeRequests, standing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.TURN_SECONDS", 3600.0)
    cluster.add("Rollout", commanded(midway(), standing))
    cluster.on_patch = answered
    assert rollouts("pause", "checkout").code == 0


def test_a_write_that_meets_another_is_made_again(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", midway())
    cluster.on_patch = answered
    cluster.conflicts = 3
    assert rollouts("promote", "checkout").code == 0
    (patch,) = cluster.patches
    assert patch["metadata"]["resourceVersion"] == "1", "bound to what was read"
    cluster.conflicts = 99
    ran = rollouts("promote", "checkout")
    assert ran.code == 1
    assert "somebody wrote first" in ran.err


def overtaking(other: JSON, message: str, *, accepted: bool) -> Callable[[JSON], None]:
    """Somebody writes over the command before the controller sees it, and is answered."""

    def act(obj: JSON) -> None:
        answered(commanded(obj, other), message, accepted=accepted)

    return act


@pytest.mark.parametrize("revision", [hash_of(3), "3"])
def test_who_was_overtaken_by_the_same_wish_has_it(
    rollouts: Run, cluster: FakeRequests, revision: str
) -> None:
    cluster.add("Rollout", midway())
    same = by_ann(step="4") | {"revision": revision}
    cluster.on_patch = overtaking(same, "step 4 is passed", accepted=True)
    ran = rollouts("promote", "checkout")
    assert ran.code == 0
    assert ran.out == (
        "checkout: promote was overtaken by promote of ann, which was accepted: step 4 is passed\n"
    )


@pytest.mark.parametrize(
    ("other", "accepted"),
    [
        (by_ann(step="4"), False),
        (by_ann(step="5"), True),
        (by_ann(step="4", hold="evidence"), True),
        (by_ann(), True),
        (by_ann("pause"), True),
        (by_ann("promote", step="4") | {"revision": "2"}, True),
    ],
)
def test_who_was_overtaken_by_another_wish_is_to_call_again(
    rollouts: Run, cluster: FakeRequests, other: JSON, accepted: bool
) -> None:
    cluster.add("Rollout", midway())
    cluster.on_patch = overtaking(other, "so be it", accepted=accepted)
    ran = rollouts("promote", "checkout")
    assert ran.code == 1
    became = "accepted" if accepted else "refused"
    assert f"overtaken by {other['verb']} of ann, which was {became}: so be it" in ran.err
    assert "send it again" in ran.err


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (by_ann("pause"), "was overtaken by pause of ann, which is not answered yet"),
        (by_ann(step="4"), "was overtaken by promote of ann, which is not answered yet"),
        ("pause", "was overtaken by pause, which is not answered yet"),
        ("", "was taken out of the annotation by somebody before it was answered"),
        ("what?", "was taken out of the annotation by somebody before it was answered"),
    ],
)
def test_who_was_overtaken_while_no_controller_runs_is_to_call_again(
    rollouts: Run, cluster: FakeRequests, other: JSON | str, words: str
) -> None:
    """What is not there any more is not obeyed when one runs again."""
    cluster.add("Rollout", midway())
    cluster.on_patch = lambda obj: commanded(obj, other)
    ran = rollouts("promote", "checkout")
    assert (ran.code, ran.out) == (1, "")
    assert f"checkout: promote {words}; send it again if it is still wanted" in ran.err
    assert "is carried" not in ran.err


def test_a_command_that_still_stands_is_obeyed_when_a_controller_runs(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", midway())
    ran = rollouts("promote", "checkout")
    assert ran.code == 1
    assert "The command is written, and is carried out when one runs" in ran.err


def test_it_waits_for_what_becomes_of_a_bare_verb(rollouts: Run, cluster: FakeRequests) -> None:
    """As kubectl writes one: the controller gives it an id first."""
    cluster.add("Rollout", midway())
    cluster.on_patch = lambda obj: commanded(obj, "pause")
    named = commanded(midway(), by_ann("pause", by="kubectl"))
    cluster.script = [copy.deepcopy(named), answered(copy.deepcopy(named), "held")]
    ran = rollouts("promote", "checkout")
    assert ran.code == 1
    assert "overtaken by pause of kubectl, which was accepted: held" in ran.err


def test_an_abort_waits_for_nobody(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.TURN_SECONDS", 3600.0)
    cluster.add("Rollout", commanded(midway(), by_ann()))
    cluster.on_patch = answered
    assert rollouts("abort", "checkout").code == 0
    (patch,) = cluster.patches
    assert "resourceVersion" not in patch["metadata"], "nothing can be in its way"


@pytest.mark.parametrize("seen", [True, False])
def test_an_abort_that_was_written_over_is_written_again(
    rollouts: Run, cluster: FakeRequests, seen: bool
) -> None:
    cluster.add("Rollout", midway())

    def act(obj: JSON) -> None:
        if len(cluster.patches) > 1:
            answered(obj, "traffic goes back to stable")
        elif seen:
            answered(commanded(obj, by_ann()), "step 4 is passed")
        else:
            commanded(obj, by_ann())

    cluster.on_patch = act
    again = [cluster.objects["Rollout"][0]] * 2

    async def watch(ref: Any) -> Any:
        for _ in again:
            yield copy.deepcopy(cluster.find(ref))

    cluster.watch = watch  # type: ignore[method-assign]
    ran = rollouts("abort", "checkout")
    assert (ran.code, ran.out) == (0, "checkout: abort: traffic goes back to stable\n")
    first, second = written(cluster)
    assert first == second


def test_an_abort_that_was_overtaken_by_an_abort_is_done(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", midway())
    cluster.on_patch = overtaking(by_ann("abort"), "traffic goes back to stable", accepted=True)
    ran = rollouts("abort", "checkout")
    assert ran.code == 0
    assert "overtaken by abort of ann, which was accepted" in ran.out
    assert len(cluster.patches) == 1
