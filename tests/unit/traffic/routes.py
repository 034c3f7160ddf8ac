"""HTTPRoutes, a Rollout over them, and a Gateway that accepts what it is given."""

import copy
from collections.abc import Iterable
from typing import Any

from rollouts.model.kinds import JSON, Kind
from rollouts.model.route import Change, Keep, Remove, Route, RoutingWrite, Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.validation import parse_rollout
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway.router import GatewayRouter
from tests.fakes import kubernetes

NOTHING = Split()
NOTE = "rollouts.dev/weights-checkout"
OWN = "web-checkout-canary"
SERVED = {HTTP_ROUTE: "v1", GRPC_ROUTE: "v1"}
Routes = dict[str, JSON]


def rollout(*names: str, steps: Any = None, **routing: Any) -> JSON:
    found = kubernetes.rollout(steps or [{"setWeight": 5}])
    gateway = routing or {"httpRoutes": list(names or ("web",))}
    found["spec"]["strategy"]["canary"]["trafficRouting"] = {"gatewayAPI": gateway}
    found["metadata"]["uid"] = "uid-1"
    return found


def backend(name: str = "checkout", weight: int | None = 1, **more: Any) -> JSON:
    """Return a backendRef as an API server completes it; without a weight where that is None."""
    ref = {"group": "", "kind": "Service", "name": name, "port": 80, **more}
    return ref if weight is None else ref | {"weight": weight}


def rule(*backends: JSON, path: str = "/", **more: Any) -> JSON:
    matches = [{"path": {"type": "PathPrefix", "value": path}}]
    return {"matches": matches, **more, "backendRefs": list(backends or [backend()])}


def route(*rules: JSON, name: str = "web", kind: Kind = HTTP_ROUTE, **spec: Any) -> Routes:
    """Return one route by its name, accepted; without rules it leads to the stable Service."""
    body: JSON = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "annotations": {"team": "shop"},
        },
        "spec": {"parentRefs": [{"name": "edge"}], "rules": list(rules or [rule()]), **spec},
    }
    return {name: accepted(body)}


def accepted(body: JSON, status: str = "True", kinds: Iterable[str] = ("Accepted",)) -> JSON:
    """Return a route whose every parent says `status` of it in these conditions, and True in others."""
    conditions = [
        {
            "type": each,
            "status": status if each in kinds else "True",
            "reason": "Said",
            "message": "so it is",
            "observedGeneration": body["metadata"]["generation"],
        }
        for each in ("Accepted", "ResolvedRefs")
    ]
    parents = [
        {"parentRef": each, "controllerName": "edge.test/gateway", "conditions": conditions}
        for each in body["spec"].get("parentRefs") or ()
    ]
    return {**body, "status": {"parents": copy.deepcopy(parents)}}


def context(routes: Routes, obj: JSON | None = None, **how: Any) -> RoutingContext:
    obj = obj or rollout()
    objects = {HTTP_ROUTE: routes, GRPC_ROUTE: how.get("grpc", {})} | how.get("besides", {})
    return RoutingContext(parse_rollout(obj), obj, objects, how.get("served", SERVED))


def observe(routes: Routes, obj: JSON | None = None, wanted: Split = NOTHING, **how: Any) -> Route:
    return GatewayRouter().observe(context(routes, obj, **how), wanted)


def render(routes: Routes, split: Split, obj: JSON | None = None) -> list[RoutingWrite]:
    return GatewayRouter().render(context(routes, obj), split)


def after(routes: Routes, writes: list[RoutingWrite], *, accept: bool = True) -> Routes:
    """Return the routes after these writes, as an API server would have them."""
    found = copy.deepcopy(routes)
    for write in writes:
        if isinstance(write, Remove):
            del found[write.ref.name]
            continue
        if isinstance(write, Keep):
            name, body = write.body["metadata"]["name"], copy.deepcopy(dict(write.body))
            old = found.get(name, {"metadata": {"uid": f"uid-{name}", "generation": 0}})
            body["metadata"] = old["metadata"] | body["metadata"]
            body["status"] = old.get("status", {})
        else:
            name, body = write.ref.name, _merged(found[write.ref.name], write)
        body["metadata"]["generation"] += 1
        found[name] = accepted(body) if accept else body
    return found


def live(percent: int, routes: Routes | None = None, obj: JSON | None = None) -> Routes:
    """Return the routes while the canary has this weight."""
    found = routes or route()
    return after(found, render(found, Split(percent), obj))


def _merged(present: JSON, change: Change) -> JSON:
    metadata = change.body["metadata"]
    assert metadata["resourceVersion"] == present["metadata"]["resourceVersion"]
    annotations = present["metadata"]["annotations"] | metadata.get("annotations", {})
    kept = {key: value for key, value in annotations.items() if value is not None}
    spec = present["spec"] | change.body.get("spec", {})
    version = str(int(metadata["resourceVersion"]) + 1)
    assert set(change.body) <= {"metadata", "spec"}
    assert set(change.body.get("spec", {})) <= {"rules"}
    merged = present["metadata"] | {"annotations": kept, "resourceVersion": version}
    return {**present, "metadata": merged, "spec": spec}
