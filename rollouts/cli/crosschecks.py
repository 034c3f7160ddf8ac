"""
What objects in the same files say about each other, and what is valid but unwise.

An object that is not in the files may still be in the cluster: that is a warning at most.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rollouts.cli.positions import Document
from rollouts.model.kinds import GROUP, JSON
from rollouts.model.spec import RolloutSpec

Severity = Literal["error", "warning", "note"]
_CANARY = "spec.strategy.canary"
_INGRESSES = f"{_CANARY}.trafficRouting.nginx.stableIngresses"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about a field of a Rollout."""

    severity: Severity
    field: str
    reason: str


class Neighbours:
    """The objects of one namespace in all the files that are linted."""

    def __init__(self, documents: Sequence[Document], namespace: str) -> None:
        self._objects: dict[str, dict[str, JSON]] = {}
        for document in documents:
            content = document.content
            if isinstance(content, dict) and _namespace(content) == namespace:
                name = _mapping(content.get("metadata")).get("name")
                self._objects.setdefault(str(content.get("kind")), {})[str(name)] = content

    def of_kind(self, kind: str) -> dict[str, JSON]:
        return self._objects.get(kind, {})


def _namespace(content: JSON) -> str:
    return str(_mapping(content.get("metadata")).get("namespace") or "")


def _mapping(value: object) -> JSON:
    """Return what should be a map, as one: nobody has validated a neighbour."""
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def cross_check(documents: Sequence[Document], rollout: JSON, spec: RolloutSpec) -> list[Remark]:
    """Return everything to be said about a Rollout whose spec was accepted."""
    neighbours = Neighbours(documents, _namespace(rollout))
    return [
        *_services(neighbours, spec),
        *_ingresses(neighbours, spec),
        *_environment(spec),
        *_probes(spec),
        *_criteria(spec),
    ]


def _services(neighbours: Neighbours, spec: RolloutSpec) -> Iterator[Remark]:
    services = neighbours.of_kind("Service")
    stable = services.get(spec.stable_service)
    field = f"{_CANARY}.stableService"
    if stable is None:
        if services:
            yield _absent("Service", spec.stable_service, services, field)
        return
    labels = ((spec.template or {}).get("metadata") or {}).get("labels") or {}
    selector = _mapping(_mapping(stable.get("spec")).get("selector"))
    wrong = [
        f"{key}: {value}"
        for key, value in selector.items()
        if not str(key).startswith(f"{GROUP}/") and labels.get(key) != value
    ]
    if wrong:
        text = f"Service {spec.stable_service} selects {', '.join(wrong)}, which the template's labels do not have"
        yield Remark("error", field, text)
    if not selector:
        yield Remark("error", field, f"Service {spec.stable_service} has no selector")


def _absent(kind: str, name: str, known: Iterable[str], field: str) -> Remark:
    """Return a warning when the name looks like a slip, else a note."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        text = f"there is no {kind} {name} in these files; did you mean {near[0]}?"
        return Remark("warning", field, text)
    return Remark(
        "note", field, f"{kind} {name} is not in these files; it has to be in the cluster"
    )


def _ingresses(neighbours: Neighbours, spec: RolloutSpec) -> Iterator[Remark]:
    ingresses = neighbours.of_kind("Ingress")
    for index, name in enumerate(spec.nginx.stable_ingresses):
        field = f"{_INGRESSES}[{index}]"
        ingress = ingresses.get(name)
        if ingress is None:
            if ingresses:
                yield _absent("Ingress", name, ingresses, field)
        elif spec.stable_service not in set(_backends(ingress)):
            text = f"Ingress {name} has no rule for Service {spec.stable_service}"
            yield Remark("error", field, text)


def _backends(ingress: JSON) -> Iterator[str]:
    for rule in _list(_mapping(ingress.get("spec")).get("rules")):
        for path in _list(_mapping(_mapping(rule).get("http")).get("paths")):
            service = _mapping(_mapping(_mapping(path).get("backend")).get("service"))
            yield str(service.get("name"))


def _environment(spec: RolloutSpec) -> Iterator[Remark]:
    """Yield values that look like text and are none: the API server refuses pods with them."""
    containers = ((spec.template or {}).get("spec") or {}).get("containers") or []
    for index, container in enumerate(containers):
        for number, variable in enumerate(_list(container.get("env"))):
            value = _mapping(variable).get("value", "")
            if not isinstance(value, str):
                field = f"spec.template.spec.containers[{index}].env[{number}].value"
                yield Remark("error", field, f'expected text, got {value!r}; put it in quotes: "…"')


def _probes(spec: RolloutSpec) -> Iterator[Remark]:
    containers = ((spec.template or {}).get("spec") or {}).get("containers") or []
    if not any(container.get("readinessProbe") for container in containers):
        yield Remark(
            "warning",
            "spec.template.spec.containers[0]",
            "no container has a readinessProbe: traffic may reach a pod before it can answer",
        )


def _criteria(spec: RolloutSpec) -> Iterator[Remark]:
    if spec.success_criteria:
        return
    yield Remark(
        "warning",
        "spec.successCriteria",
        "there are none: only crashing pods stop a bad release; add errors with errorRate: {max: 1%}",
    )
