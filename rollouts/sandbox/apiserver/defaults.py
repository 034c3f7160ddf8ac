"""
What a real API server fills in when an object of a built-in kind leaves it out.

Functions work in place, and change nothing in an object that has been through them.
"""

import base64
from collections.abc import Callable
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver import autoscalers

Address = Callable[[], str]

_FIRST_NODE_PORT = 30000


def defaulted_object(obj: JSON, current: FrozenJSON | None, new_address: Address) -> None:
    """Fill in the defaults of a built-in object; `new_address` gives a free cluster address."""
    if obj["kind"] == "Service":
        _service(obj, current, new_address)
    elif obj["kind"] in _DEFAULTS:
        _DEFAULTS[obj["kind"]](obj)


def _fill(target: JSON, **values: Any) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def pod_spec(spec: JSON) -> None:
    """Fill in what every pod, and every template of one, gets."""
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        _container(container)
    for volume in spec.get("volumes") or ():
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if source in volume:
                _fill(volume[source], defaultMode=420)


def _container(container: JSON) -> None:
    image = str(container.get("image", "")).rpartition("/")[2]
    latest = "@" not in image and image.partition(":")[2] in ("", "latest")
    _fill(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest else "IfNotPresent",
    )
    for port in container.get("ports") or ():
        _fill(port, protocol="TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            _fill(reference, apiVersion="v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            _probe(container[name])


def _probe(probe: JSON) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _fill(probe["httpGet"], path="/", scheme="HTTP")


def _pod(pod: JSON) -> None:
    spec = pod.setdefault("spec", {})
    pod_spec(spec)
    _fill(spec, serviceAccountName="default", enableServiceLinks=True, priority=0)
    _fill(spec, preemptionPolicy="PreemptLowerPriority")
    _fill(pod, status={})
    _fill(pod["status"], phase="Pending", qosClass=_quality(spec))


def _quality(spec: JSON) -> str:
    asked = [container.get("resources") for container in spec.get("containers") or ()]
    return "Burstable" if any(asked) else "BestEffort"


def _template(spec: JSON) -> None:
    if isinstance(spec.get("template"), dict) and isinstance(spec["template"].get("spec"), dict):
        pod_spec(spec["template"]["spec"])


def _replica_set(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1)
    _template(spec)
    _fill(obj, status={"replicas": 0})


def _deployment(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, strategy={}, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec["strategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template(spec)
    _fill(obj, status={})


def _service(obj: JSON, current: FrozenJSON | None, new_address: Address) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    _fill(obj, status={"loadBalancer": {}})
    for port in spec.get("ports") or ():
        _fill(port, protocol="TCP")
        _fill(port, targetPort=port.get("port"))
    if spec["type"] == "ExternalName":
        return
    before = (current or {}).get("spec") or {}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or new_address()
    _fill(
        spec,
        clusterIPs=[spec["clusterIP"]],
        ipFamilies=["IPv4"],
        ipFamilyPolicy="SingleStack",
        internalTrafficPolicy="Cluster",
    )
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
        offset = int(spec["clusterIP"].rpartition(".")[2]) * 8
        for number, port in enumerate(spec.get("ports") or ()):
            _fill(port, nodePort=_FIRST_NODE_PORT + offset + number)


def _namespace(obj: JSON) -> None:
    _fill(obj, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _secret(obj: JSON) -> None:
    _fill(obj, type="Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        encoded = {
            key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()
        }
        obj["data"] = (obj.get("data") or {}) | encoded


def _ingress(obj: JSON) -> None:
    _fill(obj, status={"loadBalancer": {}})


def _endpoint_slice(obj: JSON) -> None:
    for name in ("endpoints", "ports"):  # nothing is a null there, not an empty list
        obj.setdefault(name, None)
    for port in obj["ports"] or ():
        _fill(port, name="", protocol="TCP")


_DEFAULTS: dict[str, Callable[[JSON], None]] = {
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Deployment": _deployment,
    "Namespace": _namespace,
    "Secret": _secret,
    "Ingress": _ingress,
    "EndpointSlice": _endpoint_slice,
    "HorizontalPodAutoscaler": autoscalers.defaulted,
}
