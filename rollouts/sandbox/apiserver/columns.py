"""The columns of `kubectl get`, per kind, as a real API server prints them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver import autoscalers, pod_columns
from rollouts.sandbox.apiserver.durations import age, ago
from rollouts.sandbox.apiserver.jsonpath import find
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.selectors import selector_string

Cell = Callable[[FrozenJSON, datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `wide` ones are shown with `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    wide: bool = False

    def as_json(self) -> JSON:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": 1 if self.wide else 0,
        }


def _at(path: str, default: Any = "<none>") -> Cell:
    return lambda obj, _now: get_path(obj, path, default)


def _count(path: str) -> Cell:
    return lambda obj, _now: get_path(obj, path, 0)


def _size(path: str) -> Cell:
    return lambda obj, _now: len(get_path(obj, path, ()))


def _created_at(obj: FrozenJSON, _now: datetime) -> str:
    return str(get_path(obj, "metadata.creationTimestamp", "<unknown>"))


NAME = Column("Name", _at("metadata.name"), format="name")
AGE = Column("Age", age)
CREATED = Column("Created At", _created_at, type="date")


def _containers(field: str) -> Cell:
    def cell(obj: FrozenJSON, _now: datetime) -> str:
        containers = get_path(obj, "spec.template.spec.containers", [])
        return ",".join(str(container.get(field, "")) for container in containers)

    return cell


def _selector(obj: FrozenJSON, _now: datetime) -> str:
    selector = get_path(obj, "spec.selector", {})
    if obj["kind"] == "Service":
        selector = {"matchLabels": selector}
    return selector_string(selector) or "<none>"


_TEMPLATE_COLUMNS = (
    Column("Containers", _containers("name"), wide=True),
    Column("Images", _containers("image"), wide=True),
    Column("Selector", _selector, wide=True),
)


def _deployment_ready(obj: FrozenJSON, _now: datetime) -> str:
    return f"{get_path(obj, 'status.readyReplicas', 0)}/{get_path(obj, 'spec.replicas', 0)}"


def _service_ports(obj: FrozenJSON, _now: datetime) -> str:
    ports = []
    for port in get_path(obj, "spec.ports", []):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(ports) or "<none>"


def _external_ip(obj: FrozenJSON, _now: datetime) -> str:
    found = [
        entry.get("ip") or entry.get("hostname")
        for entry in get_path(obj, "status.loadBalancer.ingress", [])
    ]
    if get_path(obj, "spec.type") == "LoadBalancer" and not found:
        return "<pending>"
    return ",".join(filter(None, found)) or get_path(obj, "spec.externalName") or "<none>"


def _ingress_hosts(obj: FrozenJSON, _now: datetime) -> str:
    return ",".join(rule.get("host") or "*" for rule in get_path(obj, "spec.rules", [])) or "*"


def _ingress_address(obj: FrozenJSON, _now: datetime) -> str:
    found = get_path(obj, "status.loadBalancer.ingress", [])
    return ",".join(entry.get("ip") or entry.get("hostname") or "" for entry in found)


def _ingress_ports(obj: FrozenJSON, _now: datetime) -> str:
    return "80, 443" if get_path(obj, "spec.tls") else "80"


def _event_object(obj: FrozenJSON, _now: datetime) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _first(*paths: str, default: Any = "") -> Cell:
    def cell(obj: FrozenJSON, _now: datetime) -> Any:
        return next(
            (value for path in paths if (value := get_path(obj, path)) is not None), default
        )

    return cell


_LAST_SEEN = (
    "series.lastObservedTime",
    "lastTimestamp",
    "deprecatedLastTimestamp",
    "eventTime",
    "metadata.creationTimestamp",
)
_FIRST_SEEN = ("firstTimestamp", "deprecatedFirstTimestamp", *_LAST_SEEN[3:])


def _since(*paths: str) -> Cell:
    return lambda obj, now: ago(_first(*paths)(obj, now), now)


def _node_status(obj: FrozenJSON, _now: datetime) -> str:
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in get_path(obj, "status.conditions", [])
    )
    return "Ready" if ready else "NotReady"


def _slice_ports(obj: FrozenJSON, _now: datetime) -> str:
    return ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"


def _slice_addresses(obj: FrozenJSON, _now: datetime) -> str:
    found = [address for end in obj.get("endpoints") or () for address in end.get("addresses", ())]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more if found else "<unset>"


def _role(obj: FrozenJSON, _now: datetime) -> str:
    return f"{get_path(obj, 'roleRef.kind', '')}/{get_path(obj, 'roleRef.name', '')}"


_WORKLOAD_TABLES: dict[str, tuple[Column, ...]] = {
    "Pod": (
        NAME,
        Column("Ready", pod_columns.ready),
        Column("Status", pod_columns.status),
        Column("Restarts", pod_columns.restarts),
        AGE,
        Column("IP", _at("status.podIP"), wide=True),
        Column("Node", _at("spec.nodeName"), wide=True),
        Column("Nominated Node", _at("status.nominatedNodeName"), wide=True),
        Column("Readiness Gates", _at("spec.readinessGates"), wide=True),
    ),
    "ReplicaSet": (
        NAME,
        Column("Desired", _count("spec.replicas"), "integer"),
        Column("Current", _count("status.replicas"), "integer"),
        Column("Ready", _count("status.readyReplicas"), "integer"),
        AGE,
        *_TEMPLATE_COLUMNS,
    ),
    "Deployment": (
        NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _count("status.updatedReplicas"), "integer"),
        Column("Available", _count("status.availableReplicas"), "integer"),
        AGE,
        *_TEMPLATE_COLUMNS,
    ),
    "Event": (
        Column("Last Seen", _since(*_LAST_SEEN)),
        Column("Type", _at("type", "")),
        Column("Reason", _at("reason", "")),
        Column("Object", _event_object),
        Column("Subobject", _first("involvedObject.fieldPath", "regarding.fieldPath"), wide=True),
        Column("Source", _first("source.component", "reportingComponent", "reportingController"), wide=True),
        Column("Message", _first("message", "note")),
        Column("First Seen", _since(*_FIRST_SEEN), wide=True),
        Column("Count", _first("series.count", "count", "deprecatedCount", default=1), "integer", wide=True),
        Column("Name", _at("metadata.name"), format="name", wide=True),
    ),
}  # fmt: skip

_TABLES: dict[str, tuple[Column, ...]] = {
    **_WORKLOAD_TABLES,
    "Service": (
        NAME,
        Column("Type", _at("spec.type")),
        Column("Cluster-IP", _at("spec.clusterIP")),
        Column("External-IP", _external_ip),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _selector, wide=True),
    ),
    "Ingress": (
        NAME,
        Column("Class", _at("spec.ingressClassName")),
        Column("Hosts", _ingress_hosts),
        Column("Address", _ingress_address),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    "EndpointSlice": (
        NAME,
        Column("AddressType", _at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        AGE,
    ),
    "IngressClass": (NAME, Column("Controller", _at("spec.controller")), Column("Parameters", _at("spec.parameters.name")), AGE),
    "Namespace": (NAME, Column("Status", _at("status.phase")), AGE),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", lambda _obj, _now: "<none>"),
        AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion", "")),
    ),
    "ConfigMap": (NAME, Column("Data", _size("data"), "integer"), AGE),
    "Secret": (NAME, Column("Type", _at("type")), Column("Data", _size("data"), "integer"), AGE),
    "ServiceAccount": (NAME, AGE),
    "Lease": (NAME, Column("Holder", _at("spec.holderIdentity", "")), AGE),
    "CustomResourceDefinition": (NAME, CREATED),
    "ClusterRole": (NAME, CREATED),
    "Role": (NAME, CREATED),
    "ClusterRoleBinding": (NAME, Column("Role", _role), AGE),
    "RoleBinding": (NAME, Column("Role", _role), AGE),
    "HorizontalPodAutoscaler": (
        NAME,
        Column("Reference", autoscalers.reference),
        Column("Targets", autoscalers.targets),
        Column("MinPods", _at("spec.minReplicas", "<unset>")),
        Column("MaxPods", _count("spec.maxReplicas"), "integer"),
        Column("Replicas", _count("status.currentReplicas"), "integer"),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        Column("Min Available", _at("spec.minAvailable", "N/A")),
        Column("Max Unavailable", _at("spec.maxUnavailable", "N/A")),
        Column("Allowed Disruptions", _count("status.disruptionsAllowed"), "integer"),
        AGE,
    ),
}  # fmt: skip


def columns_of(resource: Resource) -> tuple[Column, ...]:
    """Return the columns of a kind; a custom resource's own, or name and age."""
    if resource.custom is None:
        return _TABLES.get(resource.kind.name, (NAME, AGE))
    own = tuple(_custom(column) for column in resource.custom.columns)
    return (NAME, *(own or (AGE,)))


def _custom(column: JSON) -> Column:
    return Column(
        column["name"],
        _custom_cell(column["jsonPath"], column["type"]),
        column["type"],
        column.get("format", ""),
        column.get("description", ""),
        wide=column.get("priority", 0) > 0,
    )


def _custom_cell(path: str, kind: str) -> Cell:
    def cell(obj: FrozenJSON, now: datetime) -> Any:
        found = find(obj, path)
        if not found or found[0] is None:
            return None
        value = found[0]
        if kind == "date":
            return ago(value, now)
        if kind == "string":
            return value if isinstance(value, str) else " ".join(_plain(item) for item in found)
        return value if isinstance(value, int | float) else None

    return cell


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
