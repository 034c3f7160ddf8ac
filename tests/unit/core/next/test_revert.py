"""Giving a Deployment its place back: each part waits for the one before, whoever makes it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from rollouts.core.plan.actions import (
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    SelectRevision,
    SetFinalizers,
    SetWeight,
)
from rollouts.core.world import DETACH, Workload
from rollouts.model.route import Route, Split
from rollouts.model.status import Retiring, RolloutStatus
from tests.unit.core.next.test_workload import adopting, both, deployment, taken
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    at,
    observed,
    replica_set,
    service,
    told,
    under_way,
)

BEING_DELETED = {"is_being_deleted": True, "finalizers": (DETACH,)}


def being_deleted(**changes: Any) -> Scene:
    """Return the scene of a Rollout that runs a Deployment's pods, and is being deleted."""
    scene = taken(now=at(100), workload=deployment(0))
    return scene.after(scene.decide()).with_(**{**BEING_DELETED, **changes})


def restored(**changes: Any) -> Scene:
    """Return the scene after the Deployment was given its pods again, none of which is there yet."""
    scene = being_deleted()
    scene = scene.after(scene.decide())
    return scene.with_(**{"workload": deployment(4, available=0, existing=0), **changes})


def released(**changes: Any) -> Scene:
    """Return the scene in which the Service leads to both, and the Deployment's are all there."""
    scene = restored(workload=deployment(4), services=both(4, 4))
    return scene.with_(**changes)


def test_it_goes_from_part_to_part() -> None:
    scene = being_deleted()
    decision = scene.decide()
    assert decision.actions == (RestoreWorkload(4),)
    assert told(decision) == ["Reverting"]

    scene = restored()
    decision = scene.decide()
    assert decision.actions == ()
    assert decision.status.message == (
        "Deployment shop is given its pods again: 0 of 4 are available"
    )
    scene = restored(workload=deployment(4))
    assert scene.decide().actions == (ReleaseService("checkout"),)

    waits = released(services=both(4, 3)).decide()
    assert waits.actions == ()
    assert "are among the endpoints of Service checkout: 3 are" in waits.status.message

    scene = released()
    decision = scene.decide()
    assert decision.actions == ()
    delay = scene.spec.active_strategy.scale_down_delay_seconds
    assert decision.requeue_after_seconds == delay
    last = scene.after(decision, seconds=delay).decide()
    assert told(last) == ["Reverted"]
    assert last.actions == (SetFinalizers(()),)


def test_the_end_is_said_once_though_the_finalizer_stays() -> None:
    """Its removal is refused, or whoever was about to remove it has died."""
    scene = released()
    delay = scene.spec.active_strategy.scale_down_delay_seconds
    scene = scene.after(scene.decide(), seconds=delay)
    again = scene.after(scene.decide()).decide()
    assert told(again) == []
    assert again.actions == (SetFinalizers(()),)
    assert again.status.message.startswith("Deployment shop serves with 4 pods")


def test_nothing_is_done_twice_when_the_status_was_not_written() -> None:
    """The writes were made, and whoever made them died before it wrote them down."""
    scene = being_deleted(workload=deployment(4, available=0, existing=0))
    decision = scene.decide()
    assert decision.actions == ()
    assert decision.status.adoption is not None
    assert decision.status.adoption.restored_at == scene.now


def test_a_release_under_way_is_stopped_and_its_template_is_not_given_back() -> None:
    scene = under_way(25, adopting()).with_(workload=deployment(0), **BEING_DELETED)
    decision = scene.decide()
    assert told(decision) == ["RolledBack"]
    assert decision.actions == (SetWeight(Split(cut_off=True)),)

    cut = scene.after(decision).with_(route=Route(exists=True))
    assert cut.decide().actions == (), "what was stopped still has pods, which a Service may select"
    cut = cut.evolve(replica_set(NEW, 0))
    decision = cut.decide()
    assert decision.actions == (RestoreWorkload(4, OLD),)
    assert told(decision) == ["Reverting", "TemplateGivenBack"]
    both_there = {
        **both(4, 4),
        "checkout-canary": replace(service("checkout-canary", NEW), ours=True),
    }
    ends = cut.after(decision).with_(workload=deployment(4), services=both_there, template_hash=OLD)
    assert ends.decide().actions == (RemoveRoute(),)


def test_until_then_it_says_what_it_waits_for() -> None:
    scene = under_way(25, adopting()).with_(workload=deployment(0), **BEING_DELETED)
    scene = scene.after(scene.decide())
    assert scene.decide().status.message == (
        "before everything is given back to Deployment shop, all traffic goes back to revision 1"
        " (shop:oldhash)"
    )
    cut = scene.with_(route=Route(exists=True))
    assert cut.decide().status.message == (
        "before everything is given back to Deployment shop, the pods of revision 2 (shop:newhash)"
        " go: its Services will select all pods"
    )
    kept = being_deleted().evolve(replica_set(NEW, 1)).decide().status
    assert kept.phase == "Progressing", "it is not settled any more"
    assert "the pods of revision 2 (shop:newhash) go" in kept.message


def test_a_revision_that_is_only_kept_warm_is_not_waited_for_long() -> None:
    warm = [Retiring(hash=NEW, delay_seconds=3600, at=at(3000))]
    scene = being_deleted(retiring=warm).evolve(replica_set(NEW, 4))
    (entry,) = scene.decide().status.retiring
    due = scene.now + timedelta(seconds=30)
    assert (entry.delay_seconds, entry.at) == (30, due)
    (entry,) = scene.after(scene.decide()).decide().status.retiring
    assert entry.at == due, "its time runs once"


def test_its_pods_come_back_as_many_as_the_rollout_has() -> None:
    grown = being_deleted(spec=adopting(replicas=9)).evolve(replica_set(OLD, 7))
    assert grown.decide().actions == (RestoreWorkload(9),)
    many = being_deleted().evolve(replica_set(OLD, 12))
    assert many.decide().actions == (RestoreWorkload(12),)


def test_a_service_on_a_canary_that_was_switched_to_goes_to_stable_first() -> None:
    scene = being_deleted(services={"checkout": service("checkout", NEW, newhash=2)})
    scene = scene.evolve(replica_set(NEW, 2))
    assert SelectRevision("checkout", OLD) in scene.decide().actions

    # Nobody can be sent to a stable revision that has no ready pod.
    dead = scene.evolve(replica_set(OLD, 4, 0))
    assert dead.decide().actions == (RestoreWorkload(4),)


def test_when_ours_have_gone_before_the_services_do_not_wait() -> None:
    """As after a deletion in the foreground, which begins with the ReplicaSets."""
    late = restored(workload=deployment(4, available=1, existing=1))
    assert late.decide().actions == ()
    gone = late.with_(replica_sets={}, services=both(0, 0, OLD))
    assert gone.decide().actions == (ReleaseService("checkout"),)


def test_a_users_own_canary_service_is_released_and_ours_is_left_to_go() -> None:
    theirs = service("checkout-canary", OLD, oldhash=4)
    scene = restored(workload=deployment(4))
    scene = scene.serving(canary=theirs)
    releases = {ReleaseService("checkout"), ReleaseService("checkout-canary")}
    assert set(scene.decide().actions) == releases
    ours = scene.serving(canary=replace(theirs, ours=True))
    assert ours.decide().actions == (ReleaseService("checkout"),)


def test_a_missing_deployment_is_waited_for_and_said() -> None:
    scene = being_deleted(workload=Workload("shop"))
    decision = scene.decide()
    assert decision.actions == (ReleaseService("checkout"),)
    assert told(decision) == ["Blocked"]
    assert "nothing can be given back to it: create it" in decision.status.message
    assert decision.requeue_after_seconds == 60
    again = scene.after(decision)
    assert told(again.decide()) == []
    back = again.with_(workload=Workload("shop", "another", 1))
    assert back.decide().actions == (RestoreWorkload(4),)


def test_after_a_minute_without_a_deployment_it_goes() -> None:
    scene = being_deleted(workload=Workload("shop"), services=both(4, 0, ""))
    scene = scene.after(scene.decide(), seconds=60)
    later = scene.decide()
    assert told(later) == ["NotReverted"]
    assert later.actions == (SetFinalizers(()),)
    again = scene.after(later).decide()
    assert told(again) == [], "said once, though the finalizer stays"
    assert again.actions == (SetFinalizers(()),)


def test_a_deployment_that_came_back_for_a_moment_is_waited_for_anew() -> None:
    scene = being_deleted(workload=Workload("shop"))
    scene = scene.after(scene.decide(), seconds=50).with_(workload=deployment(4))
    scene = scene.after(scene.decide(), seconds=50).with_(workload=Workload("shop"))
    decision = scene.decide()
    assert SetFinalizers(()) not in decision.actions
    assert decision.requeue_after_seconds == 60


def test_where_nobody_serves_any_more_nothing_is_waited_for() -> None:
    """A namespace goes: what it holds may go in any order."""
    scene = being_deleted(workload=Workload("shop")).without(OLD)
    assert SetFinalizers(()) in scene.decide().actions
    scene = under_way(25, adopting()).with_(workload=Workload("shop"), **BEING_DELETED)
    assert SetFinalizers(()) not in scene.decide().actions, "its pods still serve"
    gone = scene.without(OLD, NEW).decide()
    assert gone.actions[-1] == SetFinalizers(())
    assert RemoveRoute() in gone.actions


def test_a_deployment_that_does_not_come_up_is_said_once() -> None:
    stuck = deployment(4, available=1, problem="it is paused")
    scene = restored(workload=stuck)
    decision = scene.decide()
    assert told(decision) == ["Blocked"]
    assert "1 of 4 are available (it is paused)" in decision.status.message
    more = scene.after(decision).with_(workload=replace(stuck, available=2))
    assert told(more.decide()) == []
    assert "2 of 4" in more.decide().status.message


def test_one_that_was_scaled_to_nothing_again_gets_its_pods_again() -> None:
    scene = released(workload=deployment(0))
    assert scene.decide().actions == (RestoreWorkload(4),)


def test_one_that_was_made_smaller_meanwhile_is_its_owners_affair() -> None:
    scene = released(workload=deployment(2), services=both(4, 2))
    assert scene.after(scene.decide(), 1000).decide().actions == (SetFinalizers(()),)


def test_a_first_deploy_that_is_not_over_leaves_the_deployment_as_it_is() -> None:
    status = RolloutStatus(current_revision=taken().status.current_revision)
    seen = observed(
        OLD,
        workload=deployment(3),
        replica_sets={OLD: replica_set(OLD, 4, 1)},
        services=both(1, 3),
        **BEING_DELETED,
    )
    scene = Scene(adopting(), status, seen)
    decision = scene.decide()
    assert decision.actions == ()
    assert scene.after(decision).decide().status.adoption is not None


def test_what_has_nothing_to_give_back_just_goes() -> None:
    seen = observed(OLD, workload=Workload("shop"), replica_sets={}, **BEING_DELETED)
    assert Scene(adopting(), RolloutStatus(), seen).decide().actions == (SetFinalizers(()),)
    plain = under_way(25).with_(**BEING_DELETED)
    assert told(plain.decide()) == ["RolledBack"]
    cut = plain.after(plain.decide()).with_(route=Route(exists=True))
    assert cut.decide().actions == (SetFinalizers(()),)
