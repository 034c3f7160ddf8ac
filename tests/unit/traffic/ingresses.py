"""Ingresses and a Rollout over them, in the few words that a test of the renderer needs."""

import copy
from typing import Any

from rollouts.model.kinds import JSON, Kind
from rollouts.model.route import Keep, Route, Split
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.validation import parse_rollout
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.nginx.router import NginxRouter
from tests.fakes import kubernetes

PREFIX = "nginx.ingress.kubernetes.io"
CANARY = "web-checkout-canary"
Ingresses = dict[str, JSON]
NOTHING = Split()


def rollout(stable: tuple[str, ...] = ("web",), name: str = "checkout", **routing: Any) -> JSON:
    found = kubernetes.rollout([{"setWeight": 5}])
    nginx = {"stableIngresses": list(stable), **routing}
    found["spec"]["strategy"]["canary"]["trafficRouting"] = {"nginx": nginx}
    found["metadata"].update(uid="uid-1", name=name)
    return found


def context(
    ingresses: Ingresses, obj: JSON | None = None, **others: dict[Kind, Any]
) -> RoutingContext:
    obj = obj or rollout()
    return RoutingContext(
        parse_rollout(obj), obj, {INGRESS: ingresses, **others.get("objects", {})}
    )


def observe(
    ingresses: Ingresses, obj: JSON | None = None, wanted: Split = NOTHING, **others: Any
) -> Route:
    return NginxRouter().observe(context(ingresses, obj, **others), wanted)


def render(
    ingresses: Ingresses,
    percent: int = 5,
    *,
    obj: JSON | None = None,
    headers: tuple[Any, ...] = (),
    cut_off: bool = False,
) -> list[JSON]:
    """Return the canary Ingresses that are to be kept."""
    split = Split(percent, headers, cut_off=cut_off)
    writes = NginxRouter().render(context(ingresses, obj), split)
    return [dict(write.body) for write in writes if isinstance(write, Keep)]


def path(service: str = "checkout", at: str = "/", port: Any = None) -> JSON:
    backend = {"service": {"name": service, "port": port or {"number": 80}}}
    return {"path": at, "pathType": "Prefix", "backend": backend}


def rule(*paths: JSON, host: str = "") -> JSON:
    return {**({"host": host} if host else {}), "http": {"paths": list(paths)}}


def ingress(*rules: JSON, name: str = "web", annotations: Any = None, **spec: Any) -> Ingresses:
    """Return one Ingress by its name; without rules it leads to the stable Service."""
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}"}
    if annotations is not None:
        metadata["annotations"] = annotations
    body = {"rules": list(rules or [rule(path())]), **spec}
    return {name: {"metadata": metadata, "spec": body}}


def stored(rendered: list[JSON]) -> Ingresses:
    """Return what was rendered as a cluster gives it back, by name."""
    found = copy.deepcopy({body["metadata"]["name"]: body for body in rendered})
    for body in found.values():
        assert body["apiVersion"] == INGRESS.api_version
        metadata = body["metadata"]
        metadata.update(uid=f"uid-{metadata['name']}", resourceVersion="7", generation=1)
        body["status"] = {"loadBalancer": {}}
    return found
