"""Taking a Deployment's place: when it may not be, what comes first, and who is put back."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from rollouts.core.plan.actions import (
    CreateReplicaSet,
    ScaleWorkload,
    SelectRevision,
    SetFinalizers,
)
from rollouts.core.world import DETACH, REVERT, Service, Workload
from rollouts.model.finding import Finding
from rollouts.model.route import Route
from rollouts.model.spec import RolloutSpec, WorkloadRef
from rollouts.model.status import RolloutStatus
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    at,
    condition,
    observed,
    replica_set,
    service,
    spec_of,
    told,
    under_way,
)

WIDE = ""


def adopting(
    scale_down: Literal["onSuccess", "progressively", "never"] = "onSuccess", **changes: Any
) -> RolloutSpec:
    """Return the spec of a Rollout of 4 with a Deployment, which it has the template of."""
    ref = WorkloadRef(name="shop", scale_down=scale_down)
    return spec_of().model_copy(update={"workload_ref": ref, **changes})


def deployment(replicas: int = 4, **facts: Any) -> Workload:
    usual = {"existing": replicas, "available": replicas}
    return Workload("shop", "uid-shop", replicas, **{**usual, **facts})


def both(ours: int, theirs: int = 4, hash_: str = WIDE) -> dict[str, Service]:
    """Return the Service with so many of our endpoints and the Deployment's."""
    found = service("checkout", hash_, oldhash=ours)
    return {"checkout": replace(found, other_endpoints=theirs)}


def met(spec: RolloutSpec | None = None, workload: Workload | None = None) -> Scene:
    """Return the scene of a Rollout that has just been made for a live Deployment."""
    seen = observed(OLD, workload=workload or deployment(), replica_sets={}, services=both(0))
    return Scene(spec or adopting(), RolloutStatus(), seen)


def beside(available: int = 4, spec: RolloutSpec | None = None, **changes: Any) -> Scene:
    """Return the scene of a first deploy beside the Deployment, with so many of ours available."""
    scene = met(spec)
    scene = scene.after(scene.decide())
    ours = {"services": both(available)} | changes
    return scene.evolve(replica_set(OLD, 4, available)).with_(**ours)


def taken(spec: RolloutSpec | None = None, **changes: Any) -> Scene:
    """Return the scene in which the Service selects ours alone, and status says so."""
    scene = beside(spec=spec)
    scene = scene.after(scene.decide()).with_(services=both(4, 0, OLD))
    return scene.after(scene.decide()).with_(**changes)


def scales(scene: Scene) -> list[int]:
    return [each.replicas for each in scene.decide().actions if isinstance(each, ScaleWorkload)]


def test_ours_are_made_beside_the_deployments_at_full_size() -> None:
    scene = met()
    decision = scene.decide()
    assert told(decision) == ["FirstDeploy"]
    adoption = decision.status.adoption
    assert adoption is not None
    assert (adoption.name, adoption.uid, adoption.replicas) == ("shop", "uid-shop", 4)
    actions = scene.after(decision).decide().actions
    assert [type(each) for each in actions] == [CreateReplicaSet]


@pytest.mark.parametrize(("available", "in_service"), [(3, 4), (4, 3)])
def test_the_service_is_not_narrowed_before_all_of_ours_are_in_it(
    available: int, in_service: int
) -> None:
    scene = beside(available, services=both(in_service))
    scene = scene.after(scene.decide())
    decision = scene.decide()
    assert decision.actions == ()
    if available == 4:
        says = "3 of 4 pods are endpoints of Service checkout, which selects all revisions"
        assert decision.status.message == says


def test_the_service_is_narrowed_once_they_are_and_the_deployment_stays_a_while() -> None:
    scene = beside()
    decision = scene.decide()
    assert decision.status.stable_revision is not None
    scene = scene.after(decision)
    assert scene.decide().actions == (SelectRevision("checkout", OLD),)

    scene = taken()
    assert scales(scene) == []
    adoption = scene.status.adoption
    assert adoption is not None
    delay = scene.spec.active_strategy.scale_down_delay_seconds
    assert adoption.idle_since is not None
    wake = scene.decide().requeue_after_seconds
    assert wake is not None
    assert wake <= delay
    late = scene.with_(now=at(delay + 10))
    assert scales(late) == [0]
    gone = late.with_(workload=deployment(0))
    assert told(gone.decide()) == ["WorkloadScaledDown"]
    assert gone.after(gone.decide()).decide().actions == ()


def test_its_time_begins_anew_when_the_service_selects_everybody_again() -> None:
    scene = taken().with_(services=both(4, 4), now=at(100))
    decision = scene.decide()
    assert decision.status.adoption is not None
    assert decision.status.adoption.idle_since is None
    assert SelectRevision("checkout", OLD) in decision.actions


def test_never_means_never() -> None:
    late = taken(adopting("never"), now=at(1000))
    assert scales(late) == []
    assert late.decide().requeue_after_seconds is None


@pytest.mark.parametrize(("available", "left"), [(0, 4), (1, 3), (3, 1)])
def test_progressively_the_deployment_shrinks_as_ours_arrive(available: int, left: int) -> None:
    scene = beside(available, adopting("progressively"))
    assert scales(scene) == ([left] if left < 4 else [])
    smaller = scene.with_(workload=deployment(left))
    assert scales(smaller.after(smaller.decide())) == []


def test_progressively_it_gets_back_what_ours_lose() -> None:
    scene = beside(3, adopting("progressively"), workload=deployment(1))
    assert scales(scene.with_(services=both(1)).evolve(replica_set(OLD, 4, 1))) == [3]


def test_without_a_service_our_pods_are_enough() -> None:
    canary = spec_of().strategy.canary
    assert canary is not None
    alone = canary.model_copy(update={"traffic_routing": None, "stable_service": None})
    strategy = spec_of().strategy.model_copy(update={"canary": alone})
    scene = beside(spec=adopting(strategy=strategy), services={})
    scene = scene.after(scene.decide())
    scene = scene.after(scene.decide())
    assert scales(scene) == []
    assert scales(scene.with_(now=at(100))) == [0]


def test_fewer_pods_than_the_deployment_has_are_refused_before_anything_is_made() -> None:
    scene = met(workload=deployment(6))
    decision = scene.decide()
    assert decision.actions == ()
    assert decision.status.current_revision is None
    assert decision.status.phase == "Degraded"
    assert "set spec.replicas to 6" in decision.status.message
    assert condition(decision.status, "Preflight").reason == "FewerReplicas"
    again = scene.after(decision).decide()
    assert told(again) == []
    smaller = scene.after(decision).with_(workload=deployment(4))
    assert told(smaller.decide()) == ["FirstDeploy"]


def test_a_deployment_that_grows_meanwhile_keeps_its_traffic() -> None:
    scene = beside(workload=deployment(9))
    decision = scene.decide()
    assert decision.status.stable_revision is None
    assert decision.actions == ()
    assert "set spec.replicas to 9" in decision.status.message


def test_a_missing_deployment_is_said_and_nothing_is_done() -> None:
    decision = met(workload=Workload("shop")).decide()
    assert decision.actions == ()
    assert told(decision) == ["Blocked"]
    assert decision.status.message == (
        "Deployment shop does not exist; create it, or correct workloadRef.name"
    )


def test_a_deployment_of_another_rollout_is_left_alone() -> None:
    claim = Finding(
        "error", "WorkloadClaimed", "Rollout elder already has the place of Deployment shop"
    )
    decision = met().with_(route=Route(findings=(claim,))).decide()
    assert decision.actions == ()
    assert decision.status.message == claim.message
    late = taken(now=at(1000), route=Route(findings=(claim,)))
    assert scales(late) == []


def test_a_release_is_held_while_its_deployment_is_missing_and_can_still_be_stopped() -> None:
    scene = under_way(25, adopting()).with_(workload=Workload("shop"))
    decision = scene.decide()
    assert decision.status.phase == "Paused"
    assert "Deployment shop does not exist; the pods that run are kept" in decision.status.message
    assert decision.actions == ()
    assert told(scene.commanded("abort").decide()) == ["RolledBack"]


def test_what_somebody_scales_up_is_put_back_but_not_in_a_war() -> None:
    gone = taken(now=at(100), workload=deployment(0))
    scene = gone.after(gone.decide())
    for _ in range(3):
        scaled = scene.with_(workload=deployment(3))
        decision = scaled.decide()
        assert scales(scaled) == [0]
        assert told(decision) == ["DriftCorrected"]
        assert decision.status.message == scene.status.message
        scene = scaled.after(decision).with_(workload=deployment(0))
        scene = scene.after(scene.decide())
    war = scene.with_(workload=deployment(3))
    assert scales(war) == []
    assert told(war.decide()) == []
    wake = war.decide().requeue_after_seconds
    assert wake is not None
    assert scales(war.with_(now=at(130))) == [0]


def test_the_finalizer_follows_the_spec_and_leaves_that_of_detach() -> None:
    wants = taken(adopting(revert_on_deletion=True))
    assert SetFinalizers((REVERT,)) in wants.decide().actions
    assert wants.with_(finalizers=(REVERT,)).decide().actions == ()
    ends = taken().with_(finalizers=(REVERT, DETACH))
    assert SetFinalizers((DETACH,)) in ends.decide().actions


def test_nothing_is_taken_from_a_deployment_before_the_finalizer_can_give_it_back() -> None:
    spec = adopting(revert_on_deletion=True)
    scene = beside(spec=spec)
    scene = scene.after(scene.decide())
    decision = scene.decide()
    assert decision.actions == (SetFinalizers((REVERT,)),)
    assert "the finalizer rollouts.dev/revert is missing" in decision.status.message
    secured = scene.with_(finalizers=(REVERT,))
    secured = secured.after(secured.decide())
    assert secured.decide().actions == (SelectRevision("checkout", OLD),)

    late = taken(spec, now=at(1000))
    assert late.decide().actions == (SetFinalizers((REVERT,)),)
    assert scales(late.with_(finalizers=(REVERT,))) == [0]


def test_progressively_a_deployment_grows_again_whatever_finalizer_is_missing() -> None:
    spec = adopting("progressively", revert_on_deletion=True)
    assert scales(beside(3, spec)) == []
    scene = beside(3, spec, workload=deployment(1))
    assert scales(scene.with_(services=both(1)).evolve(replica_set(OLD, 4, 1))) == [3]


def test_a_new_template_is_a_release_like_any_other() -> None:
    scene = taken(now=at(100), workload=deployment(0))
    scene = scene.after(scene.decide()).with_(template_hash=NEW, images=("shop:new",))
    assert told(scene.decide()) == ["RolloutStarted"]
