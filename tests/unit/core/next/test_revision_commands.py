"""`rollback`: which revision it means, and what it is answered when there is none."""

import pytest

from tests.simulation.kubelets import Behaviour
from tests.simulation.starting_points import healthy
from tests.simulation.story import Story


def released(versions: int) -> Story:
    """Return a story that has promoted so many versions, one after the other."""
    story = healthy(1)
    for number in range(2, versions + 1):
        story.release(f"shop:{number}", Behaviour())
        assert story.settle().phase == "Healthy"
    return story


@pytest.mark.parametrize("to", ["", "1"])
def test_it_goes_to_the_revision_before_or_to_the_one_that_is_named(to: str) -> None:
    story = released(2 if not to else 3)
    first = story.hash_of("shop:1")
    story.command("rollback", "back", to=to, by="me")
    status = story.settle()
    assert status.stable_revision is not None
    assert status.stable_revision.hash == first
    assert status.phase == "Degraded"
    assert "rolled back to revision" in status.message
    assert "by me" in status.message


def test_the_template_takes_over_again_when_it_changes() -> None:
    story = released(2)
    story.command("rollback", "back")
    story.settle()
    newest = story.release("shop:9", Behaviour())
    status = story.settle()
    assert status.phase == "Healthy"
    assert status.pinned is None
    assert story.stable == newest


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        (
            "",
            "there is no earlier stable revision to go back to: release another by its template; no other is kept",
        ),
        ("7", "there is no revision 7; no other is kept"),
        ("1", "revision 1 is stable already"),
    ],
)
def test_without_such_a_revision_it_is_refused_and_says_what_there_is(to: str, answer: str) -> None:
    story = released(1)
    story.command("rollback", "back", to=to)
    status = story.settle()
    assert status.last_command is not None
    assert not status.last_command.accepted
    assert status.last_command.message == answer
    assert status.phase == "Healthy"


def test_in_the_middle_of_a_rollout_it_is_abort() -> None:
    story = healthy(2)
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 25)
    story.command("rollback", "back", by="me")
    story.reconcile()
    assert story.route == 0
    assert story.status.abort is not None


@pytest.mark.parametrize("again", ["", "stable"])
def test_pressed_again_it_goes_no_further_back(again: str) -> None:
    story = released(2)
    stable = story.stable
    story.release("shop:bad", Behaviour())
    story.run_until(lambda it: it.route == 25)
    for number in (1, 2):
        to = stable if again else ""
        story.command("rollback", f"back-{number}", to=to)
        story.settle()
        assert story.status.last_command is not None
        assert story.status.last_command.accepted
    assert story.stable == stable


def test_after_a_release_it_does_not_go_back_and_forth() -> None:
    story = released(3)
    for number in (1, 2):
        story.command("rollback", f"back-{number}")
        status = story.settle()
    assert status.stable_revision is not None
    assert status.stable_revision.images != ["shop:3"]
    assert status.last_command is not None
    assert status.last_command.message.startswith("the rollout was rolled back already")


def test_what_was_never_stable_has_to_take_its_steps() -> None:
    story = released(2)
    bad = story.release("shop:bad", Behaviour())
    story.run_until(lambda it: it.route == 25)
    story.command("abort", "stop")
    story.settle()
    story.command("rollback", "back", to=bad)
    status = story.settle()
    assert status.last_command is not None
    assert not status.last_command.accepted
    assert "was never stable; release it by its template" in status.last_command.message
    assert story.stable != bad


def test_a_past_revision_that_the_template_names_is_pinned_by_nothing() -> None:
    story = released(3)
    latest = story.stable
    story.command("rollback", "back")
    story.settle()
    story.command("rollback", "forth", to=latest)
    status = story.settle()
    assert story.stable == latest
    assert status.pinned is None
    assert status.phase == "Healthy"


def test_a_rollback_while_the_spec_is_paused_waits_and_then_goes_on() -> None:
    story = released(2)
    story.edit({"spec": {"paused": True}})
    story.command("rollback", "back")
    assert story.settle(60).phase == "Paused"
    story.edit({"spec": {"paused": False}})
    story.settle()
    assert story.stable == story.hash_of("shop:1")


def test_a_retry_in_the_middle_of_a_rollback_goes_back_to_a_template_that_is_stable() -> None:
    story = released(2)
    first, second = story.hash_of("shop:1"), story.stable
    story.command("rollback", "back")
    story.run_until(lambda it: it.percent(first) > 0)
    story.command("retry", "again")
    story.run_until(lambda it: it.status.pinned is None)
    assert story.status.last_command is not None
    assert story.status.last_command.message == (
        "the rollout goes back to revision 2 (shop:2), which is the template's, and stable"
    )
    told = story.status.history[-1]
    assert (told.reason, told.message) == (
        "BackToStable",
        f"retry: {story.status.last_command.message}",
    )
    assert story.status.current_step_index is None
    assert [each.hash for each in story.status.retiring] == [first]
    assert story.settle().phase == "Healthy"
    assert story.stable == second


def test_pods_of_a_rollback_that_a_retry_overtakes_end_their_requests() -> None:
    story = released(3)
    second = story.hash_of("shop:2")
    story.release("shop:4", Behaviour())
    story.run_until(lambda it: it.percent(it.hash_of("shop:4")) > 0)
    story.command("rollback", "back", to="2")
    story.run_until(lambda it: it.percent(second) > 0)
    story.command("retry", "again")
    story.run_until(lambda it: it.status.pinned is None)
    assert second in [each.hash for each in story.status.retiring]
    assert story.settle().phase == "Healthy"
    assert story.stable == story.hash_of("shop:4")


def test_a_rollback_to_what_is_on_its_way_by_its_steps_skips_them_and_lets_nothing_go() -> None:
    story = released(2)
    first = story.release("shop:1", Behaviour())
    story.run_until(lambda it: it.percent(first) > 0)
    story.command("rollback", "back", to="3")
    story.run_until(lambda it: it.status.promoted == "Full")
    assert [each.hash for each in story.status.retiring] == []
    assert story.settle().phase == "Healthy"
    assert story.stable == first
