"""
The routing table that nginx reads for each request: text keys and text values.

Pure. Keys and what is under them: see the top of `lookup.js`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Backend, Endpoints
from rollouts.sandbox.dataplane.gateways import Gateways
from rollouts.sandbox.dataplane.ingresses import (
    Canary,
    IngressSettings,
    Route,
    canaries,
    routes,
)
from rollouts.sandbox.dataplane.mirrors import Mirror
from rollouts.sandbox.dataplane.route_rules import Match, matches, targets, unsupported
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot
from rollouts.sandbox.dataplane.splits import Splits


@dataclass(frozen=True, slots=True)
class Change:
    """What makes one table into another."""

    set: Mapping[str, str]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.set or self.delete)


def routing_table(seen: RoutingSnapshot, settings: IngressSettings) -> dict[str, str]:
    """Return the whole table for these objects."""
    main = routes(seen.ingresses, settings)
    canary_of = canaries(seen.ingresses, main, settings)
    endpoints = Endpoints(seen.services, seen.slices)
    splits = Splits(seen.traffic_splits, endpoints)
    backends: set[Backend] = {route.backend for route in main}
    backends |= {canary.backend for canary in canary_of.values()}
    mirrors = [route.policy.mirror for route in main if route.policy.mirror]
    backends |= {mirror.backend for mirror in mirrors if mirror.backend}
    gateways = Gateways(seen)
    served = [route for route in (*seen.http_routes, *seen.grpc_routes) if not unsupported(route)]
    backends |= {
        target.backend
        for route in served
        for target in targets(route, endpoints)
        if target.resolved.ok
    }
    table = _gateway(served, gateways, endpoints)
    table |= _hosts(main) | _destinations(backends, splits, endpoints)
    return table | {f"canary:{main}": _canary(canary) for main, canary in canary_of.items()}


def _hosts(main: Iterable[Route]) -> dict[str, str]:
    by_host: dict[str, list[JSON]] = {}
    for route in main:
        by_host.setdefault(route.host, []).append(_route(route))
    return {f"host:{host}": _compact(listed) for host, listed in by_host.items()}


def _gateway(served: Iterable[JSON], gateways: Gateways, endpoints: Endpoints) -> dict[str, str]:
    by_host: dict[str, list[Match]] = {}
    for route in served:
        found = list(matches(route, endpoints))
        hosts = {host for each in gateways.attach(route) for host in each.hosts}
        for host in hosts:
            by_host.setdefault(host, []).extend(found)
    return {
        f"gateway:{host}": _compact([each.text for each in sorted(listed, key=_place)])
        for host, listed in by_host.items()
    }


def _place(match: Match) -> Any:
    return match.place


def _destinations(
    backends: Iterable[Backend], splits: Splits, endpoints: Endpoints
) -> dict[str, str]:
    """Return where each backend's requests end: the shares of its split, and everybody's addresses."""
    table: dict[str, str] = {}
    for backend in sorted(backends):
        shares = splits.shares(backend)
        if shares:
            pairs = [[str(share.backend), share.weight] for share in shares]
            table[f"split:{backend}"] = _compact(pairs)
        for each in (backend, *(share.backend for share in shares)):
            if addresses := endpoints.addresses(each):
                table[f"endpoints:{each}"] = " ".join(addresses)
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
        "mirror": _mirror(route.policy.mirror) if route.policy.mirror else None,
        "affinity": route.policy.affinity,
        "pins": route.policy.pins,
    }


def _mirror(mirror: Mirror) -> JSON:
    backend = {"backend": str(mirror.backend)} if mirror.backend else {"peer": mirror.peer}
    return backend | {"uri": mirror.uri, "host": mirror.host, "body": mirror.body}


def _canary(canary: Canary) -> str:
    return _compact(
        {
            "backend": str(canary.backend),
            "weight": canary.weight,
            "total": canary.weight_total,
            "header": canary.header,
            "headerValue": canary.header_value,
            "headerPattern": canary.header_pattern,
            "cookie": canary.cookie,
        }
    )


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
