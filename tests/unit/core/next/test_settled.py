"""A Rollout that has nothing to do: it does nothing, keeps what it promised, and forgets the old."""

from dataclasses import replace

import pytest

from rollouts.core.plan.actions import DeleteReplicaSet, ScaleReplicaSet, SelectRevision
from rollouts.core.status_writes import worth_writing
from rollouts.model.finding import Finding
from rollouts.model.route import Route
from rollouts.model.status import HistoryEntry, Retiring
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    at,
    holding,
    replica_set,
    service,
    settled,
    spec_of,
    told,
)


def test_nothing_is_done_said_or_written() -> None:
    scene = settled()
    decision = scene.with_(now=at(3600)).decide()
    assert (decision.actions, decision.events) == ((), ())
    assert decision.requeue_after_seconds is None
    assert not worth_writing(scene.status, decision.status, at(3600))


def test_what_scale_reports_are_the_stable_pods() -> None:
    status = settled().evolve(replica_set(NEW, 2)).decide().status
    assert (status.replicas, status.updated_replicas) == (4, 4)
    assert status.selector == "app=checkout,rollouts.dev/rollout=checkout"
    assert status.step == "3/3"


@pytest.mark.parametrize("replicas", [0, 2, 9])
def test_when_settled_the_replicas_are_the_spec_s(replicas: int) -> None:
    assert settled().with_(spec=spec_of(replicas=replicas)).decide().actions == (
        ScaleReplicaSet("checkout-oldhash", replicas),
    )


@pytest.mark.parametrize("selected", ["", NEW])
def test_a_selector_that_somebody_changed_is_put_back_and_said(selected: str) -> None:
    scene = settled().serving(stable=service("checkout", selected, oldhash=4))
    decision = scene.decide()
    assert decision.actions == (SelectRevision("checkout", OLD),)
    assert told(decision) == ["DriftCorrected"]
    assert "the controller puts it back to oldhash" in decision.status.message


def test_what_was_put_back_before_a_promotion_is_not_held_against_its_switch() -> None:
    history = [
        HistoryEntry(at=at(-30), reason="DriftCorrected", message=""),
        HistoryEntry(at=at(-1), reason="Promoted", message=""),
    ]
    scene = settled().serving(stable=service("checkout", NEW, oldhash=4))
    decision = scene.with_(phase="Progressing", history=history).decide()
    assert decision.actions == (SelectRevision("checkout", OLD),)
    assert told(decision) == []


def test_a_service_that_is_gone_is_told_once() -> None:
    scene = settled(services={})
    decision = scene.decide()
    assert (decision.status.phase, told(decision)) == ("Degraded", ["Blocked"])
    assert told(scene.after(decision).decide()) == []
    assert scene.after(decision).with_(
        services=settled().observed.services
    ).decide().status.phase == ("Healthy")


def test_a_blocking_finding_is_told_before_the_next_release_needs_the_way() -> None:
    problem = Finding("error", "IngressNotFound", "Ingress web does not exist; create it")
    decision = settled(route=Route(findings=(problem,))).decide()
    assert (decision.status.phase, decision.status.message) == ("Degraded", problem.message)


def test_fewer_pods_than_wanted_is_progress_and_not_health() -> None:
    status = settled().evolve(replica_set(OLD, 4, 3)).decide().status
    assert (status.phase, status.message) == ("Progressing", "3 of 4 pods are available")


def pulling(available: int = 0, seconds: float = 0) -> Scene:
    """Return a settled Rollout whose missing pods can't pull their image, at this moment."""
    found = replica_set(OLD, 4, available, problem="ImagePullBackOff")
    return settled().evolve(found).with_(now=at(seconds))


def test_pods_that_do_not_come_up_say_why_and_stall_it_once_until_they_do() -> None:
    early = pulling().decide()
    assert early.status.message == "0 of 4 pods are available (ImagePullBackOff)"
    assert early.requeue_after_seconds == 600
    late = pulling().after(early, 600).decide()
    assert (late.status.phase, told(late)) == ("Degraded", ["Blocked"])
    assert holding(late.status)["Stalled"]
    assert "ImagePullBackOff); progressDeadlineSeconds has passed" in late.status.message
    better = pulling().after(late, 900).evolve(replica_set(OLD, 4, 3))
    assert (better.decide().status.phase, told(better.decide())) == ("Degraded", [])
    healed = better.after(better.decide()).evolve(replica_set(OLD, 4)).decide()
    assert (healed.status.phase, healed.status.unsettled_since) == ("Healthy", None)
    assert healed.requeue_after_seconds is None


def test_a_size_that_is_reached_bit_by_bit_has_the_deadline_for_each_bit() -> None:
    first = pulling().decide()
    some = pulling(2).after(first, 500).decide()
    assert pulling(2).after(some, 1099).decide().status.phase == "Progressing"
    assert pulling(2).after(some, 1100).decide().status.phase == "Degraded"


def test_a_pod_that_comes_early_costs_no_write_of_the_clock() -> None:
    first = pulling().decide()
    some = pulling(1).after(first, 30).decide()
    assert some.status.unsettled_since == first.status.unsettled_since


def test_a_revision_that_was_left_and_is_reached_again_has_all_its_time_again() -> None:
    left = Retiring(hash=NEW, delay_seconds=5, at=at(0))
    scene = settled(retiring=[left]).evolve(replica_set(NEW, 4))
    again = scene.serving(stable=service("checkout", NEW, newhash=4))
    decision = again.decide()
    assert decision.status.retiring == [left.evolve(at=None)]
    back = scene.with_(status=decision.status, now=at(1)).decide()
    assert ScaleReplicaSet("checkout-newhash", 0) not in back.actions
    assert back.status.retiring == [left.evolve(at=at(6))]


@pytest.mark.parametrize(("limit", "removed"), [(10, []), (2, [1]), (1, [1, 2]), (0, [1, 2, 3])])
def test_old_revisions_beyond_the_limit_are_forgotten_oldest_first(
    limit: int, removed: list[int]
) -> None:
    scene = settled().with_(spec=spec_of(revisionHistoryLimit=limit))
    for number in (3, 1, 2):
        scene = scene.evolve(replica_set(f"past{number}", 0, revision=number))
    assert scene.decide().actions == tuple(
        DeleteReplicaSet(f"checkout-past{number}", f"uid-past{number}") for number in removed
    )


def test_a_revision_with_pods_is_emptied_and_not_forgotten() -> None:
    scene = settled().with_(spec=spec_of(revisionHistoryLimit=0)).evolve(replica_set(NEW, 1))
    assert scene.decide().actions == (ScaleReplicaSet("checkout-newhash", 0),)
    going = scene.evolve(replica_set(NEW, 1, wanted=0))
    assert going.decide().actions == (), "its pod still exists"


def test_a_stable_revision_that_crashes_and_answers_nobody_is_degraded_at_once() -> None:
    crashing = replica_set(OLD, 4, 0, problem="CrashLoopBackOff")
    scene = settled().evolve(crashing)
    decision = scene.decide()
    assert (decision.status.phase, told(decision)) == ("Degraded", ["Blocked"])
    assert holding(decision.status)["Stalled"]
    assert decision.status.message == "0 of 4 pods are available (CrashLoopBackOff)"
    between = tuple(replace(pod, problem="", restarts=3) for pod in crashing.pods)
    again = scene.after(decision, 30).evolve(replace(crashing, pods=between))
    assert again.decide().status.phase == "Degraded", "between two crashes it is no better"
    assert told(again.decide()) == []
    assert scene.after(again.decide()).decide().events == ()
    one = again.evolve(replica_set(OLD, 4, 1))
    assert one.decide().status.phase == "Progressing"


def test_pods_that_are_restarted_once_are_waited_for() -> None:
    found = replica_set(OLD, 4, 0)
    rebooted = replace(found, pods=tuple(replace(pod, restarts=1) for pod in found.pods))
    assert settled().evolve(rebooted).decide().status.phase == "Progressing"
