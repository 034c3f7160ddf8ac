"""A Rollout that comes back from a backup or from Git, in the middle of a release."""

import pytest

from rollouts.model.kinds import SERVICE, Ref
from tests.simulation.cluster_faults import BY_PODS, changed_services, come_back
from tests.simulation.dataplane import LOST, NAMESPACE
from tests.simulation.kubelets import Behaviour
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.setups import BY_LABEL, SETUPS
from tests.simulation.starting_points import deployed
from tests.simulation.story import ENOUGH_FAILURES, told
from tests.unit.controller.edits import put_beside

LED_BY_KEY = [
    name
    for name, each in SETUPS.items()
    if name != "replicas" and name not in BY_LABEL and not each.adopts
]


@pytest.mark.parametrize("dangling", [True, False], ids=["owner-that-is-gone", "no-owner"])
@pytest.mark.parametrize("setup", LED_BY_KEY)
def test_git_has_taken_the_router_out_and_nobodys_request_is_lost(
    setup: str, dangling: bool
) -> None:
    """What routes and Services were there of the release leads to its pods still, and no status says so."""
    story = deployed(setup, 4)
    new = story.release("shop:2", Behaviour(ready_after=0.5))
    story.run_until(lambda it: it.percent(new) >= 5)
    lost = story.users.lost
    come_back(
        story, {**story.rollout["spec"], "strategy": BY_PODS}, with_status=False, dangling=dangling
    )
    assert story.settle().phase == "Healthy"
    assert story.users.lost == lost
    assert not story.selects("checkout")


@pytest.mark.parametrize("setup", ["router by label", "mesh by label"])
def test_a_label_that_nobody_is_given_without_a_router_holds_a_release(setup: str) -> None:
    """The Service of Git still asks for it: those who have it go on answering, and it is said what to do."""
    story = deployed(setup, 4)
    new = story.release("shop:2", Behaviour(ready_after=0.5))
    story.run_until(lambda it: it.percent(new) >= 5)
    old, lost = story.stable, story.users.lost
    come_back(
        story, {**story.rollout["spec"], "strategy": BY_PODS}, with_status=False, dangling=True
    )
    with told(setup, story):
        assert story.settle().phase == "Degraded"
        said = [story.status.message, *(each.message for each in story.status.conditions)]
        assert any("asks for rollouts.dev/stable" in each for each in said)
        assert (story.stable, story.users.lost) == (old, lost)


@pytest.mark.parametrize("setup", ["router", "mesh", "blue-green"])
def test_scaled_to_nothing_it_knows_the_service_that_it_has_bound(setup: str) -> None:
    """No pods tell which revision was served, and no status: who was bound to it would hold every release."""
    story = deployed(setup, 4)
    story.edit({"spec": {"replicas": 0}})
    story.settle()
    come_back(
        story, {**story.rollout["spec"], "strategy": BY_PODS}, with_status=False, dangling=True
    )
    assert story.settle().phase == "Healthy"
    assert not story.selects("checkout")
    story.edit({"spec": {"replicas": 4}})
    new = story.release("shop:2")
    assert story.settle().phase == "Healthy"
    assert story.is_stable(new)


def test_a_promote_that_was_read_before_a_release_does_not_promote_it() -> None:
    """The controller gives a bare verb an id first; the next template comes before it obeys."""
    story = deployed("router", 5)
    story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 5)
    story.command("promote-full")
    story.reconcile()
    new = story.release("shop:3", Behaviour(error_rate=0.3))
    assert story.settle().phase == "Degraded"
    assert story.status.last_command is not None
    assert not story.status.last_command.accepted
    assert not story.is_stable(new)


def test_who_promotes_what_comes_with_it_has_a_hand_in_that() -> None:
    """Nothing is under way, and a bare promote is first read together with a release: it is for that one."""
    story = deployed("router", 5)
    story.command("promote-full")
    story.release("shop:2", Behaviour(error_rate=0.3))
    story.monitor.error = "Prometheus does not answer"
    story.run_until(lambda it: it.route == 100)
    new = story.hash_of("shop:2")
    story.kubelets.remove(story.kubelets.pods(new)[-1]["metadata"]["name"])
    story.settle()
    assert story.users.since(new, story.began).failures > ENOUGH_FAILURES
    assert story.is_stable(new)


def test_a_service_that_leads_to_what_is_there_keeps_its_pods_until_it_may_lead_elsewhere() -> None:
    """Nothing says what is stable: the status is gone, and our key in the stable Service; the other can't be changed."""
    story = deployed("dynamic", 6)
    put_beside(story.present)
    story.edit({"spec": {"strategy": {"canary": {"canaryService": "other"}}}})
    old = story.stable
    story.settle()
    story.select("checkout", None)
    story.caches.refusals.append(changed_services)
    story.release("shop:2")
    come_back(story, story.rollout["spec"], with_status=False, dangling=True)
    with told("refused", story):
        story.pass_time(60)
        assert LOST not in story.shares()["other.test"]
        assert story.selects("other") == old
        story.caches.refusals.clear()
        assert story.settle().phase == "Healthy"
        assert not_cleaned_up(story) == []


def test_a_canary_ingress_whose_service_somebody_deletes_goes_and_its_requests_are_stables() -> (
    None
):
    """Git has taken the router out, and the status is lost: the Ingress is all that is left of the release."""
    story = deployed("router", 8)
    old, new = story.stable, story.release("shop:2", Behaviour(ready_after=0.5))
    story.run_until(lambda it: it.percent(new) >= 5)
    spec = {**story.rollout["spec"], "strategy": BY_PODS}
    come_back(story, spec, with_status=False, dangling=False)
    story.run_until(lambda it: it.selects("checkout-canary") == old)
    assert story.route == 5
    story.present.drop(Ref(SERVICE, NAMESPACE, "checkout-canary"))
    story.kubelets.forget("checkout-canary")
    with told("deleted", story):
        story.run_until(lambda it: it.route is None)
        assert story.users_are_answered()
