"""
The routing table that nginx reads for each request: text keys and text values.

Pure. Keys and what is under them: see the top of `lookup.js`.
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
from rollouts.sandbox.dataplane.snapshot import Snapshot
from rollouts.sandbox.dataplane.splits import Splits


@dataclass(frozen=True, slots=True)
class Change:
    """What makes one table into another."""

    set: Mapping[str, str]
    delete: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.set or self.delete)


def routing_table(seen: Snapshot, settings: IngressSettings) -> dict[str, str]:
    """Return the whole table for these objects."""
    main = routes(seen.ingresses, settings)
    canary_of = canaries(seen.ingresses, main, settings)
    endpoints = Endpoints(seen.services, seen.slices)
    splits = Splits(seen.traffic_splits, endpoints)
    backends: set[Backend] = {route.backend for route in main}
    backends |= {canary.backend for canary in canary_of.values()}
    table = _hosts(main) | _destinations(backends, splits, endpoints)
    return table | {f"canary:{main}": _canary(canary) for main, canary in canary_of.items()}


def _hosts(main: Iterable[Route]) -> dict[str, str]:
    by_host: dict[str, list[JSON]] = {}
    for route in main:
        by_host.setdefault(route.host, []).append(_route(route))
    return {f"host:{host}": _compact(listed) for host, listed in by_host.items()}


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
    }


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
