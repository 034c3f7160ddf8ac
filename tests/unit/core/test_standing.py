"""What was gone back from takes its steps again: rollbackWindow trusts what was left in good standing."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from rollouts.core.observed import Command
from rollouts.model.status import RolloutStatus
from tests.simulation.simulator import Behaviour, Simulation
from tests.simulation.starts import blue_green, by_replicas, healthy

Sim = TypeVar("Sim", bound=Simulation)
WINDOW = {"revisions": 3}


def released(simulation: Sim, *images: str) -> Sim:
    """Return the simulation when these versions were promoted, one after the other."""
    for image in images:
        simulation.release(image, Behaviour())
        assert simulation.settle().phase == "Healthy", "\n".join(simulation.log)
    return simulation


def commanded(simulation: Sim, verb: str, to: str = "") -> Sim:
    simulation.command = Command(id=f"{verb}-{simulation.now}", verb=verb, to=to)
    simulation.settle()
    return simulation


def skips(simulation: Simulation, image: str) -> bool:
    """Release an image, and say whether it goes without steps."""
    simulation.release(image, Behaviour())
    simulation.settle()
    began = [each for each in simulation.status.history if each.reason == "RolloutStarted"]
    return "without steps" in began[-1].message


@pytest.mark.parametrize("start", [healthy, by_replicas, blue_green])
def test_what_was_replaced_by_something_newer_skips_its_steps(
    start: Callable[..., Simulation],
) -> None:
    simulation = released(start(1, rollbackWindow=WINDOW), "app:2", "app:3")
    assert skips(simulation, "app:2")


@pytest.mark.parametrize("start", [healthy, by_replicas, blue_green])
def test_what_a_command_went_back_from_takes_its_steps(start: Callable[..., Simulation]) -> None:
    simulation = released(start(2, rollbackWindow=WINDOW), "app:bad")
    commanded(simulation, "rollback")
    released(simulation, "app:3")
    assert not skips(simulation, "app:bad")


@pytest.mark.parametrize("window", [WINDOW, None])
def test_what_its_template_went_back_from_takes_its_steps(window: dict[str, int] | None) -> None:
    """With steps or without: v1, v2, v1 again says that v2 was not to be kept."""
    simulation = released(healthy(3, rollbackWindow=window), "app:bad", "app:1")
    simulation.raw_spec["rollbackWindow"] = WINDOW
    assert not skips(simulation, "app:bad")


def test_the_one_that_it_was_gone_back_to_stays_in_good_standing() -> None:
    simulation = released(by_replicas(4, rollbackWindow=WINDOW), "app:2", "app:1", "app:2")
    assert skips(simulation, "app:1")


def test_it_is_in_good_standing_again_when_it_took_all_steps_and_was_replaced() -> None:
    simulation = released(by_replicas(5, rollbackWindow=WINDOW), "app:2", "app:1")
    released(simulation, "app:2", "app:3")
    assert skips(simulation, "app:2")


@pytest.mark.parametrize("verb", ["rollback", "promote-full"])
def test_it_is_not_when_a_person_took_it_past_its_steps(verb: str) -> None:
    simulation = released(by_replicas(6, rollbackWindow=WINDOW), "app:2", "app:1")
    bad = next(each.hash for each in simulation.status.past)
    if verb == "promote-full":
        simulation.release("app:2", Behaviour())
        simulation.reconcile()
    commanded(simulation, verb, bad if verb == "rollback" else "")
    assert simulation.status.stable_revision is not None
    assert simulation.status.stable_revision.hash == bad
    released(simulation, "app:3")
    assert not skips(simulation, "app:2")


def test_a_way_back_that_a_newer_template_cut_short_counts_too() -> None:
    simulation = released(by_replicas(7, rollbackWindow=WINDOW), "app:bad")
    simulation.release("app:1", Behaviour())
    simulation.reconcile()
    simulation.tick(1)
    released(simulation, "app:3")
    assert not skips(simulation, "app:bad")


def test_what_failed_after_the_switch_was_stable_for_a_moment_only() -> None:
    simulation = blue_green(8, rollbackWindow=WINDOW, strategy={"scaleDownDelaySeconds": 300})
    bad = simulation.release("app:bad", Behaviour())
    simulation.run_until(lambda it: it.status.previous_revision is not None)
    commanded(simulation, "abort")
    assert [(each.hash, each.gone_back_from) for each in simulation.status.past] == [(bad, True)]
    released(simulation, "app:3")
    assert not skips(simulation, "app:bad")


def test_rollback_goes_to_the_latest_in_good_standing_and_to_another_by_name() -> None:
    simulation = released(healthy(9), "app:2", "app:bad", "app:2")
    bad = simulation.status.past[0].hash
    first = simulation.status.past[1].hash
    commanded(simulation, "rollback", bad)
    assert simulation.services["app"] == bad
    released(simulation, "app:4")
    commanded(simulation, "rollback")
    assert simulation.services["app"] == first


def test_rollback_without_a_name_is_refused_when_all_were_gone_back_from() -> None:
    simulation = released(healthy(10), "app:bad", "app:1")
    commanded(simulation, "rollback")
    last = simulation.status.last_command
    assert last is not None
    assert not last.accepted
    assert "gone back from" in last.message
    assert str(simulation.status.past[0].number) in last.message


def test_a_status_from_before_the_mark_is_of_revisions_in_good_standing() -> None:
    simulation = released(healthy(11, rollbackWindow=WINDOW), "app:2", "app:1")
    old = simulation.status.model_dump(mode="json", by_alias=True)
    for each in old["past"]:
        del each["goneBackFrom"]
    simulation.status = RolloutStatus.model_validate(old)
    assert skips(simulation, "app:2")
