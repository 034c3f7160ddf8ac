"""What is counted, and what is not."""

from typing import Any

import pytest

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observe import notation, observe
from rollouts.core.world import Observed
from rollouts.model.kinds import ENDPOINT_SLICE, HASH_LABEL, JSON, POD, REPLICA_SET, ROLLOUT, Ref
from rollouts.model.spec import LabelSelector
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import rollout


@pytest.fixture
async def deployed(loop: ControlLoop) -> ControlLoop:
    return await loop.deployed()


def seen(loop: ControlLoop) -> Observed:
    spec = parse_rollout(loop.rollout)
    return observe(
        loop.cluster, loop.rollout, ObservationInput.of(spec, RolloutStatus()), quiet_seconds=2
    )


def stable_hash(loop: ControlLoop) -> str:
    return str(loop.status["stableRevision"]["hash"])


def a_pod(loop: ControlLoop) -> Ref:
    pod = loop.cluster.select(POD, "shop", {HASH_LABEL: stable_hash(loop)})[0]
    return Ref(POD, "shop", pod["metadata"]["name"])


def waiting(reason: str, where: str = "containerStatuses") -> JSON:
    status = {"name": "web", "restartCount": 2, "state": {"waiting": {"reason": reason}}}
    return {"status": {"containerStatuses": [], where: [status]}}


async def test_a_terminating_pod_does_not_exist(deployed: ControlLoop) -> None:
    deployed.cluster.edit(
        a_pod(deployed), {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}
    )

    found = seen(deployed).replica_sets[stable_hash(deployed)]

    assert (found.existing, found.ready, found.available, found.wanted) == (3, 3, 3, 4)


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_a_pod_that_has_ended_does_not_exist(deployed: ControlLoop, phase: str) -> None:
    deployed.cluster.edit(a_pod(deployed), {"status": {"phase": phase}})

    found = seen(deployed).replica_sets[stable_hash(deployed)]

    assert (found.existing, found.ready, len(found.pods)) == (3, 3, 3)


async def test_available_is_what_pods_and_status_agree_on(deployed: ControlLoop) -> None:
    ref = Ref(REPLICA_SET, "shop", f"checkout-{stable_hash(deployed)}")
    deployed.cluster.edit(ref, {"status": {"availableReplicas": 2}})

    found = seen(deployed).replica_sets[stable_hash(deployed)]

    assert (found.ready, found.available) == (4, 2)


@pytest.mark.parametrize(
    ("reason", "problem"),
    [("CrashLoopBackOff", "CrashLoopBackOff"), ("ContainerCreating", ""), ("ErrImagePull",) * 2],
)
@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
async def test_what_containers_wait_for_is_a_problem(
    deployed: ControlLoop, reason: str, problem: str, where: str
) -> None:
    ref = a_pod(deployed)
    deployed.cluster.edit(ref, waiting(reason, where))

    pods = seen(deployed).replica_sets[stable_hash(deployed)].pods

    (pod,) = [pod for pod in pods if pod.name == ref.name]
    assert pod.problem == problem
    assert pod.restarts == 2


@pytest.mark.parametrize(
    ("endpoint", "ready"),
    [
        ({"conditions": {"ready": False}}, 3),
        ({"conditions": {}}, 4),
        ({"conditions": {"ready": None}}, 4),
        ({"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "unknown"}}, 3),
        ({"conditions": {"ready": True}, "targetRef": None}, 3),
    ],
)
async def test_only_ready_endpoints_of_known_pods_count(
    deployed: ControlLoop, endpoint: dict[str, Any], ready: int
) -> None:
    ref = Ref(ENDPOINT_SLICE, "shop", "checkout-abcde")
    found = deployed.cluster.get(ref)
    assert found is not None
    first, *others = found["endpoints"]
    deployed.cluster.edit(ref, {"endpoints": [{**first, **endpoint}, *others]})

    service = seen(deployed).services["checkout"]

    assert service.ready_endpoints == {stable_hash(deployed): ready}


async def test_a_pod_with_two_addresses_is_one_endpoint(deployed: ControlLoop) -> None:
    first = deployed.cluster.get(Ref(ENDPOINT_SLICE, "shop", "checkout-abcde"))
    assert first is not None
    metadata = {**first["metadata"], "name": "checkout-ipv6"}
    deployed.cluster.put(ENDPOINT_SLICE, {**first, "metadata": metadata})

    assert seen(deployed).services["checkout"].ready_endpoints == {stable_hash(deployed): 4}


def test_a_selector_is_written_as_kubectl_does() -> None:
    selector = LabelSelector.model_validate(
        {
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["y", "x"]},
                {"key": "zone", "operator": "NotIn", "values": ["z"]},
                {"key": "up", "operator": "Exists"},
                {"key": "down", "operator": "DoesNotExist"},
            ],
        }
    )

    assert notation(selector) == "a=1,b=2,tier in (x,y),zone notin (z),up,!down"


def made_at(loop: ControlLoop, name: str, created: str) -> None:
    """Set the time that is the API server's own to set."""
    found = loop.cluster.get(Ref(ROLLOUT, "shop", name))
    assert found is not None
    found["metadata"]["creationTimestamp"] = created


def rival(loop: ControlLoop, name: str, created: str, **canary: str) -> None:
    body = rollout([])
    body["metadata"]["name"] = name
    body["spec"]["strategy"]["canary"] |= canary
    loop.cluster.put(ROLLOUT, body)
    made_at(loop, name, created)


def claims(loop: ControlLoop) -> list[str]:
    findings = seen(loop).route.blockers
    return [each.message for each in findings if each.reason == "ServiceClaimed"]


@pytest.mark.parametrize(
    ("name", "created", "canary", "claimed"),
    [
        ("old", "2000-01-01T00:00:00Z", {}, ["checkout", "checkout-canary"]),
        ("old", "2000-01-01T00:00:00Z", {"stableService": "checkout-canary"}, ["checkout-canary"]),
        (
            "old",
            "2000-01-01T00:00:00Z",
            {"stableService": "till", "canaryService": "checkout"},
            ["checkout"],
        ),
        ("old", "2000-01-01T00:00:00Z", {"stableService": "till"}, []),
        ("young", "2100-01-01T00:00:00Z", {}, []),
        ("a-namesake", "2030-01-01T00:00:00Z", {}, ["checkout", "checkout-canary"]),
        ("z-namesake", "2030-01-01T00:00:00Z", {}, []),
    ],
)
def test_a_service_is_the_older_rollouts(
    loop: ControlLoop, name: str, created: str, canary: dict[str, str], claimed: list[str]
) -> None:
    loop.apply()
    made_at(loop, "checkout", "2030-01-01T00:00:00Z")
    rival(loop, name, created, **canary)

    assert claims(loop) == [
        f"Rollout {name} already releases Service {service}, and each Service has one Rollout:"
        " name another Service here, or delete one of the two Rollouts"
        for service in claimed
    ]


def test_a_rollout_that_is_being_deleted_claims_nothing(loop: ControlLoop) -> None:
    loop.apply()
    rival(loop, "old", "2000-01-01T00:00:00Z")
    old = Ref(ROLLOUT, "shop", "old")
    loop.cluster.edit(old, {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}})

    assert claims(loop) == []


def at(second: int) -> str:
    return f"2030-01-01T00:00:{second:02}Z"


def unready(reason: str = "ContainersNotReady", containers: str = "False", **running: str) -> JSON:
    """Return a pod that is not ready since the tenth second, with the state of its container."""
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": at(10), "reason": reason}
    state = {"name": "web", "restartCount": 0, "state": {"running": running}}
    conditions = [ready, {"type": "ContainersReady", "status": containers}]
    return {"status": {"conditions": conditions, "containerStatuses": [state]}}


def ended() -> JSON:
    pod = unready()
    pod["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 1}}
    return pod


def with_condition(pod: JSON, **condition: str) -> JSON:
    pod["status"]["conditions"].append(condition)
    return pod


@pytest.mark.parametrize(
    ("pod", "was_ready", "disrupted"),
    [
        pytest.param(unready(startedAt=at(3)), True, False, id="it was ready once it had started"),
        pytest.param(unready(startedAt=at(12)), False, False, id="it only starts"),
        pytest.param(unready(startedAt=at(10)), False, False, id="it starts in the same second"),
        pytest.param(unready(), False, False, id="nothing tells when it started"),
        pytest.param(ended(), True, False, id="its container has ended and is not restarted yet"),
        pytest.param(
            unready("", "True", startedAt=at(3)), True, True, id="its node does not answer"
        ),
        pytest.param(
            unready("ReadinessGatesNotReady", "True", startedAt=at(3)),
            True,
            False,
            id="a gate of it is shut",
        ),
        pytest.param(
            with_condition(unready(startedAt=at(3)), type="DisruptionTarget", status="True"),
            True,
            True,
            id="its node is shut down",
        ),
    ],
)
async def test_a_pod_that_is_not_ready_tells_whether_it_was(
    deployed: ControlLoop, pod: JSON, was_ready: bool, disrupted: bool
) -> None:
    ref = a_pod(deployed)
    deployed.cluster.edit(ref, pod)

    pods = seen(deployed).replica_sets[stable_hash(deployed)].pods

    found = next(each for each in pods if each.name == ref.name)
    assert found.unready_since is not None
    assert found.unready_since.isoformat() == "2030-01-01T00:00:10+00:00"
    assert (found.ready, found.was_ready, found.disrupted) == (False, was_ready, disrupted)


async def test_a_pod_that_is_ready_has_not_been_unready_since_any_time(
    deployed: ControlLoop,
) -> None:
    pods = seen(deployed).replica_sets[stable_hash(deployed)].pods
    assert {(each.unready_since, each.was_ready, each.disrupted) for each in pods} == {
        (None, False, False)
    }


async def test_what_forbids_a_pod_is_told_without_the_name_of_the_pod(
    deployed: ControlLoop,
) -> None:
    deployed.kubernetes.quota = 4
    deployed.edit({"spec": {"replicas": 5}})
    await deployed.round()
    found = seen(deployed).replica_sets[stable_hash(deployed)]
    assert found.existing == 4
    why = "exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4"
    assert found.pod_problems == f" ({why})"
    deployed.kubernetes.quota = 5
    await deployed.round()
    assert seen(deployed).replica_sets[stable_hash(deployed)].pod_problems == ""


@pytest.mark.parametrize(
    "refused", ['pods "checkout-{}" is forbidden', 'Pod "checkout-{}" is invalid']
)
async def test_a_pod_that_is_refused_again_and_again_is_told_in_the_same_words(
    deployed: ControlLoop, refused: str
) -> None:
    """Each try gives the pod another name, of which no status needs a write."""
    told = set()
    for name in ("7k2vp", "x94bd"):
        message = f"{refused.format(name)}: spec.x: Required value"
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
        ref = Ref(REPLICA_SET, "shop", f"checkout-{stable_hash(deployed)}")
        conditions = [{**condition, "message": message}]
        deployed.cluster.edit(ref, {"status": {"conditions": conditions}})
        told.add(seen(deployed).replica_sets[stable_hash(deployed)].pod_problems)
    assert told == {" (spec.x: Required value)"}


async def test_a_pod_that_no_node_has_room_for_is_unschedulable(deployed: ControlLoop) -> None:
    deployed.kubernetes.is_full = True
    deployed.edit({"spec": {"replicas": 5}})
    await deployed.round()
    found = seen(deployed).replica_sets[stable_hash(deployed)]
    assert (found.existing, found.ready) == (5, 4)
    assert found.pod_problems == " (Unschedulable)"
