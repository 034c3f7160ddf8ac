"""Label and field selectors: parsed once, asked per object."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path, labels_of

Match = Callable[[FrozenJSON], bool]

_SET_BASED = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_NUMERIC = re.compile(r"^\s*(?P<key>[^\s!=<>,()]+)\s*(?P<op>[<>])\s*(?P<value>-?\d+)\s*$")
_EQUALITY = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<not>!?)\s*(?P<key>[^\s!=,()]+)\s*$")

SELECTABLE_FIELDS = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    ),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets": ("status.replicas",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind a request is about; `everything` when it names no selector."""

    matches: Match
    everything: bool = False


def _split(selector: str) -> list[str]:
    """Split at the commas that are not inside parentheses."""
    return re.split(r",(?![^(]*\))", selector)


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET_BASED.match(text):
        values = {value.strip() for value in found["values"].split(",")}
        key = found["key"]
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _NUMERIC.match(text):
        return _numeric(found["key"], found["op"], int(found["value"]))
    if found := _EQUALITY.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key, wanted = found["key"], not found["not"]
        return lambda labels: (key in labels) == wanted
    raise ApiError(400, f"unable to parse requirement: found '{text}'")


def _numeric(key: str, op: str, limit: int) -> Callable[[Mapping[str, str]], bool]:
    def holds(labels: Mapping[str, str]) -> bool:
        try:
            value = int(labels[key])
        except (KeyError, ValueError):
            return False
        return value > limit if op == ">" else value < limit

    return holds


def label_selector(selector: str) -> Match:
    """
    Return a test for the string form of a label selector.

    Raises:
        ApiError: 400, it can't be parsed.
    """
    requirements = [_requirement(part) for part in _split(selector) if part.strip()]

    def matches(obj: FrozenJSON) -> bool:
        labels = labels_of(obj)
        return all(requirement(labels) for requirement in requirements)

    return matches


def field_selector(selector: str, plural: str) -> Match:
    """
    Return a test for a field selector.

    Raises:
        ApiError: 400, it can't be parsed or names a field that this kind can't be selected by.
    """
    known = ("metadata.name", "metadata.namespace", *SELECTABLE_FIELDS.get(plural, ()))
    parts: list[tuple[str, bool, str]] = []
    for text in selector.split(","):
        if not text.strip():
            continue
        found = _EQUALITY.match(text)
        if not found:
            raise ApiError(400, f"invalid selector: '{selector}'; can't understand '{text}'")
        if found["key"] not in known:
            raise ApiError(400, f"field label not supported: {found['key']}")
        parts.append((found["key"], found["op"] != "!=", found["value"]))

    def matches(obj: FrozenJSON) -> bool:
        return all((_field(obj, path) == value) == wanted for path, wanted, value in parts)

    return matches


def _field(obj: FrozenJSON, path: str) -> str:
    if path == "source":
        path = "source.component"
    value = get_path(obj, path, "")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def selection(query: Mapping[str, str], plural: str, name: str = "") -> Selection:
    """
    Return what labelSelector and fieldSelector of a query select, of one object when `name`.

    Raises:
        ApiError: 400, one of them can't be understood.
    """
    tests: list[Match] = []
    if query.get("labelSelector"):
        tests.append(label_selector(query["labelSelector"]))
    if query.get("fieldSelector"):
        tests.append(field_selector(query["fieldSelector"], plural))
    if name:
        tests.append(lambda obj: obj["metadata"]["name"] == name)
    return Selection(lambda obj: all(test(obj) for test in tests), everything=not tests)


def selector_string(selector: JSON | None) -> str:
    """Return a LabelSelector object as the string form that /scale and the query have."""
    if not selector:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for requirement in selector.get("matchExpressions") or ():
        key, op = requirement["key"], requirement["operator"]
        if op in words:
            parts.append(f"{key} {words[op]} ({','.join(sorted(requirement.get('values', ())))})")
        else:
            parts.append(key if op == "Exists" else f"!{key}")
    return ",".join(parts)


def labels_match(selector: JSON | None, labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector object selects something with these labels."""
    return label_selector(selector_string(selector))({"metadata": {"labels": dict(labels)}})
