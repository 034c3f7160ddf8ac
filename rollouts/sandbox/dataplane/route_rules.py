"""
What HTTPRoutes and GRPCRoutes say of a host: matches, the most specific first, and what follows.

Pure. The order is the Gateway API's: an exact path, the longest path, a method, the most
headers, the most query parameters, the oldest route, the route's name, the rule's place. A
regular expression, whose place the API leaves open, comes between exact paths and prefixes.
A GRPCRoute's service and method are the path /service/method.

A backend that can't be resolved keeps its share, which is answered with 500. Left out:
ReferenceGrants (a backend in another namespace is never permitted), and backends that are
no Services.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollouts.model.kinds import JSON
from rollouts.sandbox.crds import GRPC_ROUTE
from rollouts.sandbox.dataplane.endpoints import Backend, Endpoints
from rollouts.sandbox.dataplane.gateways import Verdict
from rollouts.sandbox.dataplane.snapshot import age

EXACT, PATTERN, PREFIX = "Exact", "RegularExpression", "PathPrefix"
HEADERS = {"RequestHeaderModifier": "request", "ResponseHeaderModifier": "response"}
OTHERS = {"RequestRedirect": "redirect", "URLRewrite": "rewrite"}
MIRROR = "RequestMirror"
_EVERYTHING: JSON = {"path": {"type": PREFIX, "value": "/"}}
_RANK = {EXACT: 0, PATTERN: 1, PREFIX: 2}


@dataclass(frozen=True, slots=True)
class Match:
    """A match as nginx reads it; `place` sorts the most specific first."""

    place: tuple[object, ...]
    text: JSON


@dataclass(frozen=True, slots=True)
class Target:
    """Where a backendRef leads: to `backend`, or nowhere, and why."""

    backend: Backend
    resolved: Verdict


def matches(route: JSON, endpoints: Endpoints) -> Iterator[Match]:
    """Yield every match of a route, with its rule."""
    of_grpc = route["kind"] == GRPC_ROUTE.name
    for number, rule in enumerate(_rules(route)):
        text = _rule(route, rule, endpoints)
        for listed, match in enumerate(rule.get("matches") or [{} if of_grpc else _EVERYTHING]):
            found = _grpc_match(match) if of_grpc else _http_match(match)
            place = (
                _RANK[found["type"]],
                -len(found["path"].rstrip("/")),
                not found["method"],
                -len(found["headers"]),
                -len(found["query"]),
                age(route),
                number,
                listed,
            )
            yield Match(place, found | {"rule": text})


def targets(route: JSON, endpoints: Endpoints) -> Iterator[Target]:
    """Yield where every backendRef of a route leads, those of mirrors too."""
    for rule in _rules(route):
        for backend in rule.get("backendRefs") or ():
            yield target(backend, route, endpoints)
        for mirror in _mirrors(rule):
            yield target(mirror["backendRef"], route, endpoints)


def target(ref: JSON, route: JSON, endpoints: Endpoints) -> Target:
    """Return where a backendRef leads."""
    own = route["metadata"].get("namespace", "")
    backend = Backend(ref.get("namespace") or own, ref["name"], str(ref.get("port") or ""))

    def broken(reason: str, message: str) -> Target:
        return Target(backend, Verdict(ok=False, reason=reason, message=message))

    if ref.get("group") or ref.get("kind", "Service") != "Service":
        return broken("InvalidKind", f"{ref.get('kind')} {ref['name']} is no Service")
    if backend.namespace != own:
        message = f"Service {backend.namespace}/{backend.service} is in another namespace"
        return broken("RefNotPermitted", message)
    if not endpoints.has(backend.namespace, backend.service):
        return broken("BackendNotFound", f"there is no Service {backend.service}")
    if not endpoints.has_port(backend):
        message = f"Service {backend.service} has no port {backend.port or '(none is named)'}"
        return broken("BackendNotFound", message)
    return Target(
        backend, Verdict(ok=True, reason="ResolvedRefs", message="every backend is there")
    )


def unsupported(route: JSON) -> list[str]:
    """Return the types of filters that the data plane does not know."""
    known = {*HEADERS, *OTHERS, MIRROR}
    return sorted(
        {
            str(each.get("type"))
            for rule in _rules(route)
            for each in [*_filters(rule), *_backend_filters(rule)]
            if each.get("type") not in known
        }
    )


def _rules(route: JSON) -> list[JSON]:
    return (route.get("spec") or {}).get("rules") or []


def _filters(rule: JSON) -> list[JSON]:
    return rule.get("filters") or []


def _mirrors(rule: JSON) -> list[JSON]:
    """Return what the rule's mirrors say; one that names no backend mirrors nothing."""
    found = (each.get(_field(MIRROR)) or {} for each in _filters(rule) if each["type"] == MIRROR)
    return [each for each in found if each.get("backendRef")]


def _backend_filters(rule: JSON) -> list[JSON]:
    return [each for ref in rule.get("backendRefs") or () for each in ref.get("filters") or ()]


def _field(kind: str) -> str:
    """Return the name of the field that holds a filter of that type."""
    head = "URL" if kind.startswith("URL") else kind[0]
    return head.lower() + kind[len(head) :]


def _rule(route: JSON, rule: JSON, endpoints: Endpoints) -> JSON:
    shares: list[list[object]] = []
    for ref in rule.get("backendRefs") or ():
        found = target(ref, route, endpoints)
        end = {"backend": str(found.backend) if found.resolved.ok else ""}
        shares.append([end | _modifiers(ref.get("filters") or []), int(ref.get("weight", 1))])
    text = {
        "route": f"{route['kind']}/{age(route)[1]}/{age(route)[2]}",
        "shares": shares,
        "mirrors": [_mirror(mirror, route, endpoints) for mirror in _mirrors(rule)],
    }
    return text | _modifiers(_filters(rule))


def _modifiers(filters: list[JSON]) -> JSON:
    names = HEADERS | OTHERS
    return {
        names[each["type"]]: each.get(_field(each["type"])) or {}
        for each in filters
        if each["type"] in names
    }


def _mirror(mirror: JSON, route: JSON, endpoints: Endpoints) -> JSON:
    found = target(mirror["backendRef"], route, endpoints)
    fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100)}
    return {
        "backend": str(found.backend) if found.resolved.ok else "",
        "numerator": fraction.get("numerator", 0),
        "denominator": fraction.get("denominator", 100),
    }


def _http_match(match: JSON) -> JSON:
    path = match.get("path") or {}
    return {
        "type": path.get("type", PREFIX),
        "path": path.get("value", "/"),
        "method": match.get("method", ""),
        "headers": _values(match.get("headers")),
        "query": _values(match.get("queryParams")),
    }


def _grpc_match(match: JSON) -> JSON:
    method = match.get("method") or {}
    service, name = method.get("service", ""), method.get("method", "")
    if method.get("type") == PATTERN or (name and not service):
        given = method.get("type") == PATTERN
        parts = (part if given else re.escape(part) for part in (service, name))
        kind, path = PATTERN, "".join(f"/(?:{part or '[^/]+'})" for part in parts)
    elif name:
        kind, path = EXACT, f"/{service}/{name}"
    else:
        kind, path = PREFIX, f"/{service}"
    return {
        "type": kind,
        "path": path,
        "method": "",
        "headers": _values(match.get("headers")),
        "query": [],
    }


def _values(listed: list[JSON] | None) -> list[list[str]]:
    """Return (name, value, whether it is a pattern) of header or query matches."""
    return [
        [each["name"], each["value"], "~" if each.get("type") == PATTERN else ""]
        for each in listed or ()
    ]
