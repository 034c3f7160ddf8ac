"""A Service's slice says which pods can be sent traffic, and is right at once."""

from rollouts.model.kinds import ENDPOINT_SLICE, JSON, POD, SERVICE
from rollouts.sandbox.apiserver.etcd import Change
from tests.unit.sandbox.workloads.conftest import World
from tests.unit.sandbox.workloads.objects import LABELS, pod, service, template

READY = {"ready": True, "serving": True, "terminating": False}
NOT_READY = {"ready": False, "serving": False, "terminating": False}


def conditions(world: World) -> dict[str, JSON]:
    return {
        endpoint["targetRef"]["name"]: endpoint["conditions"] for endpoint in world.endpoints("web")
    }


def running(world: World, name: str, number: int, *, ready: bool = True) -> None:
    world.store.create(POD, pod(name))
    world.bind(name, f"127.9.1.{number}")
    world.set_ready(name, ready=ready, address=f"127.9.1.{number}")


def test_ready_and_unready_pods(world: World) -> None:
    world.store.create(SERVICE, service())
    running(world, "good", 1)
    running(world, "bad", 2, ready=False)
    world.store.create(POD, pod("unbound"))
    world.store.create(POD, pod("stranger", app="other"))
    world.settle()
    assert conditions(world) == {"good": READY, "bad": NOT_READY}
    (found,) = world.store.select(ENDPOINT_SLICE, "default")
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert found["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert [each["addresses"] for each in found["endpoints"]] == [["127.9.1.1"], ["127.9.1.2"]]


def test_a_pod_that_is_going_gets_no_new_traffic(world: World) -> None:
    world.store.create(SERVICE, service())
    running(world, "good", 1)
    world.store.delete(POD, "default", "good")
    world.settle()
    assert conditions(world) == {"good": {"ready": False, "serving": True, "terminating": True}}
    world.store.delete(POD, "default", "good", grace_seconds=0)
    world.settle()
    assert conditions(world) == {}
    assert len(world.names(ENDPOINT_SLICE)) == 1


def test_addresses_can_be_published_before_they_are_ready(world: World) -> None:
    world.store.create(SERVICE, service(publishNotReadyAddresses=True))
    running(world, "bad", 1, ready=False)
    world.settle()
    assert conditions(world)["bad"]["ready"] is True


def test_a_named_port_means_what_each_pod_says(world: World) -> None:
    world.store.create(SERVICE, service(ports=[{"port": 80, "targetPort": "http", "name": "web"}]))
    for name, number in (("old", 8080), ("new", 9090)):
        body = pod(name)
        ports = [{"name": "http", "containerPort": number}]
        body["spec"] = template(ports=ports)["spec"]
        world.store.create(POD, body)
        world.bind(name, f"127.9.1.{number % 10 + 1}")
    world.settle()
    found = {
        each["endpoints"][0]["targetRef"]["name"]: each["ports"][0]["port"]
        for each in world.store.select(ENDPOINT_SLICE, "default")
    }
    assert found == {"old": 8080, "new": 9090}


def test_a_changed_selector_moves_the_endpoints(world: World) -> None:
    world.store.create(SERVICE, service())
    running(world, "blue", 1)
    world.store.create(POD, pod("green", app="green"))
    world.bind("green", "127.9.1.2")
    world.settle()
    world.store.patch(SERVICE, "default", "web", {"spec": {"selector": {"app": "green"}}})
    world.settle()
    assert set(conditions(world)) == {"green"}


def test_slices_that_somebody_else_made_are_left_alone(world: World) -> None:
    world.store.create(SERVICE, service())
    theirs = {
        "metadata": {
            "name": "theirs",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [],
    }
    world.store.create(ENDPOINT_SLICE, theirs)
    world.settle()
    assert len(world.names(ENDPOINT_SLICE)) == 2


def test_a_pod_that_leaves_a_service_by_its_labels_is_noticed(world: World) -> None:
    world.keys_of(Change("ADDED", SERVICE, world.store.create(SERVICE, service())))
    before = world.store.create(POD, pod("web-1"))
    assert world.keys_of(Change("ADDED", POD, before)) == [("default", "web")]
    after = {**before, "metadata": {**before["metadata"], "labels": {"app": "debug"}}}
    assert world.keys_of(Change("MODIFIED", POD, after)) == [("default", "web")]
    assert world.keys_of(Change("MODIFIED", POD, after)) == []
    assert before["metadata"]["labels"] == LABELS
