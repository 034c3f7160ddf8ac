"""A pod's status, from what its containers are doing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.network import PodNetwork
from rollouts.sandbox.workloads.objects import condition, is_true


def waiting(reason: str, message: str = "") -> JSON:
    """Return the state of a container that does not run yet, or not at the moment."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


@dataclass
class ContainerState:
    """What is known of a container; `state` and `last_state` are as in the API."""

    name: str
    image: str
    state: JSON = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: JSON = field(default_factory=dict)
    container_id: str = ""
    restarts: int = 0
    started: bool = False
    ready: bool = False

    def as_json(self) -> JSON:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restarts,
            "started": self.started,
            "ready": self.ready,
        }


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pod is: its own address, its node's, and since when."""

    address: str
    node_address: str
    since: datetime

    def as_told(self, network: PodNetwork) -> "Place":
        """Return it as the API server is told."""
        return Place(network.told(self.address), self.node_address, self.since)


def phase_of(pod: FrozenJSON, states: Sequence[ContainerState]) -> str:
    """Return Pending, Running, Succeeded or Failed."""
    ended = [state.state.get("terminated") for state in states]
    if all(ended) and pod["spec"].get("restartPolicy", "Always") != "Always":
        good = all(end and end["exitCode"] == 0 for end in ended)
        return "Succeeded" if good else "Failed"
    never_ran = any(
        "waiting" in state.state and not state.last_state and not state.restarts for state in states
    )
    return "Pending" if never_ran else "Running"


def pod_status(
    pod: FrozenJSON, place: Place, states: Sequence[ContainerState], now: datetime
) -> JSON:
    """Return what a kubelet says in it, for a strategic merge: what others say stays."""
    before: JSON = pod.get("status") or {}
    return {
        "phase": phase_of(pod, states),
        "hostIP": place.node_address,
        "hostIPs": [{"ip": place.node_address}],
        "podIP": place.address,
        "podIPs": [{"ip": place.address}],
        "startTime": before.get("startTime") or timestamp(place.since),
        "conditions": [
            each | {"lastTransitionTime": _since(pod, each) or timestamp(now)}
            for each in _conditions(pod, states)
        ],
        "containerStatuses": [state.as_json() for state in states],
    }


def _conditions(pod: FrozenJSON, states: Sequence[ContainerState]) -> list[JSON]:
    unready = [state.name for state in states if not state.ready]
    containers: JSON = {
        "type": "ContainersReady",
        "status": "True",
        "reason": None,  # what was said before goes
        "message": None,
    }
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        containers |= {"status": "False", "reason": "ContainersNotReady", "message": message}
    ready = {**containers, "type": "Ready"}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    shut = [gate for gate in gates if not is_true(pod, gate)]
    if shut and not unready:
        message = f"readiness gates not passed: [{' '.join(shut)}]"
        ready |= {"status": "False", "reason": "ReadinessGatesNotReady", "message": message}
    return [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"},
        ready,
        containers,
    ]


def _since(pod: FrozenJSON, said: JSON) -> str:
    """Return since when the condition has had that status; "" when it has another yet."""
    before = condition(pod, said["type"])
    if before is None or before["status"] != said["status"]:
        return ""
    return str(before.get("lastTransitionTime") or "")
