"""A Rollout that has nothing to do: it does nothing, keeps what it promised, and forgets the old."""

import pytest

from rollouts.core import actions as act
from rollouts.core.refresh import worth_writing
from rollouts.model.route import Problem, Route
from rollouts.model.status import HistoryEntry
from tests.unit.core.worlds import (
    NEW,
    OLD,
    at,
    replica_set,
    service,
    settled,
    spec_of,
    told,
)


def test_nothing_is_done_said_or_written() -> None:
    scene = settled()
    decision = scene.with_(now=at(3600)).decide()
    assert (decision.actions, decision.occurrences) == ((), ())
    assert decision.requeue_after_seconds is None
    assert not worth_writing(scene.status, decision.status, at(3600))


def test_what_scale_reports_are_the_stable_pods() -> None:
    status = settled().having(replica_set(NEW, 2)).decide().status
    assert (status.replicas, status.updated_replicas) == (4, 4)
    assert status.selector == "app=checkout,rollouts.dev/pod-template-hash=oldhash"
    assert status.step == "3/3"


@pytest.mark.parametrize("replicas", [0, 2, 9])
def test_at_rest_the_replicas_are_the_spec_s(replicas: int) -> None:
    assert settled().with_(spec=spec_of(replicas=replicas)).decide().actions == (
        act.ScaleReplicaSet("checkout-oldhash", replicas),
    )


@pytest.mark.parametrize("selected", ["", NEW])
def test_a_selector_that_somebody_changed_is_put_back_and_said(selected: str) -> None:
    scene = settled().serving(stable=service("checkout", selected, oldhash=4))
    decision = scene.decide()
    assert decision.actions == (act.SelectRevision("checkout", OLD),)
    assert told(decision) == ["PutBack"]
    assert "it is put back to oldhash" in decision.status.message


def test_what_was_put_back_before_a_promotion_is_not_held_against_its_switch() -> None:
    history = [
        HistoryEntry(at=at(-30), reason="PutBack", message=""),
        HistoryEntry(at=at(-1), reason="Promoted", message=""),
    ]
    scene = settled().serving(stable=service("checkout", NEW, oldhash=4))
    decision = scene.with_(phase="Progressing", history=history).decide()
    assert decision.actions == (act.SelectRevision("checkout", OLD),)
    assert told(decision) == []


def test_a_service_that_is_gone_is_told_once() -> None:
    scene = settled(services={})
    decision = scene.decide()
    assert (decision.status.phase, told(decision)) == ("Degraded", ["Blocked"])
    assert told(scene.after(decision).decide()) == []
    assert scene.after(decision).with_(
        services=settled().observed.services
    ).decide().status.phase == ("Healthy")


def test_an_obstacle_is_told_before_the_next_release_needs_the_way() -> None:
    problem = Problem("IngressNotFound", "Ingress web does not exist; create it")
    decision = settled(route=Route(problems=(problem,))).decide()
    assert (decision.status.phase, decision.status.message) == ("Degraded", problem.message)


def test_fewer_pods_than_wanted_is_progress_and_not_health() -> None:
    status = settled().having(replica_set(OLD, 4, 3)).decide().status
    assert (status.phase, status.message) == ("Progressing", "3 of 4 pods are available")


@pytest.mark.parametrize(("limit", "removed"), [(10, []), (2, [1]), (1, [1, 2]), (0, [1, 2, 3])])
def test_old_revisions_beyond_the_limit_are_forgotten_oldest_first(
    limit: int, removed: list[int]
) -> None:
    scene = settled().with_(spec=spec_of(revisionHistoryLimit=limit))
    for number in (3, 1, 2):
        scene = scene.having(replica_set(f"past{number}", 0, revision=number))
    assert scene.decide().actions == tuple(
        act.DeleteReplicaSet(f"checkout-past{number}", f"uid-past{number}") for number in removed
    )


def test_a_revision_with_pods_is_emptied_and_not_forgotten() -> None:
    scene = settled().with_(spec=spec_of(revisionHistoryLimit=0)).having(replica_set(NEW, 1))
    assert scene.decide().actions == (act.ScaleReplicaSet("checkout-newhash", 0),)
    going = scene.having(replica_set(NEW, 1, wanted=0))
    assert going.decide().actions == (), "its pod still exists"
