"""Size before weight, weight before the next step, and the promotion at the end."""

from dataclasses import replace

import pytest

from rollouts.core.plan.actions import (
    CreateReplicaSet,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
)
from rollouts.core.world import canary_replicas, canary_scale_at, pods_needed
from rollouts.model.finding import Finding
from rollouts.model.route import Route, Split
from rollouts.model.status import PauseCondition, RolloutStatus, Weights
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    OLD,
    Scene,
    at,
    evidence,
    replica_set,
    service,
    spec_of,
    told,
    under_way,
)

NO_ROUTE = Route()
WANTS_25 = Weights(desired=25)


def about_to_rise(**changes: object) -> Scene:
    """Return a scene in which all is in place to raise the weight from 0 to 25."""
    return under_way(25).with_(**{"weights": WANTS_25, "route": NO_ROUTE, **changes})


def raises(scene: Scene) -> bool:
    return any(
        isinstance(action, SetWeight) and action.split.percent for action in scene.decide().actions
    )


def test_the_weight_rises_when_size_service_and_stable_are_in_place() -> None:
    assert about_to_rise().decide().actions == (SetWeight(Split(25)),)


BLOCKING = Finding("error", "SecondCanary", "somebody else is there")


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(about_to_rise().without(NEW), id="no ReplicaSet"),
        pytest.param(about_to_rise().evolve(replica_set(NEW, 1, 0)), id="no pod available"),
        pytest.param(
            about_to_rise(spec=spec_of([{"setWeight": 25}], replicas=8)), id="too few pods"
        ),
        pytest.param(
            about_to_rise().serving(canary=service("checkout-canary", NEW)), id="no ready endpoint"
        ),
        pytest.param(
            about_to_rise().serving(canary=service("checkout-canary", NEW, oldhash=4)),
            id="endpoints of another revision",
        ),
        pytest.param(
            about_to_rise().serving(canary=service("checkout-canary", OLD, newhash=1)),
            id="canary Service selects another",
        ),
        pytest.param(
            about_to_rise().with_(services={"checkout": service("checkout", OLD, oldhash=4)}),
            id="no canary Service",
        ),
        pytest.param(
            about_to_rise().serving(stable=service("checkout", "", oldhash=4, newhash=1)),
            id="stable Service selects everything",
        ),
        pytest.param(
            about_to_rise().serving(stable=service("checkout", NEW, newhash=1)),
            id="stable Service selects the canary",
        ),
        pytest.param(about_to_rise(route=Route(findings=(BLOCKING,))), id="a blocking finding"),
        pytest.param(about_to_rise(drain_until=at(1)), id="counters still move"),
        pytest.param(about_to_rise(spec=spec_of(paused=True)), id="spec.paused"),
        pytest.param(
            about_to_rise(held_by=PauseCondition(reason="Command", at=at(-5))),
            id="paused by a command",
        ),
    ],
)
def test_the_weight_does_not_rise_while_anything_is_missing(scene: Scene) -> None:
    assert not raises(scene)


def test_a_finding_that_blocks_nothing_does_not_hold_the_weight() -> None:
    warning = Finding("warning", "CookieAffinity", "users stay where they are")
    assert raises(about_to_rise(route=Route(findings=(warning,))))


def test_draining_ends_by_the_clock_says_so_and_asks_to_be_woken() -> None:
    decision = about_to_rise(drain_until=at(1.5)).decide()
    assert decision.requeue_after_seconds == 1.5
    assert (
        "25 % waits until the counters of the last canary no longer rise" in decision.status.message
    )
    assert raises(about_to_rise(drain_until=at(0)))


def test_a_rise_is_not_confirmed_by_the_decision_that_takes_it_back() -> None:
    """The canary's pods are lost between the write of its weight and the sight of it."""
    risen = about_to_rise(route=Route(exists=True, weight=25, highest=25))
    lost = risen.evolve(replica_set(NEW, 1, 0)).serving(canary=service("checkout-canary", NEW))
    decision = lost.decide()
    assert [each.split.percent for each in decision.actions if isinstance(each, SetWeight)] == [0]
    assert decision.status.weights.applied == 0
    assert risen.decide().status.weights.applied == 25


def test_a_weight_counts_once_all_routes_say_it() -> None:
    rising = under_way(25).with_(
        weights=WANTS_25, route=Route(exists=True, weight=None, highest=25)
    )
    assert rising.decide().status.weights.applied == 0
    confirmed = rising.with_(route=Route(exists=True, weight=25, highest=25)).decide()
    assert confirmed.status.weights == Weights(desired=25, applied=25, applied_at=at(0))
    assert "WeightSet" in told(confirmed)


def test_a_bigger_step_is_written_down_before_it_is_made() -> None:
    promoted = under_way(25).with_(current_step_index=1, promoted="Step")
    decision = promoted.decide()
    assert decision.status.weights.desired == 50
    assert decision.actions == ()
    following = promoted.after(decision)
    assert following.decide().actions == (ScaleReplicaSet("checkout-newhash", 2),)
    bigger = following.evolve(replica_set(NEW, 2)).serving(
        canary=service("checkout-canary", NEW, newhash=1)
    )
    assert bigger.decide().actions == (), "the second pod is not in the Service yet"
    ready = bigger.serving(canary=service("checkout-canary", NEW, newhash=2))
    assert ready.decide().actions == (SetWeight(Split(50)),)


def test_a_pause_without_duration_waits_for_a_person() -> None:
    decision = under_way(25).decide()
    assert (decision.status.phase, decision.status.current_step_index) == ("Paused", 1)
    assert decision.status.message == "step 2/3 at 25 %: waits for a person to promote or abort it"
    assert decision.requeue_after_seconds is None


def test_a_pause_with_a_duration_ends_by_the_clock() -> None:
    spec = spec_of([{"setWeight": 25}, {"pause": {"duration": "30s"}}, {"setWeight": 50}])
    scene = under_way(25, spec)
    decision = scene.decide()
    assert decision.status.phase == "Progressing"
    assert decision.requeue_after_seconds == 30
    scene = scene.after(decision)
    assert scene.with_(now=at(29)).decide().status.current_step_index == 1
    assert scene.with_(now=at(30)).decide().status.current_step_index == 2


def test_spec_paused_freezes_the_clock_of_a_pause() -> None:
    steps = [{"setWeight": 25}, {"pause": {"duration": "30s"}}, {"setWeight": 50}]
    scene = under_way(25, spec_of(steps))
    scene = scene.after(scene.decide())
    held = scene.with_(spec=spec_of(steps, paused=True), now=at(10))
    decision = held.decide()
    assert (decision.status.phase, told(decision)) == ("Paused", ["Paused"])
    held = held.after(decision).with_(now=at(500))
    assert held.decide().status.current_step_index == 1
    going = held.with_(spec=spec_of(steps)).decide()
    assert going.status.step_started_at == at(500)
    assert going.requeue_after_seconds == 30


def test_no_weight_is_raised_blindly() -> None:
    spec = spec_of([{"setWeight": 25}, {"setWeight": 50}], successCriteria=CRITERIA)
    scene = under_way(25, spec)
    blind = scene.decide().status
    assert (blind.current_step_index, blind.weights.desired) == (0, 25)
    assert "waits for the first measurement of the success criteria at 25 %" in blind.message
    before = scene.with_(evidence=evidence("pass", seconds=-9)).decide().status
    assert before.weights.desired == 25, "that look was at the weight before"
    seen = scene.with_(evidence=evidence("inconclusive", seconds=-1)).decide().status
    assert seen.weights.desired == 50


@pytest.mark.parametrize(("errors", "reason"), [(1, None), (4, None), (5, "MetricsUnavailable")])
def test_a_provider_that_does_not_answer_holds_the_weight(errors: int, reason: str | None) -> None:
    spec = spec_of([{"setWeight": 25}, {"setWeight": 50}], successCriteria=CRITERIA)
    silent = evidence("error", errors=errors, message="Prometheus does not answer")
    status = under_way(25, spec, evidence=silent).decide().status
    assert status.weights.desired == 25
    assert status.abort is None
    assert "errors can't be measured: Prometheus does not answer" in status.message
    assert "the weight stays until it can be, or somebody promotes or aborts" in status.message
    assert (status.pause.reason if status.pause else None) == reason


@pytest.mark.parametrize(
    ("policy", "verdict", "step", "phase"),
    [
        ("pause", "inconclusive", 1, "Paused"),
        ("proceed", "inconclusive", 2, "Progressing"),
        ("rollback", "inconclusive", 1, "Degraded"),
        ("pause", "pass", 2, "Progressing"),
        ("rollback", "pass", 2, "Progressing"),
    ],
)
def test_what_inconclusive_does_at_the_end_of_an_analysis(
    policy: str, verdict: str, step: int, phase: str
) -> None:
    criteria = [{**CRITERIA[0], "onInconclusive": policy}]
    steps = [{"setWeight": 25}, {"analysis": {"duration": "5s"}}, {"setWeight": 50}]
    seen = evidence(verdict, seconds=0)
    scene = under_way(25, spec_of(steps, successCriteria=criteria), evidence=seen)
    scene = scene.with_(current_step_index=1, step_started_at=at(-5))
    decision = scene.decide()
    assert decision.status.phase == phase
    assert decision.status.current_step_index == step
    assert (decision.status.abort is not None) is (phase == "Degraded")
    early = scene.with_(step_started_at=at(-4)).decide().status
    assert (early.current_step_index, early.phase) == (1, "Progressing")


def at_the_end(**changes: object) -> Scene:
    """Return a scene after the last step: full size and all the traffic, confirmed."""
    return under_way(100).with_(current_step_index=3, step_started_at=at(-10), **changes)


def test_promotion_makes_it_stable_and_keeps_the_old_one_for_a_while() -> None:
    scene = at_the_end()
    decision = scene.decide()
    status = decision.status
    assert told(decision) == ["Promoted"]
    assert status.stable_revision == status.current_revision
    assert (status.current_step_index, status.stable_floor) == (None, 4)
    assert [(entry.hash, entry.at) for entry in status.retiring] == [(OLD, None)]
    assert decision.actions == ()
    scene = scene.after(decision)
    switch = scene.decide().actions
    assert switch == (SelectRevision("checkout", NEW),), "the Service before anything else"
    scene = scene.serving(stable=service("checkout", NEW, newhash=4))
    decision = scene.decide()
    assert decision.actions == (RemoveRoute(),)
    assert decision.status.retiring[0].at == at(1 + 5), "its last request can't be later than now"
    scene = scene.after(decision).with_(route=NO_ROUTE)
    assert scene.with_(now=at(5)).decide().actions == ()
    assert scene.with_(now=at(6)).decide().actions == (ScaleReplicaSet("checkout-oldhash", 0),)


def test_the_route_stays_until_the_stable_service_has_the_new_pods() -> None:
    scene = at_the_end()
    scene = scene.after(scene.decide()).serving(stable=service("checkout", NEW))
    assert scene.decide().actions == ()


def test_the_old_revision_is_not_promoted_over_before_the_new_one_is_full() -> None:
    decision = at_the_end().evolve(replica_set(NEW, 4, 3, ready=4)).decide()
    assert decision.status.stable_revision != decision.status.current_revision
    assert "promotion: 3 of 4 canary pods are available" in decision.status.message


@pytest.mark.parametrize(
    ("total", "weight", "pods"),
    [(4, 0, 0), (4, 1, 1), (4, 25, 1), (4, 26, 2), (4, 100, 4), (0, 50, 1), (10, 5, 1), (7, 50, 4)],
)
def test_a_weight_needs_pods_rounded_up(total: int, weight: int, pods: int) -> None:
    assert canary_replicas(total, weight) == pods


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_beyond_percent_is_refused(weight: int) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        canary_replicas(4, weight)


SCALES = [
    {"setCanaryScale": {"replicas": 3}},
    {"setWeight": 25},
    {"setCanaryScale": {"weight": 50}},
    {"setCanaryScale": {"matchTrafficWeight": True}},
    {"setWeight": 50},
]


@pytest.mark.parametrize(("index", "scale"), [(0, 3), (1, 3), (2, 2), (3, None), (4, None)])
def test_set_canary_scale_holds_until_the_next_one(index: int, scale: int | None) -> None:
    status = under_way(25).status
    assert canary_scale_at(spec_of(SCALES), status, index) == scale


@pytest.mark.parametrize(
    ("scale", "desired", "pods"), [(3, 25, 3), (0, 0, 0), (0, 25, 1), (1, 50, 1), (1, 100, 4)]
)
def test_a_scale_counts_instead_of_the_weight_but_not_for_all_the_traffic(
    scale: int, desired: int, pods: int
) -> None:
    status = RolloutStatus(canary_scale=scale, stable_floor=4, weights=Weights(desired=desired))
    assert pods_needed(spec_of(), status) == pods


def test_set_canary_scale_sizes_the_canary_before_any_weight() -> None:
    scene = under_way(0, spec_of(SCALES), weights=Weights(), route=NO_ROUTE).without(NEW)
    decision = scene.decide()
    assert decision.status.canary_scale == 3
    scene = scene.after(decision)
    assert scene.decide().actions == (CreateReplicaSet(NEW, 2, 3),)
    assert scene.evolve(replica_set(NEW, 3, 2)).decide().status.current_step_index == 0
    assert scene.evolve(replica_set(NEW, 3)).decide().status.current_step_index == 1


def test_within_an_attempt_the_canary_never_shrinks_by_itself() -> None:
    """Weights may fall from step to step; the pods have served, and stay."""
    spec = spec_of([{"setWeight": 50}, {"setWeight": 25}, {"pause": {}}])
    scene = under_way(25, spec, current_step_index=1).evolve(replica_set(NEW, 2))
    assert scene.decide().actions == ()


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (Route(exists=True, weight=3, highest=3), "says 3 %"),
        (Route(exists=False, weight=0, highest=0), "is gone"),
        (Route(exists=True, weight=25, highest=25, intact=False), "was changed"),
    ],
)
def test_a_change_of_the_route_by_somebody_else_is_put_back_and_said(
    route: Route, words: str
) -> None:
    decision = under_way(25, current_step_index=1, route=route).decide()
    assert "DriftCorrected" in told(decision)
    assert decision.actions == (SetWeight(Split(25)),)
    (said,) = [each for each in decision.events if each.reason == "DriftCorrected"]
    assert (said.type, said.message) == (
        "Warning",
        f"the canary's route {words}; the controller puts it back to 25 %",
    )


def test_a_route_that_is_gone_and_can_not_be_made_again_is_said_and_not_counted() -> None:
    problem = Finding("error", "TrafficSplitsNotServed", "the cluster serves no TrafficSplits")
    gone = Route(exists=False, weight=0, highest=0, findings=(problem,))
    decision = under_way(25, current_step_index=1, route=gone).decide()
    assert told(decision) == ["Blocked"]
    assert decision.status.weights.applied == 0
    assert decision.status.message == f"step 2/3 at 0 %: {problem.message}"
    again = under_way(25, current_step_index=1, weights=WANTS_25, route=Route()).decide()
    assert again.actions == (SetWeight(Split(25)),)


@pytest.mark.parametrize(
    ("arm", "selected", "hash_"),
    [("stable", NEW, OLD), ("stable", "", OLD), ("canary", OLD, NEW), ("canary", "", NEW)],
)
def test_a_service_that_somebody_points_elsewhere_is_put_back_and_said(
    arm: str, selected: str, hash_: str
) -> None:
    name = "checkout" if arm == "stable" else "checkout-canary"
    scene = under_way(25, current_step_index=1)
    scene = scene.with_(status=scene.status.evolve(services=["checkout", "checkout-canary"]))
    decision = scene.serving(**{arm: service(name, selected, oldhash=4, newhash=1)}).decide()
    assert decision.actions == (SelectRevision(name, hash_),)
    assert "DriftCorrected" in told(decision)
    assert decision.status.abort is None
    held = scene.with_(held_by=PauseCondition(reason="Command", at=at(-5)))
    held = held.serving(**{arm: service(name, selected, oldhash=4, newhash=1)})
    assert held.decide().actions == (SelectRevision(name, hash_),), "a hold does not hold this"


def test_weight_that_still_reaches_a_superseded_canary_is_not_this_one_s() -> None:
    """Somebody opens the route by hand before the canary Service was switched."""
    before = service("checkout-canary", "before", newhash=1)
    scene = under_way(25, weights=WANTS_25).serving(canary=before)
    decision = scene.decide()
    assert decision.status.weights.applied == 0
    assert decision.actions == (SetWeight(Split(0)),)


def test_routes_that_differ_for_a_moment_are_nobody_s_change() -> None:
    moving = Route(exists=True, weight=None, highest=25)
    assert "DriftCorrected" not in told(under_way(25, route=moving).decide())
    moving = replace(moving, written=frozenset({0, 25}))
    assert "DriftCorrected" not in told(under_way(25, weights=WANTS_25, route=moving).decide())


def test_a_change_of_one_of_several_routes_is_said_before_it_is_confirmed() -> None:
    changed = Route(exists=True, weight=None, highest=25, written=frozenset({0, 25}))
    decision = under_way(25, current_step_index=1, route=changed).decide()
    (said,) = [each for each in decision.events if each.reason == "DriftCorrected"]
    assert said.message == "the canary's route says 0 %; the controller puts it back to 25 %"
    assert decision.actions == (SetWeight(Split(25)),)
    stuck = replace(changed, findings=(Finding("error", "NotServed", "no kind"),))
    assert "DriftCorrected" not in told(under_way(25, current_step_index=1, route=stuck).decide())
