"""What the routes may say while stable answers nobody: who keeps its traffic, and who takes it over."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import RemoveRoute, SelectRevision, SetWeight, SyncService
from rollouts.model.finding import Finding
from rollouts.model.route import Route, Split
from rollouts.model.status import Retiring, Revision, Weights
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    at,
    evidence,
    replica_set,
    revision,
    service,
    settled,
    spec_of,
    told,
    under_way,
)


def test_what_a_canary_that_was_kept_counted_last_is_not_counted_against_a_retry() -> None:
    scene = under_way(25).evolve(replica_set(OLD, 4, 0)).with_(evidence=evidence("fail"))
    kept = scene.decide()
    assert kept.actions == ()
    cut = scene.after(kept, 600).evolve(replica_set(OLD, 4)).with_(evidence=evidence("pass"))
    taken = cut.decide()
    assert SetWeight(Split(0, cut_off=True)) in taken.actions
    confirmed = cut.after(taken, 0.5).with_(route=Route(exists=True))
    retried = confirmed.after(confirmed.decide(), 0.5).commanded("retry").decide()
    assert told(retried)[0] == "RolloutStarted"
    assert retried.status.exposed_at == at(602)


@pytest.mark.parametrize("why", ["newer template", "bad"])
def test_a_canary_service_without_our_key_leads_to_pods_that_answer(why: str) -> None:
    """Somebody has taken it out, and a policy lets nobody put it back."""
    shared = service("checkout-canary", "", newhash=1)
    scene = under_way(25).evolve(replica_set(OLD, 4, 0)).serving(canary=shared)
    if why == "bad":
        scene = scene.with_(evidence=evidence("fail"))
    else:
        scene = scene.with_(template_hash="third")
    assert scene.decide().actions == ()
    back = scene.evolve(replica_set(OLD, 4)).decide()
    assert SetWeight(Split(0, cut_off=True)) in back.actions
    nobody = scene.serving(canary=service("checkout-canary", "")).decide()
    assert SetWeight(Split(0, cut_off=True)) in nobody.actions


def test_a_promoted_revision_keeps_its_traffic_behind_a_canary_service_without_our_key() -> None:
    """The stable Service leads to the revision before still, which has no ready pod any more."""
    promoted = settled(stable_revision=revision(NEW), current_revision=revision(NEW))
    scene = promoted.with_(
        template_hash=NEW,
        retiring=[Retiring(hash=OLD, delay_seconds=30)],
        route=Route(exists=True, weight=100, highest=100),
    ).evolve(replica_set(OLD, 4, 0), replica_set(NEW, 4))
    scene = scene.serving(
        stable=service("checkout", OLD), canary=service("checkout-canary", "", newhash=4)
    )
    assert scene.decide().actions == (SelectRevision("checkout", NEW),)
    bound = scene.serving(stable=service("checkout", NEW, newhash=4)).decide()
    assert SetWeight(Split(0, cut_off=True)) in bound.actions


def overtaken(**changes: Any) -> Scene:
    """Return a scene whose stable is out, and whose canary's traffic is a revision's before it; that fails."""
    scene = under_way(25, current_revision=Revision(number=3, hash="third"), template_hash="third")
    scene = scene.evolve(replica_set(OLD, 4, 0), replica_set("third", 1, 0))
    last = [Retiring(hash=NEW, delay_seconds=30)]
    facts = {"weights": Weights(desired=25), "retiring": last, "evidence": evidence("fail")}
    return scene.with_(**{**facts, **changes})


def test_a_fix_is_not_judged_by_what_the_revision_before_it_still_answers() -> None:
    decision = overtaken().decide()
    assert decision.status.abort is None
    assert decision.status.criteria == []


def test_evidence_of_a_fix_counts_from_when_the_revision_before_it_has_nothing_any_more() -> None:
    takes_over = overtaken().evolve(replica_set("third", 1)).decide()
    assert SelectRevision("checkout-canary", "third") in takes_over.actions
    assert takes_over.status.exposed_at == at(2)
    relieved = overtaken().evolve(replica_set(OLD, 4)).decide()
    assert SetWeight(Split(0, cut_off=False)) in relieved.actions
    assert relieved.status.exposed_at == relieved.status.drain_until == at(2)


def test_what_the_revision_before_answers_until_endpoints_follow_is_left_to_it() -> None:
    """The fix has just been given the canary Service, and crashes; endpoints are still those of before."""
    taken = Weights(desired=5, applied=25)
    scene = overtaken(weights=taken, evidence=evidence("pass"))
    before = scene.serving(canary=service("checkout-canary", "third", newhash=1))
    assert not [each for each in before.decide().actions if isinstance(each, SetWeight)]
    followed = scene.serving(canary=service("checkout-canary", "third")).decide()
    assert SetWeight(Split(5)) in followed.actions


def test_a_canary_keeps_its_share_as_long_as_endpoints_of_it_are_shown() -> None:
    """Its node went, which pods are told first: stable answers nobody, so that nothing is gained by haste."""
    scene = under_way(25).evolve(replica_set(OLD, 4, 0), replica_set(NEW, 1, 0))
    scene = scene.with_(evidence=evidence("fail"))
    shown = scene.serving(canary=service("checkout-canary", NEW, newhash=1))
    assert not [each for each in shown.decide().actions if isinstance(each, SetWeight)]
    gone = scene.serving(canary=service("checkout-canary", NEW)).decide()
    assert SetWeight(Split(0, cut_off=True)) in gone.actions


FOR_TESTERS: Any = {
    "setHeaderRoute": {
        "name": "testers",
        "match": [{"headerName": "x-tester", "headerValue": {"exact": "1"}}],
    }
}


@pytest.mark.parametrize("first", [FOR_TESTERS, {"pause": {}}])
def test_no_user_reaches_a_fix_before_its_first_weight(first: Any) -> None:
    routed = {"stableService": "checkout", "trafficRouting": {"gatewayAPI": {"httpRoutes": ["a"]}}}
    spec = spec_of(strategy={"canary": {**routed, "steps": [first, {"setWeight": 5}]}})
    waiting = overtaken(spec=spec, weights=Weights()).evolve(replica_set("third", 1))
    decision = waiting.decide()
    assert not takes_over(waiting)
    assert decision.status.message.endswith(
        "revision 2 keeps what it has until it has one, or a step gives the new revision a weight;"
        " promote --full gives it everything"
    )
    late = waiting.after(decision, 7200).decide()
    assert late.status.abort is None
    full = waiting.after(late).commanded("promote-full")
    assert takes_over(full.after(full.decide()))


def takes_over(scene: Scene) -> bool:
    """Return whether the canary Service is pointed at the fix in one of the next decisions."""
    scene = scene.with_(command=None).evolve(replica_set("third", 4))
    return SelectRevision("checkout-canary", "third") in scene.decide().actions


def test_a_fix_takes_over_all_of_it_with_its_first_weight() -> None:
    """There is no other way to begin: the canary Service leads to one of them, and stable answers nobody."""
    assert takes_over(overtaken(weights=Weights(desired=5)))


@pytest.mark.parametrize("why", ["ports", "blocked"])
def test_a_fix_takes_nothing_over_that_no_weight_could_give_it(why: str) -> None:
    """Its Service leads where stable's pods listened before, and a policy may refuse to change that."""
    scene = overtaken(weights=Weights(desired=5)).evolve(replica_set("third", 4))
    led = scene.observed.services["checkout-canary"]
    if why == "ports":
        scene = scene.serving(canary=replace(led, ours=True, is_outdated=True))
    else:
        found = Finding("error", "SecondCanary", "another is there")
        scene = scene.with_(route=Route(exists=True, weight=25, highest=25, findings=(found,)))
    decision = scene.decide()
    assert SelectRevision("checkout-canary", "third") not in decision.actions
    assert (SyncService("checkout-canary") in decision.actions) == (why == "ports")


@pytest.mark.parametrize(
    "route",
    [
        Route(exists=True, weight=None, highest=1, is_cut=True),
        Route(exists=True, weight=None, highest=1, written=frozenset({0})),
    ],
    ids=["an answer is lacking", "a header route is open"],
)
def test_what_no_route_sends_to_a_canary_is_not_kept_by_it(route: Route) -> None:
    """Somebody has emptied them while stable was out, and the release has no weight yet."""
    scene = under_way(25, spec_of(paused=True), weights=Weights(), route=route)
    decision = scene.evolve(replica_set(OLD, 4, 0)).decide()
    written = [each for each in decision.actions if isinstance(each, SetWeight)]
    assert all(each.split.percent == 0 for each in written)


@pytest.mark.parametrize(
    "changes", [{}, {"template_hash": "third"}], ids=["held", "newer template"]
)
def test_a_route_that_would_lead_to_nobody_is_put_back_when_stable_answers(changes: Any) -> None:
    """Somebody has deleted a TrafficSplit: until then pods answer that its root Service selects by itself."""
    missing = Route(exists=True, weight=None, highest=1, intact=False)
    scene = under_way(25, spec_of(paused=True), weights=Weights(), route=missing, **changes)
    decision = scene.evolve(replica_set(OLD, 4, 0)).decide()
    assert not [each for each in decision.actions if isinstance(each, SetWeight)]
    assert "DriftCorrected" not in told(decision)
    back = scene.after(decision).evolve(replica_set(OLD, 4)).decide()
    assert [each.split.percent for each in back.actions if isinstance(each, SetWeight)] == [0]


@pytest.mark.parametrize("endpoints", [4, 0], ids=["shown still", "gone"])
def test_when_settled_a_route_that_would_lead_to_nobody_is_put_back_when_stable_answers(
    endpoints: int,
) -> None:
    """Pods are told before endpoints: those that are shown may answer nobody any more."""
    missing = Route(exists=True, weight=None, highest=1, intact=False)
    rested = service("checkout-canary", OLD, oldhash=endpoints)
    scene = settled(route=missing).serving(
        stable=service("checkout", OLD, oldhash=endpoints), canary=rested
    )
    assert scene.evolve(replica_set(OLD, 4, 0)).decide().actions == ()
    answers = scene.serving(stable=service("checkout", OLD, oldhash=4))
    assert answers.decide().actions == (RemoveRoute(),)


def test_pods_that_a_mesh_without_its_split_may_ask_have_their_delay_anew() -> None:
    """Its root Service selects them by itself: those of a revision that was left, too."""
    left = [Retiring(hash=NEW, delay_seconds=30, at=at(1))]
    scene = settled(retiring=left).evolve(replica_set(NEW, 1))
    scene = scene.serving(canary=service("checkout-canary", OLD, oldhash=4))
    missing = scene.with_(route=Route(exists=True, weight=None, highest=1, intact=False))
    asked = missing.decide()
    assert asked.status.retiring == [Retiring(hash=NEW, delay_seconds=30)]
    back = scene.after(asked).decide()
    assert [each.at for each in back.status.retiring] == [at(31)]


def test_what_is_taken_from_the_revision_before_was_put_there_by_nobody_else() -> None:
    """It was rolled back, too, and stable is back."""
    decided = overtaken().commanded("abort").decide()
    relieved = overtaken(status=decided.status).evolve(replica_set(OLD, 4)).decide()
    assert told(relieved) == []
    assert relieved.status.message == decided.status.message.partition("; stable has")[0]


def test_an_autoscaler_at_zero_in_mid_release_makes_no_stable_that_is_out_an_answer() -> None:
    """The release keeps its pods until it has ended: that none is asked for any more is no reason."""
    scene = under_way(25, spec_of(replicas=0)).evolve(replica_set(OLD, 4, 0))
    decision = scene.with_(evidence=evidence("fail")).decide()
    assert decision.status.abort is not None
    assert decision.actions == ()
    cut = scene.after(decision).with_(route=Route()).decide()
    assert SelectRevision("checkout-canary", OLD) not in cut.actions


def test_a_route_that_is_not_there_and_has_nothing_to_say_is_no_drift() -> None:
    scene = under_way(0, current_step_index=0, route=Route(exists=False, intact=False))
    assert "DriftCorrected" not in told(scene.decide())
