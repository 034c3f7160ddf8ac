"""What Ingresses say: the Services that their paths lead to, and annotations. Reads only."""

from collections.abc import Iterable, Iterator

from rollouts.model.kinds import JSON, FrozenJSON


def annotation(ingress: FrozenJSON, prefix: str, key: str) -> str | None:
    """Return the annotation `prefix`/`key`, or None."""
    value = annotations(ingress).get(f"{prefix}/{key}")
    return str(value) if value is not None else None


def annotations(ingress: FrozenJSON) -> JSON:
    return ingress["metadata"].get("annotations") or {}


def is_canary(ingress: FrozenJSON, prefix: str) -> bool:
    """Return whether ingress-nginx takes it for a canary Ingress."""
    return annotation(ingress, prefix, "canary") == "true"


def rules_of(ingress: FrozenJSON) -> list[JSON]:
    return list((ingress.get("spec") or {}).get("rules") or [])


def paths(rule: FrozenJSON) -> list[JSON]:
    """Return the paths of a rule; a rule may have no `http` at all."""
    return list((rule.get("http") or {}).get("paths") or [])


def service_of(path: FrozenJSON) -> str | None:
    """Return the Service that a path leads to; None for a resource backend."""
    service = ((path.get("backend") or {}).get("service")) or {}
    found = service.get("name")
    return str(found) if found is not None else None


def default_service(ingress: FrozenJSON) -> str | None:
    """Return the Service of the default backend."""
    return service_of({"backend": (ingress.get("spec") or {}).get("defaultBackend") or {}})


def is_default_backend(ingress: FrozenJSON, service: str | None) -> bool:
    """Return whether the Service gets what no rule takes: a host with the path / leaves nothing over."""
    taken: dict[str, set[str]] = {}
    for rule in rules_of(ingress):
        found = taken.setdefault(str(rule.get("host") or "").lower(), set())
        found |= {str(path.get("path") or "/") for path in paths(rule)}
    is_left = not taken or any("/" not in found for found in taken.values())
    return service is not None and default_service(ingress) == service and is_left


def services(ingress: FrozenJSON) -> list[str | None]:
    """Return where every path leads."""
    return [service_of(path) for rule in rules_of(ingress) for path in paths(rule)]


def rules_to(ingress: FrozenJSON, service: str | None) -> Iterator[JSON]:
    """Yield the rules that lead to this Service, without their other paths."""
    for rule in rules_of(ingress):
        leading = [path for path in paths(rule) if service_of(path) == service]
        if leading:
            host = {"host": rule["host"]} if rule.get("host") else {}
            yield {**host, "http": {"paths": leading}}


def routes(rules: Iterable[FrozenJSON]) -> Iterator[tuple[str, str]]:
    """Yield every host and path."""
    for rule in rules:
        for path in paths(rule):
            yield str(rule.get("host") or "*"), str(path.get("path") or "/")
