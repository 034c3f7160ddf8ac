"""
The EndpointSlice controller: which pods a Service has, and which of them are ready.

A pod that is being deleted is `ready: false, terminating: true` from that moment on, before
its process hears of it. A Service's pods are in one slice as long as its target ports mean
the same numbers in all of them; where a named port differs between pods, each meaning has a
slice of its own. Slices are not split at 100 endpoints as a real cluster's are.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable

from rollouts.model.kinds import ENDPOINT_SLICE, JSON, POD, SERVICE, FrozenJSON, Kind
from rollouts.model.owners import controller_reference, is_controlled_by
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.apiserver.objects import get_path, labels_of
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.workloads.control_loop import Key
from rollouts.sandbox.workloads.object_controllers import ObjectController
from rollouts.sandbox.workloads.objects import (
    includes,
    is_terminating,
    is_true,
)

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
Ports = tuple[tuple[str, int, str, str], ...]
"""Per port of a Service: its name, the pod's port, the protocol, the application's protocol."""


class EndpointSlices(ObjectController):
    """See the module's promise."""

    name = "endpointslice-controller"
    kinds: tuple[Kind, ...] = (SERVICE, POD, ENDPOINT_SLICE)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._selecting: dict[Key, dict[str, str]] = {}
        self._labels: dict[Key, dict[str, str]] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        obj = change.object
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if change.kind == SERVICE:
            self._remember(key, change)
            return [key]
        if change.kind == ENDPOINT_SLICE:
            service = labels_of(obj).get(SERVICE_LABEL)
            return [(key[0], service)] if service else []
        return self._selecting_pod(key, change)

    def _remember(self, key: Key, change: Change) -> None:
        selector = change.object["spec"].get("selector")
        if change.type == "DELETED" or not selector:
            self._selecting.pop(key, None)
        else:
            self._selecting[key] = selector

    def _selecting_pod(self, key: Key, change: Change) -> list[Key]:
        """Return the Services that select the pod by its labels as they are or as they were."""
        labels = dict(labels_of(change.object))
        before = self._labels.get(key, labels)
        if change.type == "DELETED":
            self._labels.pop(key, None)
        else:
            self._labels[key] = labels
        return [
            service
            for service, selector in self._selecting.items()
            if service[0] == key[0] and (includes(labels, selector) or includes(before, selector))
        ]

    def reconcile_object(self, service: JSON) -> float | None:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if not service["spec"].get("selector"):
            return None
        wanted = {body["metadata"]["name"]: body for body in slices(service, self._pods(service))}
        for present in self._store.select(ENDPOINT_SLICE, key[0], {SERVICE_LABEL: key[1]}):
            if not is_controlled_by(present, service):
                continue
            name = present["metadata"]["name"]
            body = wanted.pop(name, None)
            if body is None:
                self._store.delete(ENDPOINT_SLICE, key[0], name)
            elif any(present.get(field) != body[field] for field in ("endpoints", "ports")):
                self._store.replace(ENDPOINT_SLICE, {**present, **_content(body)})
        for body in wanted.values():
            self._store.create(ENDPOINT_SLICE, body)
        return None

    def _pods(self, service: FrozenJSON) -> list[JSON]:
        namespace = service["metadata"]["namespace"]
        return self._store.select(POD, namespace, service["spec"]["selector"])


def _content(body: JSON) -> JSON:
    return {field: body[field] for field in ("endpoints", "ports")}


def slices(service: FrozenJSON, pods: Iterable[FrozenJSON]) -> list[JSON]:
    """Return the slices that a Service should have; always at least one."""
    groups: dict[Ports, list[JSON]] = defaultdict(list)
    for pod in pods:
        if get_path(pod, "status.podIP") and get_path(pod, "status.phase") not in (
            "Succeeded",
            "Failed",
        ):
            groups[ports_of(service, pod)].append(endpoint(service, pod))
    groups = groups or {(): []}
    return [
        _slice(service, ports, groups[ports], number) for number, ports in enumerate(sorted(groups))
    ]


def _slice(service: FrozenJSON, ports: Ports, endpoints: list[JSON], number: int) -> JSON:
    meta = service["metadata"]
    identity = json.dumps([meta["uid"], ports if number else ""])
    suffix = hashlib.sha256(identity.encode()).hexdigest()[:5]
    return {
        "metadata": {
            "name": f"{meta['name']}-{suffix}",
            "namespace": meta["namespace"],
            "labels": {
                **labels_of(service),
                SERVICE_LABEL: meta["name"],
                MANAGED_BY_LABEL: "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [controller_reference(service, SERVICE)],
        },
        "addressType": "IPv4",
        "endpoints": sorted(endpoints, key=lambda each: str(each["addresses"][0])) or None,
        "ports": [_port(*port) for port in ports] or None,
    }


def _port(name: str, port: int, protocol: str, app_protocol: str) -> JSON:
    shown: JSON = {"name": name, "port": port, "protocol": protocol}
    return shown | ({"appProtocol": app_protocol} if app_protocol else {})


def endpoint(service: FrozenJSON, pod: FrozenJSON) -> JSON:
    """Return a pod as an endpoint of a Service."""
    meta = pod["metadata"]
    serving, terminating = is_true(pod, "Ready"), is_terminating(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": always or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": POD.name,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }


def ports_of(service: FrozenJSON, pod: FrozenJSON) -> Ports:
    """Return the Service's ports as this pod has them; a name that the pod lacks is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = port_number(pod["spec"], port.get("targetPort") or port["port"], protocol)
        if number is not None:
            found.append((port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def port_number(pod_spec: FrozenJSON, port: int | str, protocol: str = "TCP") -> int | None:
    """Return the number of a pod's port, which may be given by name; None when it has none."""
    if isinstance(port, int):
        return port
    if port.isdecimal():
        return int(port)
    for container in pod_spec.get("containers") or ():
        for declared in container.get("ports") or ():
            if declared.get("name") == port and declared.get("protocol", "TCP") == protocol:
                return int(declared["containerPort"])
    return None
