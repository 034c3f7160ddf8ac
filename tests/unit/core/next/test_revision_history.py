"""What was gone back from takes its steps again: rollbackWindow trusts what was left in good standing."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.simulation.kubelets import Behaviour
from tests.simulation.starting_points import blue_green, by_replicas, healthy
from tests.simulation.story import Story

Sim = TypeVar("Sim", bound=Story)
WINDOW = {"revisions": 3}


def released(story: Sim, *images: str) -> Sim:
    """Return the story when these versions were promoted, one after the other."""
    for image in images:
        story.release(image, Behaviour())
        assert story.settle().phase == "Healthy", "\n".join(story.log)
    return story


def commanded(story: Sim, verb: str, to: str = "") -> Sim:
    story.command(verb, f"{verb}-{story.now}", to=to)
    story.settle()
    return story


def skips(story: Story, image: str) -> bool:
    """Release an image, and say whether it goes without steps."""
    story.release(image, Behaviour())
    story.settle()
    began = [each for each in story.status.history if each.reason == "RolloutStarted"]
    return "without steps" in began[-1].message


@pytest.mark.parametrize("start", [healthy, by_replicas, blue_green])
def test_what_was_replaced_by_something_newer_skips_its_steps(
    start: Callable[..., Story],
) -> None:
    story = released(start(1, rollbackWindow=WINDOW), "shop:2", "shop:3")
    assert skips(story, "shop:2")


@pytest.mark.parametrize("start", [healthy, by_replicas, blue_green])
def test_what_a_command_went_back_from_takes_its_steps(start: Callable[..., Story]) -> None:
    story = released(start(2, rollbackWindow=WINDOW), "shop:bad")
    commanded(story, "rollback")
    released(story, "shop:3")
    assert not skips(story, "shop:bad")


@pytest.mark.parametrize("window", [WINDOW, None])
def test_what_its_template_went_back_from_takes_its_steps(window: dict[str, int] | None) -> None:
    """With steps or without: v1, v2, v1 again says that v2 was not to be kept."""
    story = released(healthy(3, rollbackWindow=window), "shop:bad", "shop:1")
    story.edit({"spec": {"rollbackWindow": WINDOW}})
    assert not skips(story, "shop:bad")


def test_the_one_that_it_was_gone_back_to_stays_in_good_standing() -> None:
    story = released(by_replicas(4, rollbackWindow=WINDOW), "shop:2", "shop:1", "shop:2")
    assert skips(story, "shop:1")


def test_it_is_in_good_standing_again_when_it_took_all_steps_and_was_replaced() -> None:
    story = released(by_replicas(5, rollbackWindow=WINDOW), "shop:2", "shop:1")
    released(story, "shop:2", "shop:3")
    assert skips(story, "shop:2")


@pytest.mark.parametrize("verb", ["rollback", "promote-full"])
def test_it_is_not_when_a_person_took_it_past_its_steps(verb: str) -> None:
    story = released(by_replicas(6, rollbackWindow=WINDOW), "shop:2", "shop:1")
    bad = next(each.hash for each in story.status.past_revisions)
    if verb == "promote-full":
        story.release("shop:2", Behaviour())
        story.reconcile()
    commanded(story, verb, bad if verb == "rollback" else "")
    assert story.status.stable_revision is not None
    assert story.status.stable_revision.hash == bad
    released(story, "shop:3")
    assert not skips(story, "shop:2")


def test_a_way_back_that_a_newer_template_cut_short_counts_too() -> None:
    story = released(by_replicas(7, rollbackWindow=WINDOW), "shop:bad")
    story.release("shop:1", Behaviour())
    story.reconcile()
    story.tick(1)
    released(story, "shop:3")
    assert not skips(story, "shop:bad")


def test_what_failed_after_the_switch_was_stable_for_a_moment_only() -> None:
    story = blue_green(8, rollbackWindow=WINDOW, strategy={"scaleDownDelaySeconds": 300})
    bad = story.release("shop:bad", Behaviour())
    story.run_until(lambda it: it.status.previous_revision is not None)
    commanded(story, "abort")
    assert [(each.hash, each.rolled_back_from) for each in story.status.past_revisions] == [
        (bad, True)
    ]
    released(story, "shop:3")
    assert not skips(story, "shop:bad")


def test_rollback_goes_to_the_latest_in_good_standing_and_to_another_by_name() -> None:
    story = released(healthy(9), "shop:2", "shop:bad", "shop:2")
    bad = story.status.past_revisions[0].hash
    first = story.status.past_revisions[1].hash
    commanded(story, "rollback", bad)
    assert story.stable == bad
    released(story, "shop:4")
    commanded(story, "rollback")
    assert story.stable == first


def test_rollback_without_a_name_is_refused_when_all_were_gone_back_from() -> None:
    story = released(healthy(10), "shop:bad", "shop:1")
    commanded(story, "rollback")
    last = story.status.last_command
    assert last is not None
    assert not last.accepted
    assert "rolled back from" in last.message
    assert str(story.status.past_revisions[0].number) in last.message


def test_a_status_from_before_the_mark_is_of_revisions_in_good_standing() -> None:
    story = released(healthy(11, rollbackWindow=WINDOW), "shop:2", "shop:1")
    old = story.status.model_dump(mode="json", by_alias=True)
    for each in old["pastRevisions"]:
        del each["rolledBackFrom"]
    story.edit({"status": old})
    assert skips(story, "shop:2")
