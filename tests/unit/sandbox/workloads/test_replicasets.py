"""A ReplicaSet has as many pods as it says, and its status counts them."""

import pytest

from rollouts.model.kinds import JSON, POD, REPLICA_SET, FrozenJSON, Kind
from rollouts.model.owners import controller_of
from rollouts.sandbox.apiserver.errors import ApiError
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import LABELS, pod, replica_set


def status_of(world: World) -> JSON:
    status: JSON = world.get(REPLICA_SET, "web")["status"]
    return status


def test_pods_are_made_from_the_template(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(3))
    world.settle()
    assert len(world.pods()) == 3
    for made in world.pods():
        owner = controller_of(made)
        assert owner is not None
        assert (owner["kind"], owner["name"]) == ("ReplicaSet", "web")
        assert made["metadata"]["name"].startswith("web-")
        assert made["metadata"]["labels"] == LABELS
    assert status_of(world) == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1}


def test_a_pod_that_goes_is_replaced(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(2))
    world.all_ready()
    gone = world.pods()[0]["metadata"]["name"]
    world.store.delete(POD, "default", gone)
    world.settle()
    assert len(world.pods()) == 2
    assert gone not in [found["metadata"]["name"] for found in world.pods()]


def test_available_is_ready_for_long_enough(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(2, minReadySeconds=10))
    world.all_ready()
    assert status_of(world)["readyReplicas"] == 2
    assert "availableReplicas" not in status_of(world)
    world.later(9)
    assert "availableReplicas" not in status_of(world)
    world.later(1)
    assert status_of(world)["availableReplicas"] == 2


def test_scaling_down_takes_what_is_worth_least(world: World) -> None:
    """Not bound goes before not ready, not ready before young, young before old."""
    world.store.create(REPLICA_SET, replica_set(1))
    world.all_ready()
    old = world.names(POD)[0]
    world.later(60)
    world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": 2}})
    world.all_ready()
    young = next(name for name in world.names(POD) if name != old)
    world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": 3}})
    world.settle()
    unready = next(name for name in world.names(POD) if name not in (old, young))
    world.bind(unready)
    world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": 4}})
    world.settle()
    left = []
    for replicas in (3, 2, 1):
        world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": replicas}})
        world.settle()
        left.append({found["metadata"]["name"] for found in world.pods()})
    assert left == [{old, young, unready}, {old, young}, {old}]


def test_orphans_are_adopted_and_strangers_released(world: World) -> None:
    world.store.create(POD, pod("orphan"))
    world.store.create(POD, pod("stranger", app="other"))
    world.store.create(REPLICA_SET, replica_set(2))
    world.settle()
    owner = controller_of(world.get(POD, "orphan"))
    assert owner is not None
    assert owner["name"] == "web"
    assert controller_of(world.get(POD, "stranger")) is None
    world.store.patch(POD, "default", "orphan", {"metadata": {"labels": {"app": "debug"}}})
    world.settle()
    assert controller_of(world.get(POD, "orphan")) is None
    assert len([each for each in world.pods() if each["metadata"]["labels"] == LABELS]) == 2


def test_a_pod_that_is_refused_is_said_until_it_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = world.store.create

    def without_pods(kind: Kind, body: FrozenJSON) -> JSON:
        if kind == POD:
            raise ApiError(403, "exceeded quota")
        return create(kind, body)

    world.store.create(REPLICA_SET, replica_set(1))
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "create", without_pods)
        world.reconcile()
        (condition,) = status_of(world)["conditions"]
        assert (condition["type"], condition["status"]) == ("ReplicaFailure", "True")
        assert condition["message"] == "exceeded quota"
    world.settle()
    assert "conditions" not in status_of(world)
    assert len(world.pods()) == 1


def test_a_settled_replica_set_is_not_written(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(3))
    world.all_ready()
    before = world.store.revision
    world.later(3600)
    assert world.store.revision == before


def test_scaling_down_goes_by_the_cost_of_deletion_before_age(world: World) -> None:
    """A pod that is dear stays, be it young; one that is not ready goes however dear it is."""
    world.store.create(REPLICA_SET, replica_set(4))
    world.all_ready()
    unready, cheap, plain, dear = world.names(POD)
    for name, cost in ((unready, "99"), (cheap, "-5"), (plain, "many"), (dear, "5")):
        annotations = {"controller.kubernetes.io/pod-deletion-cost": cost}
        world.store.patch(POD, "default", name, {"metadata": {"annotations": annotations}})
    world.set_ready(unready, ready=False)
    left = []
    for replicas in (3, 2, 1):
        world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": replicas}})
        world.settle()
        left.append({found["metadata"]["name"] for found in world.pods()})
    assert left == [{cheap, plain, dear}, {plain, dear}, {dear}]


def test_of_two_that_are_ready_the_one_that_restarted_more_goes(world: World) -> None:
    world.store.create(REPLICA_SET, replica_set(2))
    world.all_ready()
    steady, shaky = world.names(POD)
    restarted = {"containerStatuses": [{"name": "web", "restartCount": 3}]}
    world.store.patch(POD, "default", shaky, {"status": restarted}, "status")
    world.store.patch(REPLICA_SET, "default", "web", {"spec": {"replicas": 1}})
    world.settle()
    assert [found["metadata"]["name"] for found in world.pods()] == [steady]
