"""
The routing table that `route.js` reads: text keys and text values.

Pure. Keys are `host:…`, `canary:…` and `endpoints:…`; see the top of `route.js`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Endpoints
from rollouts.sandbox.dataplane.ingresses import (
    Backend,
    Canary,
    IngressSettings,
    Route,
    canaries,
    routes,
)


@dataclass(frozen=True, slots=True)
class Change:
    """What makes one table into another."""

    set: Mapping[str, str]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.set or self.delete)


def routing_table(
    ingresses: Iterable[JSON],
    services: Iterable[JSON],
    slices: Iterable[JSON],
    settings: IngressSettings,
) -> dict[str, str]:
    """Return the whole table for these objects."""
    listed = list(ingresses)
    main = routes(listed, settings)
    canary_of = canaries(listed, main, settings)
    endpoints = Endpoints(services, slices)
    backends: set[Backend] = {route.backend for route in main}
    backends |= {canary.backend for canary in canary_of.values()}
    table = {
        f"endpoints:{backend}": " ".join(addresses)
        for backend in sorted(backends)
        if (addresses := endpoints.addresses(backend))
    }
    table |= {f"canary:{main}": _canary(canary) for main, canary in canary_of.items()}
    for host in {route.host for route in main}:
        listed_routes = [_route(route) for route in main if route.host == host]
        table[f"host:{host}"] = json.dumps(listed_routes, separators=(",", ":"))
    return table


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    """Return what has to be set and deleted to get from one table to the other."""
    return Change(
        set={key: value for key, value in after.items() if before.get(key) != value},
        delete=tuple(sorted(before.keys() - after.keys())),
    )


def _route(route: Route) -> JSON:
    return {
        "host": route.host or "_",
        "path": route.path,
        "type": route.path_type,
        "namespace": route.backend.namespace,
        "ingress": route.ingress,
        "service": route.backend.service,
        "backend": str(route.backend),
    }


def _canary(canary: Canary) -> str:
    return json.dumps(
        {
            "backend": str(canary.backend),
            "weight": canary.weight,
            "total": canary.weight_total,
            "header": canary.header,
            "headerValue": canary.header_value,
            "headerPattern": canary.header_pattern,
            "cookie": canary.cookie,
        },
        separators=(",", ":"),
    )
