"""When a release is stopped, and that traffic goes first; and when it is not stopped."""

from dataclasses import replace

import pytest

from rollouts.core.plan.actions import (
    CreateReplicaSet,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
)
from rollouts.model.finding import Finding
from rollouts.model.route import Route, Split
from rollouts.model.status import PauseCondition, Weights
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    OLD,
    Scene,
    at,
    evidence,
    holding,
    replica_set,
    rolled_back,
    service,
    spec_of,
    told,
    under_way,
)

JUDGED = spec_of(successCriteria=CRITERIA)
CUT = SetWeight(Split(0, cut_off=True))
FAILED = evidence("fail", message="8% of 60 canary requests failed, 1% may")


def reason(scene: Scene) -> str | None:
    """Return why the scene ends in a rollback, or None."""
    decision = scene.decide()
    if decision.status.abort is None:
        return None
    assert decision.actions == (CUT,), "traffic goes back in the same decision, and before all else"
    assert decision.status.phase == "Degraded"
    assert told(decision) == ["RolledBack"]
    return decision.status.abort.reason


def test_a_failed_criterion_takes_the_traffic_away_in_the_decision_that_sees_it() -> None:
    scene = under_way(25, JUDGED, evidence=FAILED)
    decision = scene.decide()
    assert decision.actions == (CUT,)
    status = decision.status
    assert status.abort is not None
    assert (status.abort.by, status.abort.at) == ("rollouts", at(0))
    assert status.abort.reason == "errors: 8% of 60 canary requests failed, 1% may"
    assert status.message == (
        "revision 2 (shop:newhash) is rolled back to revision 1 (shop:oldhash): "
        "errors: 8% of 60 canary requests failed, 1% may"
    )
    assert status.history[-1].reason == "RolledBack"
    assert status.weights.desired == 0
    assert status.weights.applied == 25, "what the routes say is confirmed later, not hoped for"
    assert status.stable_revision is not None
    assert status.stable_revision.hash == OLD
    (told_,) = decision.events
    assert told_.type == "Warning"


@pytest.mark.parametrize("verdict", ["pass", "inconclusive", "error"])
def test_no_other_verdict_stops_a_release(verdict: str) -> None:
    assert reason(under_way(25, JUDGED, evidence=evidence(verdict, errors=99))) is None


@pytest.mark.parametrize(
    "held",
    [
        under_way(25, spec_of(successCriteria=CRITERIA, paused=True)),
        under_way(25, JUDGED, held_by=PauseCondition(reason="Command", at=at(-5))),
        under_way(
            25, JUDGED, current_step_index=1, pause=PauseCondition(reason="PauseStep", at=at(-5))
        ),
    ],
)
def test_a_release_that_is_held_is_still_stopped(held: Scene) -> None:
    assert reason(held.with_(evidence=FAILED)) is not None


@pytest.mark.parametrize(("canary", "stable"), [(0, 4), (0, 0), (1, 1)])
def test_a_rollback_never_waits_for_readiness(canary: int, stable: int) -> None:
    """Not of the canary, and not of all of stable; only what nobody else answers stays."""
    scene = under_way(25, JUDGED, evidence=FAILED)
    scene = scene.evolve(replica_set(NEW, 1, canary), replica_set(OLD, 4, stable))
    scene = scene.serving(canary=service("checkout-canary", NEW, newhash=canary))
    assert reason(scene) is not None


def test_a_rollback_is_decided_while_nobody_else_answers_and_made_by_whoever_comes_next() -> None:
    scene = under_way(25, JUDGED, evidence=FAILED).evolve(replica_set(OLD, 4, 0))
    decision = scene.decide()
    assert decision.status.abort is not None
    assert decision.actions == ()
    assert scene.after(decision).decide().actions == ()
    one = scene.after(decision).evolve(replica_set(OLD, 4, 1))
    assert one.decide().actions == (CUT,)


def with_pod(**facts: object) -> Scene:
    """Return the scene at 50 % with two pods, of which the second is as told."""
    canary = replica_set(NEW, 2, 1)
    second = replace(canary.pods[1], **facts)  # type: ignore[arg-type]
    return under_way(50, current_step_index=2).evolve(
        replace(canary, pods=(canary.pods[0], second))
    )


def test_pods_that_crash_again_and_again_end_it_whatever_the_others_do() -> None:
    found = reason(with_pod(problem="CrashLoopBackOff", restarts=3))
    assert found == "canary pods crash again and again: newhash-1 (3 restarts)"


def for_long(scene: Scene) -> Scene:
    """Return the scene with a weight that was applied, and a pod that has not been ready, two minutes before."""
    weights = scene.status.weights.evolve(applied_at=at(-128))
    return scene.with_(weights=weights, step_started_at=at(-130))


def test_pods_that_fall_below_what_the_weight_needs_and_stay_so_end_it() -> None:
    found = reason(for_long(with_pod()))
    assert found is not None
    assert found.startswith(
        "1 of the 2 canary pods that 50 % of the traffic needs are ready; newhash-1"
    )


def test_a_pod_that_replaces_an_evicted_one_ends_nothing() -> None:
    assert reason(for_long(with_pod(created_at=at(-100)))) is None
    assert reason(for_long(with_pod(created_at=at(-100), restarts=1))) is not None


def test_a_pod_of_the_second_in_which_the_weight_was_applied_may_be_younger() -> None:
    """The weight is 128 s old, to the millisecond, and births are told in whole seconds."""
    assert reason(for_long(with_pod(created_at=at(-128.7)))) is None
    assert reason(for_long(with_pod(created_at=at(-129.1)))) is not None


def test_no_ready_pod_under_traffic_ends_it_at_once() -> None:
    scene = under_way(25, current_step_index=1).evolve(replica_set(NEW, 1, 0))
    assert reason(scene) == "the canary has traffic, and none of its pods is ready"


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (under_way(25).without(NEW), "ReplicaSet was deleted"),
        (
            under_way(25).with_(services={"checkout": service("checkout", OLD, oldhash=4)}),
            "Service checkout-canary was deleted",
        ),
    ],
)
def test_what_carries_the_traffic_and_is_gone_ends_it(scene: Scene, words: str) -> None:
    assert words in (reason(scene) or "")


def test_testers_without_a_service_end_it_like_a_weight() -> None:
    scene = under_way(0, weights=Weights(routes=["testers"]), route=Route(exists=True, highest=1))
    without = scene.with_(services={"checkout": service("checkout", OLD, oldhash=4)})
    assert reason(without) == "Service checkout-canary was deleted while it had traffic"


def test_traffic_of_a_superseded_canary_is_not_held_against_the_next() -> None:
    scene = under_way(0, weights=Weights(desired=25), route=Route(exists=True, weight=5, highest=5))
    superseded = {
        "checkout": service("checkout", OLD, oldhash=4),
        "checkout-canary": service("checkout-canary", "gone", gone=1),
    }
    assert reason(scene.without(NEW).with_(services=superseded)) is None
    starting = scene.evolve(replica_set(NEW, 1, 0)).with_(services=superseded)
    assert reason(starting) is None


def test_pods_that_are_not_ready_before_any_traffic_are_only_waited_for() -> None:
    scene = under_way(25, weights=Weights(desired=25), route=Route())
    crashing = replica_set(NEW, 1, 0, problem="CrashLoopBackOff")
    decision = scene.evolve(crashing).decide()
    assert decision.status.abort is None
    assert decision.status.message == (
        "step 1/3 at 0 %: 0 of 1 canary pods are available (CrashLoopBackOff)"
    )


def stuck(**changes: object) -> Scene:
    """Return a scene whose canary pod never gets ready, at the end of the deadline of 60 s."""
    spec = changes.pop("spec", spec_of(progressDeadlineSeconds=60))
    scene = under_way(25, spec, weights=Weights(desired=25), route=Route())  # type: ignore[arg-type]
    scene = scene.evolve(replica_set(NEW, 1, 0, problem="ImagePullBackOff"))
    return scene.with_(**{"unsettled_since": at(-60), **changes})


def test_the_deadline_ends_it_by_default() -> None:
    early = stuck(unsettled_since=at(-59))
    assert early.decide().requeue_after_seconds == 1
    assert early.decide().status.abort is None
    decision = stuck().decide()
    assert decision.actions == (), "there is no route to cut off"
    assert decision.status.abort is not None
    assert decision.status.abort.reason == (
        "step 1 made no progress for 1m: 0 of 1 canary pods are available (ImagePullBackOff)"
    )


def test_a_deadline_that_does_not_abort_is_told_as_stalled() -> None:
    spec = spec_of(progressDeadlineSeconds=60, progressDeadlineAbort=False)
    decision = stuck(spec=spec).decide()
    status = decision.status
    assert (status.phase, status.abort) == ("Degraded", None)
    assert holding(status)["Stalled"]
    assert not holding(status)["Aborted"]
    route = Route(exists=True, weight=25, highest=25)
    healed = stuck(spec=spec, route=route).evolve(replica_set(NEW, 1)).decide()
    assert healed.status.phase == "Paused", "step 2 waits for a person"
    assert stuck(spec=spec, unsettled_since=at(-59)).decide().status.phase == "Progressing"


@pytest.mark.parametrize(
    "scene",
    [
        stuck(spec=spec_of(progressDeadlineSeconds=60, paused=True)),
        stuck(held_by=PauseCondition(reason="Command", at=at(-59))),
        under_way(25, current_step_index=1, step_started_at=at(-10_000)),
    ],
)
def test_the_deadline_is_for_pods_and_routes_and_not_for_people(scene: Scene) -> None:
    assert scene.decide().status.abort is None


def test_a_blocking_finding_is_what_the_deadline_names() -> None:
    problem = Finding("error", "SecondCanary", "Ingress x already is a canary")
    found = stuck(route=Route(findings=(problem,))).decide().status
    assert found.abort is not None
    assert found.abort.reason.endswith("Ingress x already is a canary")


def test_who_has_not_confirmed_is_what_the_deadline_names() -> None:
    waiting = Route(
        exists=True, weight=None, highest=25, unconfirmed=("Gateway edge says nothing",)
    )
    found = stuck(route=waiting).evolve(replica_set(NEW, 1)).decide().status
    assert found.abort is not None
    says = "weight 25 % is not confirmed by the routes yet: Gateway edge says nothing"
    assert found.abort.reason.endswith(says)


def test_after_a_rollback_nothing_rises_and_pods_go_after_their_delay() -> None:
    scene = rolled_back()
    status = scene.status
    assert [(entry.hash, entry.at) for entry in status.retiring] == [(NEW, None)]
    decision = scene.decide()
    assert decision.actions == ()
    assert decision.status.retiring[0].at == at(1 + 5)
    scene = scene.after(decision)
    assert scene.decide().actions == ()
    removed = scene.with_(now=at(6))
    assert removed.decide().actions == (RemoveRoute(),)
    gone = removed.with_(route=Route())
    assert gone.decide().actions == (SelectRevision("checkout-canary", OLD),)
    unselected = gone.serving(canary=service("checkout-canary", OLD, oldhash=4))
    assert unselected.decide().actions == (ScaleReplicaSet("checkout-newhash", 0),)
    done = unselected.evolve(replica_set(NEW, 0)).decide()
    assert done.actions == ()
    assert done.status.phase == "Degraded", "until retry or a new template"


@pytest.mark.parametrize("weight", [0, 25, 100])
def test_after_a_rollback_a_route_that_somebody_opens_is_closed(weight: int) -> None:
    opened = rolled_back(route=Route(exists=True, weight=weight, highest=weight))
    assert opened.decide().actions == ((CUT,) if weight else ())


def test_a_rollback_is_made_again_until_the_routes_say_so() -> None:
    """The write of status succeeded, that of one Ingress did not."""
    half = rolled_back(route=Route(exists=True, weight=None, highest=25))
    assert half.decide().actions == (CUT,)
    assert half.decide().status.retiring[0].at is None, "its time runs once nothing reaches it"


def test_good_evidence_after_a_rollback_changes_nothing() -> None:
    scene = rolled_back(spec=JUDGED, evidence=evidence("pass"))
    assert scene.decide().status.abort is not None
    assert scene.decide().events == ()


def test_stable_is_bound_before_its_canary_exists() -> None:
    """With a stable Service that selects every revision, canary pods would get traffic by accident."""
    loose = service("checkout", "", oldhash=4)
    scene = under_way(25, weights=Weights(), route=Route()).without(NEW).serving(stable=loose)
    assert scene.after(scene.decide()).decide().actions == (SelectRevision("checkout", OLD),)
    bound = scene.serving(stable=service("checkout", OLD, oldhash=4))
    assert bound.after(bound.decide()).decide().actions == (CreateReplicaSet(NEW, 2, 1),)


def test_a_service_that_is_missing_is_named_and_nothing_is_done() -> None:
    decision = under_way(25, weights=Weights(), route=Route(), services={}).decide()
    assert "Service checkout does not exist; create it, or correct stableService" in (
        decision.status.message
    )
    assert not any(isinstance(action, SetWeight) for action in decision.actions)


@pytest.mark.parametrize(
    "lowered",
    [
        pytest.param(Route(exists=True, weight=0, highest=0), id="to nothing"),
        pytest.param(Route(exists=False), id="removed"),
        pytest.param(Route(exists=True, weight=None, highest=25), id="on one of two routes"),
        pytest.param(Route(exists=True, weight=0, highest=0, intact=False), id="and changed"),
    ],
)
def test_traffic_that_a_dead_predecessor_took_back_is_not_given_back_unseen(lowered: Route) -> None:
    """It dies between the write that takes the traffic away and the status that says why."""
    scene = under_way(25, JUDGED, route=lowered)
    for blind in (scene.decide(), scene.with_(evidence=evidence("error")).decide()):
        assert blind.actions == ()
        assert "DriftCorrected" not in told(blind)

    failed = scene.with_(evidence=FAILED).decide()
    assert failed.status.abort is not None
    assert SetWeight(Split(25)) not in failed.actions

    innocent = scene.with_(evidence=evidence("inconclusive")).decide()
    assert innocent.actions == (SetWeight(Split(25)),), "it was somebody else: it is put back"


def test_testers_whom_a_dead_predecessor_took_back_are_not_given_back_unseen() -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "1"}}]
    route = {"name": "testers", "match": match}
    spec = spec_of([{"setHeaderRoute": route}, {"pause": {}}], successCriteria=CRITERIA)
    weights = Weights(applied_at=at(-20), routes=["testers"])
    cut = Route(exists=True, routes_match=False)
    scene = under_way(0, spec, current_step_index=1, weights=weights, route=cut)
    scene = scene.evolve(replica_set(NEW, 1)).serving(
        canary=service("checkout-canary", NEW, newhash=1)
    )
    assert scene.decide().actions == ()
    assert "DriftCorrected" not in told(scene.decide())
    assert scene.with_(evidence=FAILED).decide().status.abort is not None
    innocent = scene.with_(evidence=evidence("inconclusive")).decide()
    assert "DriftCorrected" in told(innocent)
    assert [type(each) for each in innocent.actions] == [SetWeight]
