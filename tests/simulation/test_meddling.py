"""Somebody takes away, or turns, what a release is carried by: nobody's requests go to nobody, and it is put back."""

import pytest

from rollouts.core.effective_spec import without_template
from rollouts.errors import Unavailable
from rollouts.model.kinds import JSON, ROLLOUT, SERVICE, Ref
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.simulation.cluster import Refusal, written
from tests.simulation.cluster_faults import changed_services
from tests.simulation.dataplane import LOST, NAMESPACE
from tests.simulation.kubelets import Behaviour, is_ready
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story, told
from tests.unit.controller.edits import put_beside

DOWN = Behaviour(problem="CrashLoopBackOff")
ROUTED = ("router", "several routers", "gateway", "mesh", "mesh with a root", "dynamic")
ROUTE = Ref(HTTP_ROUTE, NAMESPACE, "checkout")
SPLIT = Ref(TRAFFIC_SPLIT, NAMESPACE, "checkout")
ROOT = "Service checkout-root"


def test_a_split_that_somebody_deletes_while_stable_is_down_comes_back_with_stable() -> None:
    """Without it the root Service leads to the pods that answer; with it most requests would go to nobody."""
    story = deployed("mesh with a root", 2, progressDeadlineSeconds=600)
    new = story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 25)
    story.turn(story.hash_of("shop:1"), DOWN)
    story.pass_time(1)
    story.present.drop(SPLIT)
    with told("deleted", story):
        for _ in range(30):
            story.pass_time(1)
            assert story.shares()[ROOT] == {new: 1.0}
        story.turn(story.hash_of("shop:1"), Behaviour())
        for pod in story.kubelets.pods(story.hash_of("shop:1")):
            story.kubelets.blink(pod, 0.0)
        story.run_until(lambda it: it.present.get(SPLIT) is not None)
        assert story.settle().phase == "Healthy"


def test_a_split_to_a_stable_service_that_nobody_may_bind_is_not_put_back() -> None:
    """It leads to the revision before, which has no pods any more, and the root Service to those that there are."""
    story = deployed("mesh with a root", 3)
    story.edit({"spec": {"replicas": 0}})
    story.settle()
    story.caches.refusals.append(changed_services)
    new = story.release("shop:2")
    story.command("promote-full")
    story.run_until(lambda it: it.is_stable(new))
    story.edit({"spec": {"replicas": 4}})
    story.run_until(lambda it: any(map(is_ready, it.kubelets.pods(new))))
    story.present.drop(SPLIT)
    with told("not bound", story):
        for _ in range(20):
            story.pass_time(1)
            assert story.shares()[ROOT] == {new: 1.0}
        story.caches.refusals.clear()
        assert story.settle().phase == "Healthy"
    assert story.present.get(SPLIT) is not None


def test_a_split_of_another_name_is_there_before_the_old_one_goes() -> None:
    """It is refused for a while: between the two the root Service would lead to pods of any revision."""
    story = deployed("mesh with a root", 3)
    new = Ref(TRAFFIC_SPLIT, NAMESPACE, "renamed")
    story.caches.refusals.append(refuses(new))
    split = {"rootService": "checkout-root", "trafficSplitName": "renamed"}
    story.edit({"spec": {"strategy": {"canary": {"trafficRouting": {"smi": split}}}}})
    story.pass_time(20)
    assert story.present.get(SPLIT) is not None
    story.caches.refusals.clear()
    story.settle()
    assert story.present.get(SPLIT) is None
    assert story.present.get(new) is not None


@pytest.mark.parametrize("field", ["stableService", "rootService"])
def test_a_root_service_is_left_when_no_other_revision_has_pods(field: str) -> None:
    """Without its split, or with a stable Service that is not bound yet, it leads to the pods of all."""
    story = deployed("mesh with a root", 3)
    put_beside(story.present)
    old, left = story.stable, story.release("shop:2")
    story.run_until(lambda it: any(map(is_ready, it.kubelets.pods(left))))
    smi: JSON = {"trafficRouting": {"smi": {field: "other"}}}
    named = {field: "other"} if field == "stableService" else smi
    story.edit({"spec": {"strategy": {"canary": named}}})
    story.release("shop:1")
    with told(field, story):
        while story.kubelets.pods(left):
            assert story.shares()[ROOT] == {old: 1.0}
            story.pass_time(0.5)
        assert story.settle().phase == "Healthy"
    assert story.status.effective_spec == without_template(story.rollout["spec"])
    assert story.shares()["Service other"] == {old: 1.0}


@pytest.mark.parametrize("begins_bound", [True, False])
def test_a_new_strategy_that_waits_for_pods_to_go_does_not_keep_them(begins_bound: bool) -> None:
    """The canary Service of the release before leads to them, or to all, until the next canary has pods."""
    story = deployed("mesh with a root", 3)
    put_beside(story.present)
    named: JSON = {"spec": {"strategy": {"canary": {"canaryService": "other"}}}}
    unnamed: JSON = {"spec": {"strategy": {"canary": {"canaryService": None}}}}
    if not begins_bound:
        story.edit(named)
        story.settle()
    story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 5)
    new = story.release("shop:3")
    story.edit(named if begins_bound else unnamed)
    with told(f"{begins_bound}", story):
        assert story.settle().phase == "Healthy"
        assert story.stable == new
        assert not_cleaned_up(story) == []


def test_pods_that_are_called_again_stay_although_no_status_can_say_so_yet() -> None:
    """Without its split the root Service leads to a revision that was left, whose time is running out."""
    story = deployed("mesh with a root", 3)
    left = story.release("shop:2", Behaviour(ready_after=1))
    story.run_until(lambda it: any(map(is_ready, it.kubelets.pods(left))))
    story.release("shop:3", Behaviour(ready_after=10_000))
    story.run_until(lambda it: any(each.at for each in it.status.retiring))
    story.caches.fall_behind([ROLLOUT])
    story.edit({"metadata": {"annotations": {"somebody": "was here"}}})
    story.present.drop(SPLIT)
    story.caches.refusals.append(refuses(SPLIT))
    with told("called again", story):
        story.pass_time(20)
        assert story.shares()[ROOT][left] == pytest.approx(1 / 5)


@pytest.mark.parametrize("then", ["aborted", "newer template", "promoted"])
@pytest.mark.parametrize("setup", ["router", "gateway", "mesh", "mesh with a root"])
def test_who_calls_the_canary_by_its_service_is_answered_until_it_leads_to_stable(
    setup: str, then: str
) -> None:
    """It is the user's own, so that others than the routes may call it: pods go their delay after the last call."""
    story = deployed(setup, 4)
    put_beside(story.present)
    story.edit({"spec": {"strategy": {"canary": {"canaryService": "other"}}}})
    story.settle()
    left = story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 25)
    if then == "aborted":
        story.command("abort")
    elif then == "promoted":
        left = story.stable
    else:
        story.release("shop:3", Behaviour(ready_after=60))
    called = story.now
    with told(f"{setup} {then}", story):
        while story.sizes().get(left):
            if left in story.shares()["Service other"]:
                called = story.now
            story.pass_time(0.5)
        assert (story.now - called).total_seconds() >= 5
        story.settle()
        assert not_cleaned_up(story) == []


@pytest.mark.parametrize("setup", ["router", "mesh", "blue-green"])
def test_pods_that_a_service_leads_to_stay_although_its_watch_does_not_tell(setup: str) -> None:
    """Somebody takes our key out of it: EndpointSlices say so first, as their watch is another."""
    story = deployed(setup, 5)
    new = story.release("shop:2")
    story.run_until(lambda it: any(map(is_ready, it.kubelets.pods(new))))
    story.caches.fall_behind([SERVICE])
    story.select("checkout", None)
    story.release("shop:1")
    with told(setup, story):
        story.pass_time(30)
        assert story.has_users(new)
        story.caches.fall_behind([])
        assert story.settle().phase == "Healthy"
        assert list(story.sizes()) == [story.stable]


@pytest.mark.parametrize("setup", ["router", "gateway", "several routers"])
def test_a_stable_service_that_only_the_spec_leaves_gets_none_of_the_next_version(
    setup: str,
) -> None:
    """The routes lead to the one before still, which would select the pods of every revision."""
    story = deployed(setup, 3)
    put_beside(story.present)
    old = story.stable
    story.edit({"spec": {"strategy": {"canary": {"stableService": "other"}}}})
    new = story.release("shop:2")
    with told(setup, story):
        story.run_until(lambda it: any(map(is_ready, it.kubelets.pods(new))))
        story.pass_time(5)
        assert story.percent(new) == 0
        assert "no rule for Service other" in story.status.message
        story.edit({"spec": {"strategy": {"canary": {"stableService": "checkout"}}}})
        story.run_until(lambda it: it.status.phase == "Paused")
        story.command("promote")
        assert story.settle().phase == "Healthy"
        assert story.stable == new != old
        assert not_cleaned_up(story) == []


@pytest.mark.parametrize("dies_after", [None, 0, 1])
@pytest.mark.parametrize("reconciles", range(4))
def test_a_service_that_was_named_for_a_moment_does_not_keep_our_key(
    reconciles: int, dies_after: int | None
) -> None:
    """The edit is taken back after so many reconciles, the last of which may break off after so many writes."""
    story = deployed("router", 7)
    put_beside(story.present)
    story.pass_time(5)
    story.edit({"spec": {"strategy": {"canary": {"canaryService": "other"}}}})
    for number in range(reconciles):
        story.die_after = dies_after if number == reconciles - 1 else None
        story.reconcile()
    story.die_after = None
    story.edit({"spec": {"strategy": {"canary": {"canaryService": None}}}})
    with told(f"{reconciles} {dies_after}", story):
        assert story.settle().phase == "Healthy"
        assert not_cleaned_up(story) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("setup", ROUTED)
def test_a_stable_service_that_somebody_points_at_a_bad_canary_comes_back_before_that_goes(
    setup: str, when: str
) -> None:
    story = deployed(setup, 4, progressDeadlineSeconds=60)
    old, lost = story.stable, story.users.lost
    new = story.release("shop:2")
    story.run_until(lambda it: it.percent(new) >= 25)
    with told(f"{setup} {when}", story):
        if when == "before":
            story.select("checkout", new)
        story.turn(new, Behaviour(error_rate=0.3))
        story.run_until(lambda it: it.status.abort is not None)
        if when == "after":
            story.select("checkout", new)
        story.run_until(lambda it: it.stable == old, 30)
        assert story.settle().phase == "Degraded"
        assert story.percent(new) == 0
        assert story.users.lost == lost
        assert not_cleaned_up(story) == []


@pytest.mark.parametrize("ends", ["promoted", "rolled back"])
@pytest.mark.parametrize("setup", ["gateway", "several routers"])
def test_a_backend_of_weight_0_that_somebody_takes_out_is_not_missed(setup: str, ends: str) -> None:
    steps = [{"setWeight": 100}, {"pause": {"duration": "20s"}}]
    story = deployed(setup, 5, strategy={"steps": steps})
    as_it_was, lost = rules(story), story.users.lost
    new = story.release("shop:2")
    story.run_until(lambda it: it.status.current_step_index == 1)
    (rule,) = rules(story)
    kept = [each for each in rule["backendRefs"] if each["weight"]]
    story.present.edit(ROUTE, {"spec": {"rules": [{**rule, "backendRefs": kept}]}})
    with told(f"{setup} {ends}", story):
        if ends == "rolled back":
            story.turn(new, Behaviour(error_rate=0.3))
        status = story.settle()
        assert status.phase == ("Healthy" if ends == "promoted" else "Degraded")
        assert rules(story) == as_it_was
        assert all(LOST not in shares for shares in story.shares().values())
        assert story.users.lost == lost


def refuses(ref: Ref) -> Refusal:
    """Return a webhook that is in the way of every write to one object."""
    return lambda write: Unavailable("a webhook is down") if written(write) == ref else None


@pytest.mark.parametrize("setup", ["gateway", "several routers"])
def test_a_weight_that_somebody_takes_away_is_put_back_though_stable_s_service_selects_all(
    setup: str,
) -> None:
    """It rises no further than it was confirmed; that Service can't be bound again while a policy is in the way."""
    story = deployed(setup, 5)
    story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 5)
    story.caches.refusals.append(changed_services)
    story.select("checkout", None)
    (rule,) = rules(story)
    alone = [{**rule, "backendRefs": rule["backendRefs"][:1]}]
    story.present.edit(ROUTE, {"spec": {"rules": alone}})
    with told(setup, story):
        story.run_until(lambda it: rules(it) != alone, 30)
        assert rules(story) == [rule]


@pytest.mark.parametrize("setup", ["gateway", "several routers"])
def test_stable_is_put_back_into_a_rule_that_gives_the_canary_one_percent(setup: str) -> None:
    """At 1 % the canary's weight is what a rule has that says none; without stable it gets everything."""
    story = deployed(setup, 5, strategy={"steps": [{"setWeight": 1}, {"pause": {}}]})
    as_it_was, new = rules(story), story.release("shop:2")
    story.run_until(lambda it: it.status.current_step_index == 1)
    (rule,) = rules(story)
    story.present.edit(
        ROUTE, {"spec": {"rules": [{**rule, "backendRefs": rule["backendRefs"][1:]}]}}
    )
    with told(setup, story):
        story.run_until(lambda it: it.percent(new) == 1, 30)
        story.turn(new, Behaviour(error_rate=0.3))
        assert story.settle().phase == "Degraded"
        assert story.percent(new) == 0
        assert rules(story) == as_it_was


def rules(story: Story) -> list[dict[str, list[dict[str, object]]]]:
    found = story.present.get(ROUTE)
    assert found is not None
    return list(found["spec"]["rules"])
