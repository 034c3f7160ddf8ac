"""The canary's route stays after a promotion until nobody needs it any more."""

from dataclasses import replace
from typing import Any

from rollouts.core.plan.actions import RemoveRoute
from rollouts.model.kinds import JSON
from rollouts.model.route import Route
from rollouts.model.status import Weights
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
)

FULL = Route(exists=True, weight=100, highest=100)
DELAY: JSON = {"routeRemovalDelaySeconds": 60}


def promoted(delay: JSON | None = None, ready: int = 4, **changes: Any) -> Scene:
    """Return the scene after a promotion: the stable Service selects the new revision, with so many endpoints."""
    spec = spec_of()
    canary = spec.strategy.canary
    assert canary is not None
    if delay is not None:
        longer = canary.model_copy(update={"route_removal_delay_seconds": 60})
        spec = spec.model_copy(
            update={"strategy": spec.strategy.model_copy(update={"canary": longer})}
        )
    scene = settled(spec).with_(
        template_hash=NEW,
        images=("shop:newhash",),
        stable_revision=revision(NEW),
        current_revision=revision(NEW),
        weights=Weights(desired=100, applied=100),
        phase="Progressing",
        step_started_at=at(-1),
        route=FULL,
    )
    return (
        scene.evolve(replica_set(NEW, 4))
        .serving(
            stable=service("checkout", NEW, newhash=ready),
            canary=service("checkout-canary", NEW, newhash=4),
        )
        .with_(**changes)
    )


def removes(scene: Scene) -> bool:
    return RemoveRoute() in scene.decide().actions


def test_the_route_goes_once_every_ready_pod_is_an_endpoint_of_the_stable_service() -> None:
    assert not removes(promoted(ready=0))
    assert not removes(promoted(ready=3))
    assert removes(promoted(ready=4))


def test_by_label_the_route_stays_while_pods_without_it_are_endpoints_still() -> None:
    by_label = replace(service("checkout", NEW, newhash=4, oldhash=2), by_label=True)
    scene = promoted()
    assert not removes(scene.serving(stable=by_label))
    assert removes(scene.serving(stable=replace(by_label, ready_endpoints={NEW: 4, OLD: 0})))


def test_a_pod_that_is_not_ready_is_not_waited_for() -> None:
    """One whose readiness gate is not met yet is not ready, and no endpoint."""
    assert removes(promoted(ready=3).evolve(replica_set(NEW, 4, 3)))
    assert not removes(promoted(ready=0).evolve(replica_set(NEW, 4, 0)))


def test_a_pod_that_a_person_has_taken_out_of_services_is_not_waited_for() -> None:
    """By a label that Services select by, and its ReplicaSet does not."""
    scene = promoted(ready=3)
    assert not removes(scene)
    assert removes(scene.serving(canary=service("checkout-canary", NEW, newhash=3)))


def test_with_a_delay_it_stays_so_long_after_that() -> None:
    scene = promoted(DELAY, ready=3)
    assert scene.decide().status.route_ends_at is None
    scene = scene.serving(stable=service("checkout", NEW, newhash=4))
    first = scene.decide()
    assert first.status.route_ends_at == at(60)
    assert first.requeue_after_seconds == 60
    assert (first.status.phase, told(first)) == ("Progressing", [])
    assert "stays until 12:01:00 UTC" in first.status.message
    later = scene.after(first, 59)
    assert not removes(later)
    assert removes(scene.after(first, 60))
    done = scene.after(first, 61).with_(route=Route()).decide()
    assert (done.status.phase, done.status.route_ends_at) == ("Healthy", None)


def test_pods_that_come_and_go_meanwhile_do_not_begin_it_anew() -> None:
    scene = promoted(DELAY)
    first = scene.decide()
    later = scene.after(first, 40).serving(stable=service("checkout", NEW, newhash=3))
    assert later.decide().status.route_ends_at == at(60)


def test_a_newer_template_begins_when_the_route_has_gone() -> None:
    """To take the route away for it would send everything to the stable Service at once."""
    scene = promoted(DELAY)
    first = scene.decide()
    early = scene.after(first, 10).with_(template_hash="thirdhash").decide()
    assert early.status.current_revision == revision(NEW)
    assert early.status.phase == "Progressing"
    late = scene.after(first, 61).with_(template_hash="thirdhash", route=Route()).decide()
    assert told(late) == ["RolloutStarted"]


def test_a_newer_template_does_not_wait_for_pods_that_broke_after_the_promotion() -> None:
    scene = promoted(DELAY, ready=0, template_hash="thirdhash").evolve(replica_set(NEW, 4, 0))
    assert told(scene.decide()) == ["RolloutStarted", "StableDown"]


def test_a_delay_that_is_edited_away_ends() -> None:
    scene = promoted(DELAY)
    first = scene.decide()
    assert removes(scene.after(first, 5).with_(spec=spec_of()))


def test_without_a_delay_nothing_is_remembered() -> None:
    assert promoted().decide().status.route_ends_at is None
    assert promoted(evidence=evidence()).decide().status.phase == "Healthy"
