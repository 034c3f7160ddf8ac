"""A Deployment goes from revision to revision, and says how far it is."""

from typing import Any

from rollouts.model.kinds import DEPLOYMENT, JSON, POD, REPLICA_SET
from rollouts.sandbox.workloads.deployments import REVISION
from rollouts.sandbox.workloads.objects import condition
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import deployment, template


def change(world: World, **spec: Any) -> None:
    world.store.patch(DEPLOYMENT, "default", "web", {"spec": spec})


def sizes(world: World) -> dict[str, int]:
    """Return version → replicas wanted."""
    return {
        found["spec"]["template"]["spec"]["containers"][0]["image"].removeprefix("demo:"): found[
            "spec"
        ]["replicas"]
        for found in world.store.select(REPLICA_SET, "default")
    }


def reason(world: World, name: str) -> str:
    found = condition(world.get(DEPLOYMENT, "web"), name)
    assert found is not None
    return f"{found['status']} {found['reason']}"


def status_of(world: World) -> JSON:
    status: JSON = world.get(DEPLOYMENT, "web")["status"]
    return {key: value for key, value in status.items() if key != "conditions"}


def started(world: World, replicas: int = 4, **spec: Any) -> None:
    world.store.create(DEPLOYMENT, deployment(replicas, **spec))
    world.all_ready()


def test_the_first_revision(world: World) -> None:
    started(world)
    (made,) = world.store.select(REPLICA_SET, "default")
    hash_ = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{hash_}"
    assert made["spec"]["selector"]["matchLabels"]["pod-template-hash"] == hash_
    assert made["metadata"]["annotations"][REVISION] == "1"
    assert world.get(DEPLOYMENT, "web")["metadata"]["annotations"][REVISION] == "1"
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    assert status_of(world) == {"observedGeneration": 1} | dict.fromkeys(counts, 4)
    assert reason(world, "Available") == "True MinimumReplicasAvailable"
    assert reason(world, "Progressing") == "True NewReplicaSetAvailable"


def test_an_update_waits_for_pods_to_be_ready(world: World) -> None:
    started(world)
    change(world, template=template("v2"))
    world.settle()
    assert sizes(world) == {"v1": 3, "v2": 2}
    assert reason(world, "Progressing") == "True ReplicaSetUpdated"
    assert status_of(world)["updatedReplicas"] == 2
    world.all_ready()
    assert sizes(world) == {"v1": 0, "v2": 4}
    assert reason(world, "Progressing") == "True NewReplicaSetAvailable"


def test_undo_is_a_new_revision_of_the_old_replica_set(world: World) -> None:
    started(world)
    change(world, template=template("v2"))
    world.all_ready()
    change(world, template=template("v1"))
    world.all_ready()
    assert sizes(world) == {"v1": 4, "v2": 0}
    revisions = {
        found["metadata"]["annotations"][REVISION]
        for found in world.store.select(REPLICA_SET, "default")
    }
    assert revisions == {"3", "2"}
    assert world.get(DEPLOYMENT, "web")["metadata"]["annotations"][REVISION] == "3"


def test_scaling_makes_no_revision(world: World) -> None:
    started(world, replicas=2)
    change(world, replicas=5)
    world.all_ready()
    assert sizes(world) == {"v1": 5}
    change(world, replicas=0)
    world.all_ready()
    assert sizes(world) == {"v1": 0}
    assert world.pods() == []


def test_paused_holds_a_new_template_back_but_scales(world: World) -> None:
    started(world, replicas=2)
    change(world, paused=True, template=template("v2"), replicas=3)
    world.all_ready()
    assert sizes(world) == {"v1": 3}
    change(world, paused=None)
    world.all_ready()
    assert sizes(world) == {"v1": 0, "v2": 3}


def test_recreate_waits_until_the_old_pods_are_gone(world: World) -> None:
    started(world, strategy={"type": "Recreate"})
    change(world, template=template("v2"))
    world.settle()
    assert sizes(world) == {"v1": 0, "v2": 0}
    for name in world.names(POD):
        world.store.delete(POD, "default", name, grace_seconds=0)
    world.settle()
    assert sizes(world) == {"v1": 0, "v2": 4}


def test_what_never_gets_ready_runs_into_the_deadline(world: World) -> None:
    started(world, progressDeadlineSeconds=60)
    change(world, template=template("v2"))
    world.settle()
    world.later(59)
    assert reason(world, "Progressing") == "True ReplicaSetUpdated"
    world.later(2)
    assert reason(world, "Progressing") == "False ProgressDeadlineExceeded"
    assert reason(world, "Available") == "True MinimumReplicasAvailable"


def test_the_history_is_bounded(world: World) -> None:
    started(world, revisionHistoryLimit=2)
    for version in ("v2", "v3", "v4", "v5"):
        change(world, template=template(version))
        world.all_ready()
    assert set(sizes(world)) == {"v3", "v4", "v5"}


def test_a_settled_deployment_is_not_written(world: World) -> None:
    started(world)
    before = world.store.revision
    world.later(3600)
    assert world.store.revision == before
