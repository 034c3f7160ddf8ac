"""How a release begins: first sight, a new template, the way back; and what must not look like one."""

import pytest

from rollouts.core.plan.actions import (
    Adopt,
    CreateReplicaSet,
    NumberReplicaSet,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
)
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import REPLICA_SET, Ref
from rollouts.model.route import Route, Split
from rollouts.model.status import Exposure, RolloutStatus, Weights
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    OLD,
    Scene,
    at,
    evidence,
    observed,
    replica_set,
    revision,
    rolled_back,
    service,
    settled,
    spec_of,
    told,
    under_way,
)


def new_rollout(**facts: object) -> Scene:
    return Scene(spec_of(), RolloutStatus(), observed(NEW, **facts))


def test_a_first_deploy_has_no_steps_and_protects_nothing() -> None:
    empty = {"checkout": service("checkout", "")}
    scene = new_rollout(replica_sets={}, services=empty)
    decision = scene.decide()
    assert told(decision) == ["FirstDeploy"]
    assert decision.actions == ()
    scene = scene.after(decision)
    decision = scene.decide()
    assert decision.actions == (CreateReplicaSet(NEW, 1, 4),)
    status = scene.evolve(replica_set(NEW, 4, 3)).decide().status
    assert (status.phase, status.stable_revision) == ("Progressing", None)
    assert status.message == "the first deploy waits: 3 of 4 pods are available"
    decision = scene.evolve(replica_set(NEW, 4)).decide()
    assert decision.status.stable_revision == decision.status.current_revision
    assert decision.status.weights.applied == 100


def test_a_first_deploy_that_does_not_come_up_says_why_and_stalls() -> None:
    scene = new_rollout(replica_sets={}, services={"checkout": service("checkout", "")})
    scene = scene.after(scene.decide())
    scene = scene.evolve(replica_set(NEW, 4, 0, problem="ImagePullBackOff", revision=1))
    early, late = scene.decide(), scene.with_(now=at(601)).decide()
    assert early.status.phase == "Progressing"
    assert early.requeue_after_seconds == pytest.approx(599)
    assert "0 of 4 pods are available (ImagePullBackOff)" in early.status.message
    assert late.status.phase == "Degraded"
    assert told(late) == ["Blocked"]
    assert late.actions == ()


@pytest.mark.parametrize("template", [OLD, NEW])
def test_after_a_restore_the_revision_that_the_service_selects_is_stable(template: str) -> None:
    """Status is empty and the cluster is not: traffic stays where it is."""
    scene = Scene(spec_of(), RolloutStatus(), observed(template))
    decision = scene.decide()
    status = decision.status
    assert status.stable_revision is not None
    assert status.stable_revision.hash == OLD
    assert decision.actions == ()
    assert told(decision) == (["StableFound"] if template == OLD else ["RolloutStarted"])
    assert status.weights == (
        Weights(desired=100, applied=100) if template == OLD else Weights(desired=25)
    )
    following = scene.after(decision).decide().actions
    moved = (SelectRevision, SetWeight, RemoveRoute, ScaleReplicaSet)
    assert not any(isinstance(action, moved) for action in following)


def test_what_may_have_served_before_a_restore_has_its_time_to_end_requests() -> None:
    sets = {each.hash: each for each in (replica_set(OLD, 4), replica_set(NEW, 1))}
    scene = Scene(spec_of(), RolloutStatus(), observed(OLD, replica_sets=sets))
    scene = scene.after(scene.decide())
    assert [entry.hash for entry in scene.status.retiring] == [NEW]
    assert ScaleReplicaSet("checkout-newhash", 0) not in scene.decide().actions
    late = scene.with_(now=at(31)).decide()
    assert ScaleReplicaSet("checkout-newhash", 0) in late.actions


def test_what_a_service_without_our_key_led_to_before_a_restore_has_its_time_as_well() -> None:
    """Nothing tells which of them is stable: the first deploy is, which has its pods already."""
    sets = {each.hash: each for each in (replica_set(OLD, 4), replica_set(NEW, 4))}
    shared = {"checkout": service("checkout", "", oldhash=4, newhash=4)}
    scene = new_rollout(replica_sets=sets, services=shared)
    scene = scene.after(scene.decide())
    assert scene.status.stable_revision == scene.status.current_revision
    assert [entry.hash for entry in scene.status.retiring] == [OLD]
    binds = scene.with_(now=at(600)).decide()
    assert SelectRevision("checkout", NEW) in binds.actions
    bound = scene.after(binds, 600).serving(stable=service("checkout", NEW, newhash=4))
    decision = bound.decide()
    assert ScaleReplicaSet("checkout-oldhash", 0) not in decision.actions
    late = bound.after(decision, 31).decide()
    assert ScaleReplicaSet("checkout-oldhash", 0) in late.actions


def test_after_a_restore_into_the_middle_of_a_rollout_traffic_goes_to_stable_first() -> None:
    """A route with weight is left over from the life before: its canary is begun anew."""
    scene = under_way().with_(status=RolloutStatus())
    decision = scene.decide()
    assert decision.actions == (SetWeight(Split(0, cut_off=True)),)
    assert decision.status.current_step_index == 0
    assert decision.status.weights.applied == 0
    assert decision.status.drain_until == at(2)


def test_a_service_that_selects_a_revision_without_pods_protects_nothing() -> None:
    scene = new_rollout(replica_sets={OLD: replica_set(OLD, 0)})
    assert told(scene.decide()) == ["FirstDeploy"]


def test_a_replica_set_that_nobody_owns_is_adopted() -> None:
    scene = settled().evolve(replica_set(OLD, 4, owned=False))
    assert scene.decide().actions == (Adopt(Ref(REPLICA_SET, "shop", "checkout-oldhash")),)
    assert settled().decide().actions == ()


def test_a_new_template_is_a_new_revision_at_step_0_with_nothing_remembered() -> None:
    scene = settled(spec_of(successCriteria=CRITERIA), template_hash=NEW, images=("shop:new",))
    decision = scene.decide()
    status = decision.status
    assert told(decision) == ["RolloutStarted"]
    assert status.message == "step 1/3 at 0 %: 0 of 1 canary pods are available"
    assert status.history[-1].message == (
        "revision 2 (shop:new) is to replace revision 1 (shop:oldhash) in 3 steps"
    )
    assert (status.current_step_index, status.step) == (0, "1/3")
    assert status.current_revision is not None
    assert (status.current_revision.number, status.current_revision.hash) == (2, NEW)
    assert (status.criteria, status.exposure.canary_requests) == ([], 0)
    assert decision.actions == ()
    assert scene.after(decision).decide().actions == (CreateReplicaSet(NEW, 2, 1),)


def test_a_revision_that_comes_back_is_numbered_anew_and_not_made_twice() -> None:
    old = replica_set(NEW, 0, revision=1)
    scene = settled(template_hash=NEW).evolve(old, replica_set(OLD, 4, revision=5))
    scene = scene.after(scene.decide())
    assert scene.decide().actions == (
        ScaleReplicaSet("checkout-newhash", 1),
        NumberReplicaSet("checkout-newhash", 6),
    )


def test_a_newer_template_sends_traffic_back_first_and_retires_the_canary() -> None:
    scene = under_way(template_hash="newest")
    decision = scene.decide()
    assert decision.actions == (SetWeight(Split(0, cut_off=True)),)
    status = decision.status
    assert [entry.hash for entry in status.retiring] == [NEW]
    assert (status.current_step_index, status.weights.applied) == (0, 0)
    assert (status.drain_until, status.exposed_at) == (at(2), at(2))
    cut = scene.after(decision).with_(route=Route(exists=True, weight=0, highest=0))
    assert SetWeight(Split(25)) not in cut.decide().actions


@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_evidence_of_an_older_attempt_is_never_judged(verdict: str) -> None:
    """The look was made at the canary that has just been replaced, or is tried again."""
    spec = spec_of(successCriteria=CRITERIA)
    replaced = under_way(spec=spec, template_hash="newest", evidence=evidence(verdict)).decide()
    retried = rolled_back(spec=spec, evidence=evidence(verdict)).commanded("retry", "id-2").decide()
    for decision in (replaced, retried):
        assert decision.status.abort is None
        assert decision.status.criteria == []
        assert decision.status.current_step_index == 0


def test_the_stable_template_again_needs_no_steps() -> None:
    decision = under_way(template_hash=OLD).decide()
    assert decision.actions == (SetWeight(Split(0, cut_off=True)),)
    status = decision.status
    assert told(decision)[0] == "BackToStable"
    assert status.current_revision == status.stable_revision == revision(OLD)
    assert status.current_step_index is None
    assert [entry.hash for entry in status.retiring] == [NEW]


def test_the_stable_template_again_ends_a_rollback() -> None:
    decision = rolled_back(template_hash=OLD).decide()
    assert decision.status.abort is None
    assert decision.status.phase == "Healthy"
    assert told(decision) == ["BackToStable"]


def test_evidence_is_not_remembered_when_no_rollout_is_under_way() -> None:
    decision = settled(evidence=evidence("fail")).decide()
    assert (decision.status.criteria, decision.actions, decision.events) == ([], (), ())
    assert settled(evidence=Evidence()).decide().status == decision.status


def test_how_far_apart_scrapes_are_is_known_to_the_next_attempt() -> None:
    scene = under_way(25, exposure=Exposure(canary_requests=9, scrape_interval_seconds=60.0))
    begun = scene.with_(template_hash="newer").decide().status
    assert begun.exposure == Exposure(scrape_interval_seconds=60.0)
