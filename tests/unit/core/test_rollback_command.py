"""`rollback`: which revision it means, and what it is answered when there is none."""

import pytest

from rollouts.core.observed import Command
from tests.simulation.simulator import Behaviour, Simulation
from tests.simulation.starts import healthy


def released(versions: int) -> Simulation:
    """Return a simulation that has promoted so many versions, one after the other."""
    simulation = healthy(1)
    for number in range(2, versions + 1):
        simulation.release(f"app:{number}", Behaviour())
        assert simulation.settle().phase == "Healthy"
    return simulation


@pytest.mark.parametrize("to", ["", "1"])
def test_it_goes_to_the_revision_before_or_to_the_one_that_is_named(to: str) -> None:
    simulation = released(2 if not to else 3)
    first = next(iter(simulation.replica_sets))
    simulation.command = Command(id="back", verb="rollback", to=to, by="me")
    status = simulation.settle()
    assert status.stable_revision is not None
    assert status.stable_revision.hash == first
    assert status.phase == "Degraded"
    assert "rolled back to revision" in status.message
    assert "by me" in status.message


def test_the_template_takes_over_again_when_it_changes() -> None:
    simulation = released(2)
    simulation.command = Command(id="back", verb="rollback")
    simulation.settle()
    newest = simulation.release("app:9", Behaviour())
    status = simulation.settle()
    assert status.phase == "Healthy"
    assert status.pinned is None
    assert simulation.services["app"] == newest


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        ("", "no revision was stable before; no other is kept"),
        ("7", "revision 7 is not there; no other is kept"),
        ("1", "revision 1 is stable already"),
    ],
)
def test_without_such_a_revision_it_is_refused_and_says_what_there_is(to: str, answer: str) -> None:
    simulation = released(1)
    simulation.command = Command(id="back", verb="rollback", to=to)
    status = simulation.settle()
    assert status.last_command is not None
    assert not status.last_command.accepted
    assert status.last_command.message == answer
    assert status.phase == "Healthy"


def test_in_the_middle_of_a_rollout_it_is_abort() -> None:
    simulation = healthy(2)
    simulation.release("app:2", Behaviour())
    simulation.run_until(lambda it: it.route == 25)
    simulation.command = Command(id="back", verb="rollback", by="me")
    simulation.reconcile()
    assert simulation.route == 0
    assert simulation.status.abort is not None


@pytest.mark.parametrize("again", ["", "stable"])
def test_pressed_again_it_goes_no_further_back(again: str) -> None:
    simulation = released(2)
    stable = simulation.services["app"]
    simulation.release("app:bad", Behaviour())
    simulation.run_until(lambda it: it.route == 25)
    for number in (1, 2):
        to = stable if again else ""
        simulation.command = Command(id=f"back-{number}", verb="rollback", to=to)
        simulation.settle()
        assert simulation.status.last_command is not None
        assert simulation.status.last_command.accepted
    assert simulation.services["app"] == stable


def test_after_a_release_it_does_not_go_back_and_forth() -> None:
    simulation = released(3)
    for number in (1, 2):
        simulation.command = Command(id=f"back-{number}", verb="rollback")
        status = simulation.settle()
    assert status.stable_revision is not None
    assert status.stable_revision.images != ["app:3"]
    assert status.last_command is not None
    assert status.last_command.message.startswith("already rolled back")


def test_what_was_never_stable_has_to_take_its_steps() -> None:
    simulation = released(2)
    bad = simulation.release("app:bad", Behaviour())
    simulation.run_until(lambda it: it.route == 25)
    simulation.command = Command(id="stop", verb="abort")
    simulation.settle()
    simulation.command = Command(id="back", verb="rollback", to=bad)
    status = simulation.settle()
    assert status.last_command is not None
    assert not status.last_command.accepted
    assert "was never stable; release it by its template" in status.last_command.message
    assert simulation.services["app"] != bad


def test_a_past_revision_that_the_template_names_is_pinned_by_nothing() -> None:
    simulation = released(3)
    latest = simulation.services["app"]
    simulation.command = Command(id="back", verb="rollback")
    simulation.settle()
    simulation.command = Command(id="forth", verb="rollback", to=latest)
    status = simulation.settle()
    assert simulation.services["app"] == latest
    assert status.pinned is None
    assert status.phase == "Healthy"
