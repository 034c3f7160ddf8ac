"""HorizontalPodAutoscalers at the API server: defaults, what is refused, and what kubectl shows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.objects import get_path

_UP: JSON = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: JSON = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_CPU: JSON = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_FIELDS = {
    "Utilization": "averageUtilization",
    "AverageValue": "averageValue",
    "Value": "value",
}
_SHOWN = 2


def defaulted(autoscaler: JSON) -> None:
    """Fill in what an autoscaler leaves out, in place."""
    spec = autoscaler.setdefault("spec", {})
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        spec["metrics"] = [_CPU]
    behaviour = spec.get("behavior")
    if behaviour is not None:
        behaviour["scaleUp"] = {**_UP, **(behaviour.get("scaleUp") or {})}
        behaviour["scaleDown"] = {**_DOWN, **(behaviour.get("scaleDown") or {})}


def causes(autoscaler: FrozenJSON, _current: FrozenJSON | None = None) -> Iterator[Cause]:
    """Yield what is wrong with an autoscaler."""
    spec = autoscaler.get("spec") or {}
    for name in ("kind", "name"):
        if not get_path(spec, f"scaleTargetRef.{name}"):
            yield _required(f"spec.scaleTargetRef.{name}")
    least, most = spec["minReplicas"], spec.get("maxReplicas", 0)
    if least < 0:
        yield _wrong("spec.minReplicas", least, "must be greater than or equal to 0")
    elif least == 0 and not {"Object", "External"} & {each.get("type") for each in spec["metrics"]}:
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield Cause("spec.metrics", f"Forbidden: {why}", "FieldValueForbidden")
    if most < 1:
        yield _wrong("spec.maxReplicas", most, "must be greater than 0")
    elif most < least:
        yield _wrong("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for number, metric in enumerate(spec["metrics"]):
        yield from _metric(metric, f"spec.metrics[{number}]")


def _metric(metric: FrozenJSON, here: str) -> Iterator[Cause]:
    kind = metric.get("type")
    if not kind:
        yield _required(f"{here}.type")
        return
    name = f"{kind[0].lower()}{kind[1:]}"
    source = metric.get(name)
    if not isinstance(source, dict):
        yield Cause(
            f"{here}.{name}",
            "Required value: must populate information for the given metric source",
            "FieldValueRequired",
        )
    elif name in ("resource", "external"):
        field = "name" if name == "resource" else "metric.name"
        if not get_path(source, field):
            yield _required(f"{here}.{name}.{field}")
        yield from _target(source.get("target") or {}, f"{here}.{name}.target")


def _target(target: FrozenJSON, here: str) -> Iterator[Cause]:
    kind = target.get("type")
    if kind not in _FIELDS:
        yield _required(f"{here}.type")
        return
    value = target.get(_FIELDS[kind])
    if value is None:
        yield _required(f"{here}.{_FIELDS[kind]}")
    elif isinstance(value, int) and value < 1:
        yield _wrong(f"{here}.{_FIELDS[kind]}", value, "must be greater than 0")


def _required(field: str) -> Cause:
    return Cause(field, "Required value", "FieldValueRequired")


def _wrong(field: str, value: Any, why: str) -> Cause:
    return Cause(field, f"Invalid value: {shown(value)}: {why}")


def reference(autoscaler: FrozenJSON, _now: datetime) -> str:
    """Return kind and name of what is scaled, as `kubectl get` shows them."""
    target = get_path(autoscaler, "spec.scaleTargetRef", {})
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def targets(autoscaler: FrozenJSON, _now: datetime) -> str:
    """Return each metric's level and target, as `kubectl get` shows them."""
    metrics = get_path(autoscaler, "spec.metrics", [])
    found = get_path(autoscaler, "status.currentMetrics", [])
    texts = [
        _level(metric, found[number] if number < len(found) else {})
        for number, metric in enumerate(metrics)
    ]
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more or "<none>"


def _level(metric: FrozenJSON, found: FrozenJSON) -> str:
    name = f"{metric['type'][0].lower()}{metric['type'][1:]}"
    target = get_path(metric, f"{name}.target", {})
    field = _FIELDS.get(target.get("type", ""), "value")
    level = get_path(found, f"{name}.current.{field}", "<unknown>")
    wanted = target.get(field, "<auto>")
    if field == "averageUtilization":
        level = level if level == "<unknown>" else f"{level}%"
        wanted = f"{wanted}%"
    prefix = f"{get_path(metric, 'resource.name')}: " if name == "resource" else ""
    average = " (avg)" if name == "external" and field == "averageValue" else ""
    return f"{prefix}{level}/{wanted}{average}"
