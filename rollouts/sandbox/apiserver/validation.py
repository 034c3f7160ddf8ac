"""
What is refused of built-in kinds: what a user gets wrong most, in the API server's words.

Fields that are not looked at here are kept as they came: the built-in kinds have no full
schema in this server.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver import autoscalers, names
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.selectors import labels_match

Causes = Iterator[Cause]
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def object_causes(obj: FrozenJSON, current: FrozenJSON | None) -> list[Cause]:
    """Return what is wrong with an object of a built-in kind that replaces `current`."""
    check = _CHECKS.get(obj["kind"])
    return list(check(obj, current)) if check else []


def _required(field: str, why: str = "") -> Cause:
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def _wrong(field: str, value: Any, why: str) -> Cause:
    return Cause(field, f"Invalid value: {shown(value)}: {why}")


def _not_negative(field: str, value: Any) -> Causes:
    if isinstance(value, int) and value < 0:
        yield _wrong(field, value, "must be greater than or equal to 0")


def _port(field: str, value: Any) -> Causes:
    if not isinstance(value, int) or not 1 <= value <= 65535:
        yield _wrong(field, value, "must be between 1 and 65535, inclusive")


def _pod_spec(spec: FrozenJSON, path: str) -> Causes:
    containers = spec.get("containers")
    if not containers:
        yield _required(f"{path}.containers")
        return
    yield from _not_negative(
        f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds")
    )
    seen = set()
    for number, container in enumerate(containers):
        here = f"{path}.containers[{number}]"
        name = container.get("name")
        if not name:
            yield _required(f"{here}.name")
        elif name in seen:
            yield Cause(f"{here}.name", f"Duplicate value: {shown(name)}", "FieldValueDuplicate")
        else:
            yield from names.label(f"{here}.name", name)
        seen.add(name)
        yield from _container(container, here)


def _container(container: FrozenJSON, here: str) -> Causes:
    if not container.get("image"):
        yield _required(f"{here}.image")
    for number, port in enumerate(container.get("ports") or ()):
        field = f"{here}.ports[{number}].containerPort"
        if "containerPort" not in port:
            yield _required(field)
        else:
            yield from _port(field, port["containerPort"])
    for number, variable in enumerate(container.get("env") or ()):
        field = f"{here}.env[{number}]"
        if not variable.get("name"):
            yield _required(f"{field}.name")
        value = variable.get("value", "")
        if not isinstance(value, str):
            yield _wrong(f"{field}.value", value, "must be a string")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        port = get_path(container, f"{name}.httpGet.port")
        if isinstance(port, int):
            yield from _port(f"{here}.{name}.httpGet.port", port)


def _pod(obj: FrozenJSON, current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    yield from _pod_spec(spec, "spec")
    if current is not None:
        yield from _pod_changes(spec, current.get("spec") or {})


def _pod_changes(spec: FrozenJSON, before: FrozenJSON) -> Causes:
    """Yield what may not change of a pod: nearly everything, once it is made."""
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(before.get(name) or ()):
            message = "Forbidden: pod updates may not add or remove containers"
            yield Cause(f"spec.{name}", message, "FieldValueForbidden")
            return
    if _fixed(spec, before) != _fixed(before, before):
        yield Cause("spec", f"Forbidden: {_MAY_CHANGE}", "FieldValueForbidden")


def _fixed(spec: FrozenJSON, before: FrozenJSON) -> JSON:
    """Return what of a pod's spec never changes; it is put on a node here by a change of it."""
    free = {"activeDeadlineSeconds", "tolerations"}
    free |= set() if before.get("nodeName") else {"nodeName"}
    fixed = {key: value for key, value in spec.items() if key not in free}
    for name in ("containers", "initContainers"):
        fixed[name] = [{**container, "image": ""} for container in spec.get(name) or ()]
    return fixed


def _workload(obj: FrozenJSON, current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    yield from _not_negative("spec.replicas", spec.get("replicas"))
    selector, labels = spec.get("selector"), get_path(spec, "template.metadata.labels", {})
    yield from names.label_map("spec.template.metadata.labels", labels)
    if not selector:
        yield _required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield _wrong("spec.selector", {}, f"empty selector is invalid for {obj['kind'].lower()}")
    elif not labels_match(selector, labels):
        yield _wrong(
            "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"
        )
    if current is not None and selector != get_path(current, "spec.selector"):
        yield _wrong("spec.selector", selector, "field is immutable")
    yield from _pod_spec(get_path(spec, "template.spec", {}), "spec.template.spec")


def _service(obj: FrozenJSON, current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    ports = spec.get("ports") or []
    external = spec.get("type") == "ExternalName"
    if external and not spec.get("externalName"):
        yield _required("spec.externalName")
    if not ports and not external and spec.get("clusterIP") != "None":
        yield _required("spec.ports")
    yield from names.label_map("spec.selector", spec.get("selector"))
    for number, port in enumerate(ports):
        yield from _service_port(port, f"spec.ports[{number}]", named=len(ports) > 1)
    before = get_path(current, "spec.clusterIP") if current else None
    if before and spec.get("clusterIP") != before and not external:
        yield _wrong("spec.clusterIPs[0]", spec.get("clusterIP"), "may not change once set")
    if spec.get("type") not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        choices = '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
        message = f"Unsupported value: {shown(spec.get('type'))}: supported values: {choices}"
        yield Cause("spec.type", message, "FieldValueNotSupported")


def _service_port(port: FrozenJSON, here: str, *, named: bool) -> Causes:
    if named and not port.get("name"):
        yield _required(f"{here}.name")
    yield from _port(f"{here}.port", port.get("port", 0))
    target = port.get("targetPort")
    if isinstance(target, int):
        yield from _port(f"{here}.targetPort", target)
    elif isinstance(target, str):
        yield from names.label(f"{here}.targetPort", target)


def _ingress(obj: FrozenJSON, _current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield _wrong("spec", [], "either `defaultBackend` or `rules` must be specified")
    if spec.get("defaultBackend"):
        yield from _backend(spec["defaultBackend"], "spec.defaultBackend")
    for number, rule in enumerate(spec.get("rules") or ()):
        here = f"spec.rules[{number}]"
        if rule.get("host"):
            yield from names.subdomain(f"{here}.host", rule["host"].removeprefix("*."))
        if rule.get("http") is None:
            continue
        if not rule["http"].get("paths"):
            yield _required(f"{here}.http.paths")
        for index, path in enumerate(rule["http"].get("paths") or ()):
            yield from _ingress_path(path, f"{here}.http.paths[{index}]")


def _ingress_path(path: FrozenJSON, here: str) -> Causes:
    kind = path.get("pathType")
    if not kind:
        yield _required(f"{here}.pathType", "pathType must be specified")
    elif kind not in ("Exact", "Prefix", "ImplementationSpecific"):
        choices = '"Exact", "ImplementationSpecific", "Prefix"'
        message = f"Unsupported value: {shown(kind)}: supported values: {choices}"
        yield Cause(f"{here}.pathType", message, "FieldValueNotSupported")
    text = path.get("path", "")
    if (text or kind in ("Exact", "Prefix")) and not text.startswith("/"):
        yield _wrong(f"{here}.path", text, "must be an absolute path")
    yield from _backend(path.get("backend") or {}, f"{here}.backend")


def _backend(backend: JSON, here: str) -> Causes:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        yield _wrong(here, "", "cannot set both resource and service backends")
    elif not service and not resource:
        yield _required(here, "port name or number is required")
    elif service:
        if not service.get("name"):
            yield _required(f"{here}.service.name")
        else:
            yield from names.label_1035(f"{here}.service.name", service["name"])
        port = service.get("port") or {}
        if not port.get("name") and not port.get("number"):
            yield _required(f"{here}.service.port", "port name or number is required")
        elif port.get("number"):
            yield from _port(f"{here}.service.port.number", port["number"])


def _endpoint_slice(obj: FrozenJSON, _current: FrozenJSON | None) -> Causes:
    if not obj.get("addressType"):
        yield _required("addressType")
    for number, endpoint in enumerate(obj.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            yield _required(f"endpoints[{number}].addresses", "must contain at least 1 address")


def _event(obj: FrozenJSON, _current: FrozenJSON | None) -> Causes:
    about = get_path(obj, "involvedObject.namespace", "")
    where = obj["metadata"]["namespace"]
    if about != where and (about or where != "default"):
        yield _wrong("involvedObject.namespace", about, "does not match event.namespace")


def _binding(obj: FrozenJSON, current: FrozenJSON | None) -> Causes:
    if not obj.get("roleRef"):
        yield _required("roleRef")
    elif current is not None and obj["roleRef"] != current.get("roleRef"):
        yield _wrong("roleRef", obj["roleRef"], "cannot change roleRef")


def _budget(obj: FrozenJSON, _current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    limits = {name: spec[name] for name in ("minAvailable", "maxUnavailable") if name in spec}
    if len(limits) > 1:
        yield _wrong("spec", limits, "minAvailable and maxUnavailable cannot be both set")
    for name, value in limits.items():
        yield from _not_negative(f"spec.{name}", value)
        if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,2}%|100%", value):
            yield _wrong(
                f"spec.{name}",
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            )


def _lease(obj: FrozenJSON, _current: FrozenJSON | None) -> Causes:
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield _wrong("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    yield from _not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


_CHECKS: dict[str, Callable[[FrozenJSON, FrozenJSON | None], Causes]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "Service": _service,
    "Ingress": _ingress,
    "EndpointSlice": _endpoint_slice,
    "Event": _event,
    "HorizontalPodAutoscaler": autoscalers.causes,
    "PodDisruptionBudget": _budget,
    "Lease": _lease,
    "ClusterRoleBinding": _binding,
    "RoleBinding": _binding,
}
