"""A tool applies the same Service at every moment, on the server and with force: it never changes anything."""

import pytest

from rollouts.model.kinds import SERVICE, Ref
from tests.simulation.dataplane import LOST, NAMESPACE
from tests.simulation.kubelets import Behaviour
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.setups import BY_LABEL
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story, told

CHECKOUT = Ref(SERVICE, NAMESPACE, "checkout")
LONGEST_SECONDS = 300


def lived_under_git(story: Story, seconds: float) -> None:
    """Let time pass, with an apply of what is in Git every half second, and see that nobody is lost."""
    in_git = story.present.get(CHECKOUT)
    assert in_git is not None
    for _ in range(int(2 * seconds)):
        story.round(1)
        present = story.present.get(CHECKOUT)
        assert present is not None
        assert present["spec"] == in_git["spec"], "the tool sees a difference"
        story.present.edit(CHECKOUT, {"spec": in_git["spec"]})
        for entrance, shares in story.shares().items():
            assert LOST not in shares, f"requests to {entrance} are lost"
        story.tick(0.5)


@pytest.mark.parametrize("setup", BY_LABEL)
def test_releases_good_and_bad_go_their_way_and_nobody_is_lost(setup: str) -> None:
    story = deployed(setup, 1)
    with told(setup, story):
        for number in range(2, 10):
            before = story.stable
            new = story.release(f"shop:{number}", Behaviour(error_rate=0.3 * (number % 2)))
            lived_under_git(story, LONGEST_SECONDS if number == 2 else 90)
            assert story.stable == (before if number % 2 else new)
            assert story.status.phase == ("Degraded" if number % 2 else "Healthy")
            assert not_cleaned_up(story) == []


@pytest.mark.parametrize("setup", BY_LABEL)
def test_a_settled_rollout_writes_nothing_whatever_is_applied(setup: str) -> None:
    story = deployed(setup, 2)
    before = story.writes
    lived_under_git(story, 60)
    assert story.writes == before


def test_blue_green_goes_back_in_the_bake_within_seconds() -> None:
    story = deployed("blue-green by label", 3)
    old = story.stable
    new = story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.stable == new)
    story.turn(new, Behaviour(error_rate=0.5))
    story.run_until(lambda it: it.status.abort)
    lived_under_git(story, 3)
    assert story.stable == old
    assert story.percent(new) == 0.0


@pytest.mark.parametrize("follows", ["a template", "rollback"])
def test_what_was_promoted_keeps_its_traffic_while_the_label_moves(follows: str) -> None:
    story = deployed("router by label", 4)
    with told("router by label", story):
        new = story.release("shop:2", Behaviour())
        story.run_until(lambda it: it.is_stable(new))
        if follows == "rollback":
            story.command("rollback")
        else:
            story.round(1)  # now both have it
            story.release("shop:3", Behaviour())
        seen: list[dict[str, float]] = []
        while story.stable != new and len(seen) < 20:
            story.round(1)
            seen.append(story.shares()["shop.test"])
            story.tick(0.5)
        assert story.stable == new
        assert seen == [{new: 1.0}] * len(seen), "the pods that were left get requests again"


def test_a_service_of_before_that_leads_nowhere_holds_no_switch() -> None:
    story = deployed("blue-green by label", 5)
    with told("blue-green by label", story):
        other = story.present.get(CHECKOUT)
        assert other is not None
        story.present.put(SERVICE, {**other, "metadata": {"name": "other", "namespace": NAMESPACE}})
        story.edit({"spec": {"strategy": {"blueGreen": {"activeService": "other"}}}})
        story.settle()
        story.present.edit(CHECKOUT, {"spec": {"selector": {"app": "one-that-is-gone"}}})
        story.pass_time(30)
        new = story.release("shop:2", Behaviour())
        story.run_until(lambda it: it.selects("other") == new, 120)


def test_a_promotion_ends_where_a_pod_that_was_lost_has_no_room_beside_the_old_ones() -> None:
    story = deployed("router by label", 6, progressDeadlineSeconds=120)
    with told("router by label", story):
        new = story.release("shop:2", Behaviour())
        story.run_until(lambda it: it.is_stable(new))
        story.kubelets.quota = 7
        story.kubelets.evict(story.kubelets.pods(new)[0])
        story.kubelets.tick()
        lived_under_git(story, LONGEST_SECONDS)
        assert (story.stable, story.status.phase) == (new, "Healthy")
        assert story.sizes() == {new: 4}
