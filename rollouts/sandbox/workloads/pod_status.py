"""A pod's status, from what its containers are doing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.workloads.objects import is_true, merged_conditions


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
    """Return the whole status; what others have put into it stays."""
    before: JSON = pod.get("status") or {}
    conditions = _conditions(pod, states)
    return {
        **before,
        "phase": phase_of(pod, states),
        "hostIP": place.node_address,
        "hostIPs": [{"ip": place.node_address}],
        "podIP": place.address,
        "podIPs": [{"ip": place.address}],
        "startTime": before.get("startTime") or timestamp(place.since),
        "conditions": merged_conditions(before.get("conditions") or (), conditions, timestamp(now)),
        "containerStatuses": [state.as_json() for state in states],
    }


def _conditions(pod: FrozenJSON, states: Sequence[ContainerState]) -> list[JSON]:
    unready = [state.name for state in states if not state.ready]
    containers: JSON = {"type": "ContainersReady", "status": "True"}
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
