"""`set-image` and `wait` where a Deployment has the template."""

from collections.abc import Callable

from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import hash_of, healthy, progressing, rollout, template

Run = Callable[..., Ran]


def adopted(status: JSON, seen: int) -> JSON:
    """Return the Rollout of a Deployment, whose generation the controller has seen so far."""
    adoption = {"name": "shop", "uid": "d", "replicas": 4, "at": "2026-03-01T12:00:00Z"}
    body = rollout(3, {**status, "adoption": {**adoption, "observedGeneration": seen}})
    del body["spec"]["template"]
    body["spec"]["workloadRef"] = {"name": "shop"}
    return body


def deployment(version: int, generation: int) -> JSON:
    return {
        "metadata": {
            "namespace": "shop",
            "name": "shop",
            "generation": generation,
            "resourceVersion": "5",
        },
        "spec": {"replicas": 0, "template": template(version)},
    }


def test_set_image_writes_to_the_deployment(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", adopted(healthy(3), 8))
    cluster.add("Deployment", deployment(3, 8))
    ran = rollouts("set-image", "checkout", "web=demo/checkout:4.0")
    assert ran.code == 0
    assert f"revision {hash_of(4)} is wanted" in ran.out
    containers = cluster.objects["Deployment"][0]["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in containers] == ["demo/checkout:4.0", "demo/proxy:1"]


def test_wait_waits_for_what_the_deployment_says_now(rollouts: Run, cluster: FakeRequests) -> None:
    """The success of the revision before is not taken for that of one that nobody has seen yet."""
    cluster.add("Rollout", adopted(healthy(3), 8))
    cluster.add("Deployment", deployment(4, 9))
    cluster.script = [adopted(healthy(3), 8), adopted(progressing(4), 9), adopted(healthy(4), 9)]
    ran = rollouts("wait", "checkout", "--timeout", "30s")
    assert ran.code == 0
    assert ran.out == "checkout: revision 4 (demo/checkout:4.0) is promoted\n"


def test_wait_without_the_deployment_says_so(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", adopted(healthy(3), 8))
    ran = rollouts("wait", "checkout")
    assert ran.code == 1
    assert 'deployments.apps "shop" not found' in ran.err
