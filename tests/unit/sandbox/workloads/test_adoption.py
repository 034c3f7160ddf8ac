"""Two controllers over one set of labels: a Deployment, and a Rollout that has taken it over."""

from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, POD, REPLICA_SET
from rollouts.model.owners import controller_of
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import LABELS, deployment, pod, replica_set, template

ROLLOUT = {
    "apiVersion": "rollouts.dev/v1alpha1",
    "kind": "Rollout",
    "name": "web",
    "uid": "rollout",
    "controller": True,
}


def rollouts_replica_set(replicas: int) -> JSON:
    """What a Rollout makes: the Deployment's labels and a hash of its own."""
    body = replica_set(replicas, "web-abc")
    labels = {**LABELS, HASH_LABEL: "abc"}
    body["metadata"] |= {"labels": labels, "ownerReferences": [ROLLOUT]}
    body["spec"]["selector"] = {"matchLabels": labels}
    body["spec"]["template"]["metadata"] = {"labels": labels}
    return body


def of_deployment(world: World) -> list[JSON]:
    sets = world.store.select(REPLICA_SET, "default")
    return [found for found in sets if (controller_of(found) or {}).get("kind") == "Deployment"]


def image_of(replica_set: JSON) -> str:
    return str(replica_set["spec"]["template"]["spec"]["containers"][0]["image"])


def status_of(world: World) -> JSON:
    status: JSON = world.get(DEPLOYMENT, "web")["status"]
    return {name: number for name, number in status.items() if name.endswith("eplicas")}


def test_neither_adopts_or_counts_what_is_the_others(world: World) -> None:
    world.store.create(DEPLOYMENT, deployment(2))
    world.all_ready()
    world.store.create(REPLICA_SET, rollouts_replica_set(3))
    world.all_ready()
    assert len(world.pods()) == 5
    assert set(status_of(world).values()) == {2}
    assert world.get(REPLICA_SET, "web-abc")["status"]["replicas"] == 3
    owner = controller_of(world.get(REPLICA_SET, "web-abc"))
    assert owner is not None
    assert owner["uid"] == "rollout"


def test_a_deployment_of_size_0_follows_its_template_without_a_pod(world: World) -> None:
    world.store.create(DEPLOYMENT, deployment(2))
    world.all_ready()
    world.store.create(REPLICA_SET, rollouts_replica_set(2))
    world.store.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 0}})
    world.all_ready()
    assert len(world.pods()) == 2
    for version in ("v2", "v3"):
        change = {"spec": {"template": template(version)}}
        world.store.patch(DEPLOYMENT, "default", "web", change)
        world.all_ready()
    assert [image_of(found) for found in of_deployment(world)].count("demo:v3") == 1
    assert {found["spec"]["replicas"] for found in of_deployment(world)} == {0}
    assert status_of(world) == {}
    owners = {(controller_of(found) or {})["name"] for found in world.pods()}
    assert owners == {"web-abc"}
    generation = world.get(DEPLOYMENT, "web")["metadata"]["generation"]
    assert world.get(DEPLOYMENT, "web")["status"]["observedGeneration"] == generation


def test_growing_again_makes_pods_of_the_present_template_alone(world: World) -> None:
    world.store.create(DEPLOYMENT, deployment(0))
    world.store.create(REPLICA_SET, rollouts_replica_set(2))
    world.all_ready()
    change = {"spec": {"replicas": 3, "template": template("v2")}}
    world.store.patch(DEPLOYMENT, "default", "web", change)
    world.all_ready()
    sizes = {image_of(found): found["spec"]["replicas"] for found in of_deployment(world)}
    assert sizes == {"demo:v1": 0, "demo:v2": 3}
    assert set(status_of(world).values()) == {3}
    world.store.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 1}})
    world.all_ready()
    assert len(world.pods()) == 3, "one of the Deployment, two of the Rollout"


def test_only_orphans_are_adopted_and_by_one(world: World) -> None:
    world.store.create(POD, pod("orphan", **LABELS, **{HASH_LABEL: "abc"}))
    world.store.create(DEPLOYMENT, deployment(1))
    world.store.create(REPLICA_SET, rollouts_replica_set(1))
    world.all_ready()
    owner = controller_of(world.get(POD, "orphan"))
    assert owner is not None
    assert owner["name"] == "web-abc"
    assert len(world.pods()) == 2


def test_a_replica_set_that_is_relabelled_is_let_go(world: World) -> None:
    world.store.create(DEPLOYMENT, deployment(1))
    world.all_ready()
    (before,) = of_deployment(world)
    labels = {"metadata": {"labels": {"app": "kept"}}}
    world.store.patch(REPLICA_SET, "default", before["metadata"]["name"], labels)
    world.settle()
    (after,) = of_deployment(world)
    assert after["metadata"]["name"] != before["metadata"]["name"], "that name is taken"
    assert controller_of(world.get(REPLICA_SET, before["metadata"]["name"])) is None
