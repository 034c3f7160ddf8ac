"""What each Service is to be, decision by decision: followed, bound, narrowed, and given back."""

from dataclasses import replace
from typing import Any

import pytest

from rollouts.core.plan.actions import (
    CreateReplicaSet,
    CreateService,
    ReleaseService,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
    SyncService,
)
from rollouts.core.world import Service
from rollouts.model.finding import Finding
from rollouts.model.route import Route
from tests.unit.core.next.test_workload import adopting, deployment
from tests.unit.core.worlds import (
    NEW,
    OLD,
    STEPS,
    Scene,
    at,
    condition,
    replica_set,
    service,
    settled,
    spec_of,
    told,
    under_way,
)

BY_PODS = spec_of(strategy={"canary": {"steps": STEPS, "maxSurge": 4}})
BLUE_GREEN = spec_of(strategy={"blueGreen": {"activeService": "checkout"}})


def with_left(scene: Scene, hash_: str = OLD, *, ours: bool = False) -> Scene:
    """Return the scene with a Service that was bound, and that the spec names no longer."""
    found = replace(service("old", hash_, **{hash_: 4}), ours=ours)
    kept = [] if ours else ["old"]
    return scene.with_(
        services={**scene.observed.services, "old": found},
        status=scene.status.evolve(services=[*scene.status.services, *kept]),
    )


def about_services(scene: Scene) -> list[Any]:
    kinds = (SelectRevision, ReleaseService, SyncService, CreateService)
    return [each for each in scene.decide().actions if isinstance(each, kinds)]


def test_what_is_bound_is_remembered_once() -> None:
    scene = settled()
    assert scene.status.services == ["checkout"]
    ours = replace(service("checkout-canary", OLD, oldhash=4), ours=True)
    assert scene.serving(canary=ours).decide().status.services == ["checkout"]
    theirs = scene.serving(canary=replace(ours, ours=False)).decide().status
    assert theirs.services == ["checkout", "checkout-canary"]
    assert scene.with_(services={}).decide().status.services == []


def test_what_an_older_rollout_has_bound_is_not_remembered_as_ours() -> None:
    claim = Finding("error", "ServiceClaimed", "Rollout elder already releases Service checkout")
    scene = settled().with_(route=Route(findings=(claim,)))
    assert scene.with_(status=scene.status.evolve(services=[])).decide().status.services == []


def test_a_service_that_is_named_no_longer_is_given_back_when_settled() -> None:
    scene = with_left(settled())
    decision = scene.decide()
    assert decision.actions == (ReleaseService("old"),)
    assert decision.status.services == ["checkout", "old"]
    assert (decision.status.phase, told(decision)) == ("Healthy", [])

    given = scene.after(decision)
    given = given.with_(services={**given.observed.services, "old": service("old", "", oldhash=4)})
    decision = given.decide()
    assert decision.actions == ()
    assert told(decision) == ["ServiceGivenBack"]
    assert decision.status.services == ["checkout"]
    assert "is stable" in decision.status.message


@pytest.mark.parametrize("size", [1, 0])
def test_while_another_revision_has_pods_or_will_it_goes_along_with_stable(size: int) -> None:
    """Without our key it selects every revision's pods, those of a bad canary too."""
    other = replica_set(NEW, size, wanted=1)
    scene = with_left(settled()).evolve(other)
    assert about_services(scene) == []
    assert about_services(with_left(settled(), NEW).evolve(other)) == [SelectRevision("old", OLD)]


def test_it_goes_along_only_to_a_revision_that_has_ready_pods() -> None:
    scene = with_left(settled(), NEW).evolve(replica_set(OLD, 4, 0), replica_set(NEW, 1))
    assert about_services(scene) == []
    kept = with_left(settled(), NEW).evolve(replica_set(NEW, 1))
    assert ScaleReplicaSet("checkout-newhash", 0) not in kept.decide().actions


def test_the_revision_that_it_selects_is_not_left_by_requests() -> None:
    scene = with_left(under_way(), NEW).commanded("abort")
    scene = scene.after(scene.decide()).with_(command=None, route=Route())
    (entry,) = scene.decide().status.retiring
    assert entry.at is None


def test_a_retreat_takes_it_along() -> None:
    scene = with_left(under_way(), NEW).commanded("abort")
    assert SelectRevision("old", OLD) in scene.decide().actions


def test_one_of_ours_stays_and_is_given_back_as_well() -> None:
    scene = with_left(settled(), ours=True)
    assert about_services(scene) == [ReleaseService("old")]
    assert scene.decide().status.services == ["checkout"]
    moved = with_left(settled(), NEW, ours=True).evolve(replica_set(NEW, 4))
    assert about_services(moved) == [SelectRevision("old", OLD)]
    given = scene.with_(
        services={**scene.observed.services, "old": replace(service("old", ""), ours=True)}
    )
    assert (given.decide().actions, told(given.decide())) == ((), [])


def test_a_share_of_the_pods_begins_after_the_service_selects_all_of_them() -> None:
    scene = with_left(under_way(0, BY_PODS, services={})).without(NEW).with_(route=Route())
    kinds = [type(each) for each in scene.decide().actions]
    assert kinds[:2] == [ReleaseService, CreateReplicaSet]


def test_a_share_of_the_pods_is_none_while_the_service_selects_one_revision() -> None:
    """Promoted it would be unseen: nobody's request has reached it."""
    scene = with_left(under_way(0, BY_PODS, services={})).with_(route=Route())
    scene = scene.evolve(replica_set(NEW, 1)).with_(
        weights=scene.status.weights.evolve(desired=25, applied=0)
    )
    decision = scene.decide()
    assert ScaleReplicaSet("checkout-newhash", 0) in decision.actions
    assert "given back as soon as no other revision has pods" in decision.status.message
    assert condition(decision.status, "Preflight").reason == "ServiceStillBound"
    assert about_services(scene.without(NEW)) == [ReleaseService("old")]


# Others behind the same Service.


def shared(ours: int, others: int, spec: Any = None, **changes: Any) -> Scene:
    """Return the scene of a first deploy, just over, whose Service has so many other endpoints."""
    found = replace(service("checkout", "", oldhash=ours), other_endpoints=others)
    scene = settled(spec or spec_of(replicas=ours)).evolve(replica_set(OLD, ours))
    return scene.with_(
        services={"checkout": found}, status=scene.status.evolve(services=[]), **changes
    )


@pytest.mark.parametrize(("ours", "others"), [(0, 10), (1, 9), (4, 5)])
def test_a_service_is_not_narrowed_below_what_it_has(ours: int, others: int) -> None:
    decision = shared(ours, others).decide()
    assert decision.actions == ()
    assert decision.status.phase == "Healthy"
    assert "Service checkout leads to more ready pods of others" in decision.status.message
    found = condition(decision.status, "Preflight")
    assert (found.status, found.reason) == ("False", "ForeignEndpoints")
    assert told(decision) == ["ForeignEndpoints"]


@pytest.mark.parametrize(("ours", "others"), [(4, 4), (4, 0), (0, 0)])
def test_it_is_narrowed_to_as_many_as_others_have(ours: int, others: int) -> None:
    scene = shared(ours, others)
    first = scene.decide()
    assert first.actions == ()
    assert first.status.services == ["checkout"], "whoever comes after can give it back"
    decision = scene.after(first).decide()
    assert decision.actions == (SelectRevision("checkout", OLD),)
    assert told(decision) == [], "nobody had taken it away"


@pytest.mark.parametrize("strategy", [None, {"blueGreen": {"activeService": "checkout"}}])
def test_a_release_that_begins_before_it_is_bound_takes_that_for_nobody_s_doing(
    strategy: dict[str, Any] | None,
) -> None:
    spec = spec_of(strategy=strategy) if strategy else None
    scene = shared(4, 0, spec)
    scene = scene.after(scene.decide()).with_(template_hash=NEW, images=("shop:new",))
    begun = scene.after(scene.decide())
    decision = begun.decide()
    assert about_services(begun) == [SelectRevision("checkout", OLD)]
    assert "DriftCorrected" not in told(decision)
    bound = begun.after(decision).serving(stable=service("checkout", OLD, oldhash=4))
    bound = bound.after(bound.decide())
    lost = bound.serving(stable=service("checkout", "", oldhash=4))
    assert ("DriftCorrected" in told(lost.decide())) is bool(strategy)


def test_the_pods_of_another_rollout_are_others_too() -> None:
    scene = shared(4, 0).with_(services={"checkout": service("checkout", "", oldhash=4, theirs=5)})
    assert scene.decide().actions == ()


def test_a_release_waits_for_the_others_and_says_so() -> None:
    scene = shared(4, 9).with_(template_hash=NEW, images=("shop:new",))
    scene = scene.after(scene.decide())
    decision = scene.decide()
    assert decision.actions == (), "no pod of it may get requests by accident"
    assert "until then no release moves on" in decision.status.message
    gone = scene.serving(stable=service("checkout", "", oldhash=4))
    gone = gone.after(gone.decide())
    assert gone.decide().actions == (SelectRevision("checkout", OLD),)


def test_what_was_bound_before_is_bound_again_whoever_else_is_there() -> None:
    scene = shared(1, 9)
    bound = scene.with_(status=scene.status.evolve(services=["checkout"]))
    decision = bound.decide()
    assert decision.actions == (SelectRevision("checkout", OLD),)
    assert told(decision) == ["DriftCorrected"]


def test_the_pods_of_the_deployment_that_is_adopted_are_no_others() -> None:
    scene = shared(4, 4, adopting(), workload=deployment(4))
    scene = scene.after(scene.decide())
    assert SelectRevision("checkout", OLD) in scene.decide().actions
    more = shared(4, 9, adopting(), workload=deployment(4))
    assert about_services(more) == []


def test_a_users_own_canary_service_that_others_serve_is_left_alone() -> None:
    taken = replace(service("checkout-canary", ""), other_endpoints=9)
    scene = under_way(0).serving(canary=taken).evolve(replica_set(NEW, 1))
    scene = scene.with_(route=Route(), weights=scene.status.weights.evolve(desired=25))
    decision = scene.decide()
    assert decision.actions == ()
    assert "Service checkout-canary leads to more ready pods of others" in decision.status.message
    free = scene.serving(canary=service("checkout-canary", ""))
    free = free.after(free.decide())
    assert about_services(free) == [SelectRevision("checkout-canary", NEW)]
    assert about_services(settled().serving(canary=taken)) == []


# A Service of ours follows its stable Service.


def behind(hash_: str = OLD, **ready: int) -> Service:
    return replace(service("checkout-canary", hash_, **ready), ours=True, is_outdated=True)


def test_a_service_of_ours_is_made_as_its_stable_service_is() -> None:
    scene = settled().serving(canary=behind(oldhash=4))
    decision = scene.decide()
    assert decision.actions == (SyncService("checkout-canary"),)
    assert told(decision) == ["ServiceSynced"]
    assert "is stable" in decision.status.message


def test_no_weight_rises_onto_a_service_before_it_is() -> None:
    scene = under_way(0).serving(canary=behind(NEW, newhash=1)).evolve(replica_set(NEW, 1))
    scene = scene.with_(weights=scene.status.weights.evolve(desired=25), route=Route())
    assert scene.decide().actions == (SyncService("checkout-canary"),)
    done = scene.serving(canary=replace(behind(NEW, newhash=1), is_outdated=False))
    assert [type(each) for each in done.decide().actions] == [SetWeight]


def test_in_the_middle_of_a_release_it_follows_at_once() -> None:
    scene = under_way().serving(canary=behind(NEW, newhash=1))
    assert SyncService("checkout-canary") in scene.decide().actions


def test_against_another_program_it_is_no_war_and_stops_no_release() -> None:
    scene = under_way(0).serving(canary=behind(NEW, newhash=1)).evolve(replica_set(NEW, 1))
    scene = scene.with_(weights=scene.status.weights.evolve(desired=25), route=Route())
    for _ in range(3):
        assert about_services(scene) == [SyncService("checkout-canary")]
        scene = scene.after(scene.decide())
    decision = scene.decide()
    assert [type(each) for each in decision.actions] == [SetWeight]
    assert decision.requeue_after_seconds is not None
    assert about_services(scene.with_(now=at(30))) == [SyncService("checkout-canary")]


def test_blue_green_s_preview_follows_its_active_service() -> None:
    spec = spec_of(
        strategy={"blueGreen": {"activeService": "checkout", "previewService": "checkout-canary"}}
    )
    scene = settled(spec).serving(canary=behind(oldhash=4))
    assert about_services(scene) == [SyncService("checkout-canary")]


# A revision whose pods a Service does not select.


def missing(name: str, hash_: str, **ready: int) -> Service:
    """Return a Service whose own selector selects none of the new revision's pods."""
    return replace(service(name, hash_, **ready), misses=frozenset({NEW}))


def test_no_release_moves_on_whose_pods_the_stable_service_does_not_select() -> None:
    """Promoted it would leave the Service with no endpoint."""
    scene = under_way(0).serving(stable=missing("checkout", OLD, oldhash=4))
    scene = scene.evolve(replica_set(NEW, 1)).with_(
        route=Route(), weights=scene.status.weights.evolve(desired=25)
    )
    decision = scene.decide()
    assert not any(isinstance(each, SetWeight) for each in decision.actions)
    assert "Service checkout selects none of the pods of revision 2" in decision.status.message


def test_a_service_keeps_its_endpoints_rather_than_be_bound_to_nothing() -> None:
    scene = under_way(100, BLUE_GREEN, route=Route()).evolve(replica_set(NEW, 4))
    kept = scene.with_(services={"checkout": missing("checkout", OLD, oldhash=4)})
    assert about_services(kept) == []
    empty = scene.with_(services={"checkout": missing("checkout", OLD)})
    assert about_services(empty) == [SelectRevision("checkout", NEW)], "nothing is lost"
