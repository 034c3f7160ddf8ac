"""`set-image` and `wait` where a Deployment has the template."""

from collections.abc import Callable

from rollouts.core.template import canonical_hash
from rollouts.model.kinds import HASH_LABEL, JSON, MEANING_ANNOTATION, REVISION_LABEL
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
    assert f"revision {hash_of(4)} now" in ran.out
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


def rewritten(version: int, status: JSON, generation: int) -> JSON:
    """Return a Rollout whose template says the same as that of `version`, in another way."""
    body = rollout(version, status, generation=generation)
    body["spec"]["template"]["spec"]["volumes"] = []
    return body


def replica_set(version: int) -> JSON:
    """Return a ReplicaSet as an API server shows it, with what it fills in."""
    metadata = {
        "namespace": "shop",
        "name": f"checkout-{hash_of(version)}",
        "labels": {HASH_LABEL: hash_of(version), REVISION_LABEL: str(version)},
        "annotations": {MEANING_ANNOTATION: canonical_hash(template(version))},
        "ownerReferences": [{"uid": "u1", "controller": True}],
    }
    defaulted = {**template(version)["spec"], "restartPolicy": "Always"}
    return {"metadata": metadata, "spec": {"template": {"spec": defaulted}}}


def test_wait_knows_a_template_that_is_written_in_another_way(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rewritten(3, healthy(3), 4))
    cluster.add("ReplicaSet", replica_set(3))
    seen = {**healthy(3), "observedGeneration": 4}
    cluster.script = [rewritten(3, seen, 4)]
    ran = rollouts("wait", "checkout", "--timeout", "30s")
    assert ran.code == 0
    assert ran.out == "checkout: revision 3 (demo/checkout:3.0) is promoted\n"


def test_wait_is_patient_with_an_old_template_that_comes_back_in_another_writing(
    rollouts: Run, cluster: FakeRequests
) -> None:
    """What became of it last time is not taken for what becomes of it now."""
    cluster.add("Rollout", rewritten(3, healthy(4), 5))
    cluster.add("ReplicaSet", replica_set(3), replica_set(4))
    again = {**healthy(3), "observedGeneration": 5}
    cluster.script = [rewritten(3, again, 5)]
    ran = rollouts("wait", "checkout", "--timeout", "30s")
    assert (ran.code, ran.err) == (0, ran.err)
    assert "is promoted" in ran.out


def test_wait_does_without_replica_sets_that_it_may_not_read(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(4, healthy(3)))
    cluster.forbidden = ("ReplicaSet",)
    cluster.script = [rollout(4, healthy(4))]
    assert rollouts("wait", "checkout", "--timeout", "30s").code == 0


def test_wait_without_the_deployment_says_so(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", adopted(healthy(3), 8))
    ran = rollouts("wait", "checkout")
    assert ran.code == 1
    assert 'deployments.apps "shop" not found' in ran.err
