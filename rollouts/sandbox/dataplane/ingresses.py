"""
What Ingresses mean to ingress-nginx: routes, and the canary of a backend.

Pure. The rules, as ingress-nginx has them (its controller and its balancer):

- The oldest Ingress that claims a host and path has it.
- A canary Ingress adds nothing by itself. It joins a main route of the same host, path
  and path type, and then belongs to that route's *backend*: every other route to the
  same Service and port gets the canary too, whatever its host.
- A backend has one canary, the oldest Ingress's; a backend that some route uses as its
  main one is never a canary.
- `mirror-target` holds for all requests of its Ingress's routes, whichever arm they take;
  on a canary Ingress it does nothing.
- With `affinity: cookie`, a client stays with the arm that it met first, before any header,
  cookie or weight is looked at; not with `affinity-canary-behavior: legacy`.

Left out: TLS, regular expressions, rewriting, `service-upstream`, ExternalName.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Backend
from rollouts.sandbox.dataplane.mirrors import Mirror, mirror
from rollouts.sandbox.dataplane.snapshot import age
from rollouts.sandbox.network import PodNetwork

EXACT, PREFIX = "Exact", "Prefix"
DEFAULT_COOKIE = "INGRESSCOOKIE"


@dataclass(frozen=True, slots=True)
class IngressSettings:
    """Whose pods are served, which Ingresses are ours, and the prefix of the annotations that we honour."""

    network: PodNetwork
    ingress_class: str = "nginx"
    annotation_prefix: str = "nginx.ingress.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What an Ingress's annotations say beside its routes.

    `affinity` is the name of the cookie that ties a client to a pod, or "". `pins` says that
    it also ties a client to the stable or the canary backend.
    """

    mirror: Mirror | None = None
    affinity: str = ""
    pins: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """Requests for `host` (empty for any, `*.x.y` for a wildcard) and `path` go to `backend`."""

    host: str
    path: str
    path_type: str
    ingress: str
    backend: Backend
    policy: Policy = Policy()


@dataclass(frozen=True, slots=True)
class Canary:
    """Which requests for a main backend go to `backend` instead: header, then cookie, then weight."""

    backend: Backend
    weight: int = 0
    weight_total: int = 100
    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""


def routes(ingresses: Iterable[JSON], settings: IngressSettings) -> list[Route]:
    """Return the main routes, for each host the most specific first."""
    found: dict[tuple[str, str, str], Route] = {}
    for ingress in _ours(ingresses, settings):
        if not _is_canary(ingress, settings):
            policy = _policy(ingress, settings)
            for claim in _claims(ingress):
                route = replace(claim, policy=policy)
                found.setdefault((route.host, route.path, route.path_type), route)
    return sorted(found.values(), key=_specificity)


def canaries(
    ingresses: Iterable[JSON], main: Sequence[Route], settings: IngressSettings
) -> dict[Backend, Canary]:
    """Return the canary of each main backend that has one."""
    primaries = {route.backend for route in main}
    where = {(route.host, route.path, route.path_type): route.backend for route in main}
    policies: dict[Backend, Canary] = {}
    found: dict[Backend, Canary] = {}
    for ingress in _ours(ingresses, settings):
        if not _is_canary(ingress, settings):
            continue
        for claim in _claims(ingress):
            if claim.backend in primaries:
                continue
            policy = policies.setdefault(claim.backend, _canary(ingress, claim.backend, settings))
            primary = where.get((claim.host, claim.path, claim.path_type))
            if primary is not None:
                found.setdefault(primary, policy)
    return found


def is_ours(ingress: JSON, settings: IngressSettings) -> bool:
    """Return whether the Ingress is of our class; one that names no class is."""
    named = ingress.get("spec", {}).get("ingressClassName") or _annotations(ingress).get(
        "kubernetes.io/ingress.class"
    )
    return not named or named == settings.ingress_class


def _ours(ingresses: Iterable[JSON], settings: IngressSettings) -> list[JSON]:
    """Return our Ingresses, oldest first."""
    return sorted((each for each in ingresses if is_ours(each, settings)), key=age)


def _specificity(route: Route) -> tuple[str, bool, int, bool]:
    return (route.host, route.path_type != EXACT, -len(route.path), route.path_type != PREFIX)


def _claims(ingress: JSON) -> Iterator[Route]:
    """Yield each route the Ingress asks for; resource backends and rules without paths ask for none."""
    spec = ingress.get("spec") or {}
    hosts: dict[str, set[str]] = {}
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or "").lower()
        paths = hosts.setdefault(host, set())
        for path in (rule.get("http") or {}).get("paths") or ():
            paths.add(path.get("path") or "/")
            route = _route(ingress, host, path)
            if route:
                yield route
    default = {"backend": spec.get("defaultBackend") or {}}
    for host, paths in (hosts or {"": set[str]()}).items():
        route = None if "/" in paths else _route(ingress, host, default)
        if route:
            yield route


def _route(ingress: JSON, host: str, path: JSON) -> Route | None:
    service = (path.get("backend") or {}).get("service")
    if not service:
        return None
    meta = ingress["metadata"]
    port: dict[str, Any] = service.get("port") or {}
    named = str(port.get("name") or port.get("number") or "")
    return Route(
        host=host,
        path=path.get("path") or "/",
        path_type=path.get("pathType") or PREFIX,
        ingress=str(meta["name"]),
        backend=Backend(str(meta.get("namespace", "")), str(service["name"]), named),
    )


def _annotations(ingress: JSON) -> dict[str, str]:
    return ingress["metadata"].get("annotations") or {}


def _is_canary(ingress: JSON, settings: IngressSettings) -> bool:
    return _annotations(ingress).get(f"{settings.annotation_prefix}/canary") == "true"


def _text(ingress: JSON, name: str, settings: IngressSettings) -> str:
    return str(_annotations(ingress).get(f"{settings.annotation_prefix}/{name}", ""))


def _policy(ingress: JSON, settings: IngressSettings) -> Policy:
    cookie = _text(ingress, "session-cookie-name", settings) or DEFAULT_COOKIE
    return Policy(
        mirror=mirror(
            _text(ingress, "mirror-target", settings),
            settings.network,
            _text(ingress, "mirror-host", settings),
            body=_text(ingress, "mirror-request-body", settings) != "off",
        ),
        affinity=cookie if _text(ingress, "affinity", settings) == "cookie" else "",
        pins=_text(ingress, "affinity-canary-behavior", settings) != "legacy",
    )


def _canary(ingress: JSON, backend: Backend, settings: IngressSettings) -> Canary:
    def text(name: str) -> str:
        return _text(ingress, name, settings)

    return Canary(
        backend=backend,
        weight=_whole(text("canary-weight"), default=0),
        weight_total=max(100, _whole(text("canary-weight-total"), default=100)),
        header=text("canary-by-header"),
        header_value=text("canary-by-header-value"),
        header_pattern=text("canary-by-header-pattern"),
        cookie=text("canary-by-cookie"),
    )


def _whole(text: str, *, default: int) -> int:
    """Return the number, or `default` for what is none, as ingress-nginx does with a bad annotation."""
    return int(text) if text.isdecimal() else default
