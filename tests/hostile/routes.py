"""Routing objects with any field replaced by what it must not be, as a CRD without a schema lets them through."""

import copy
from collections.abc import Iterator
from typing import Any

from rollouts.model.kinds import CRD, JSON, Kind
from rollouts.model.owners import controller_reference
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.traffic.gateway.policies import POLICIES
from tests.fakes.control_loop import STEPS, ControlLoop
from tests.fakes.crds import VERSIONS, definition

JUNK: tuple[Any, ...] = (None, True, -1, 1.5, 2**70, "x", [], {}, [None], ["x"], [{}], {"x": None})
ROUTE: JSON = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "annotations": {"rollouts.dev/weights-x": "["},
    },
    "spec": {
        "parentRefs": [{"name": "edge", "sectionName": "https", "port": 443, "namespace": "infra"}],
        "hostnames": ["shop.test"],
        "rules": [
            {
                "name": "all",
                "matches": [
                    {
                        "path": {"type": "PathPrefix", "value": "/"},
                        "headers": [{"type": "Exact", "name": "a", "value": "b"}],
                        "method": "GET",
                    }
                ],
                "filters": [
                    {
                        "type": "RequestMirror",
                        "requestMirror": {"backendRef": {"name": "checkout-canary", "port": 80}},
                    }
                ],
                "backendRefs": [
                    {"kind": "Service", "group": "", "name": "checkout", "port": 80, "weight": 75},
                    {"name": "checkout-canary", "port": 80, "weight": 25, "filters": []},
                ],
            }
        ],
    },
    "status": {
        "parents": [
            {
                "parentRef": {"name": "edge", "sectionName": "https"},
                "controllerName": "edge.test/gateway",
                "conditions": [
                    {"type": "Accepted", "status": "True", "observedGeneration": 1},
                    {"type": "ResolvedRefs", "status": "True", "reason": "", "message": ""},
                ],
            }
        ]
    },
}
SPLIT: JSON = {
    "metadata": {"namespace": "shop", "name": "checkout"},
    "spec": {
        "service": "checkout",
        "backends": [
            {"service": "checkout", "weight": 75},
            {"service": "checkout-canary", "weight": "25m"},
        ],
    },
}
KINDS: dict[Kind, tuple[JSON, JSON]] = {
    HTTP_ROUTE: (ROUTE, {"gatewayAPI": {"httpRoutes": ["web"]}}),
    GRPC_ROUTE: (ROUTE, {"gatewayAPI": {"grpcRoutes": ["web"]}}),
    TRAFFIC_SPLIT: (SPLIT, {"smi": {}}),
}
"""An object of each kind, and the routing of a Rollout that has to do with it."""


def mutations(body: JSON) -> Iterator[JSON]:
    """Yield the object with each of its fields, however deep, replaced by each piece of junk."""
    for path in _paths({key: body[key] for key in ("spec", "status") if key in body}):
        for junk in JUNK:
            made = copy.deepcopy(body)
            place: Any = made
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = copy.deepcopy(junk)
            yield made


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in parts:
        yield (*before, name)
        if isinstance(part, dict | list):
            yield from _paths(part, (*before, name))


def loop_with(routing: JSON, **spec: Any) -> ControlLoop:
    """Return a control loop whose Rollout has this routing, in a cluster that serves every kind."""
    loop = ControlLoop()
    for kind in (TRAFFIC_SPLIT, HTTP_ROUTE, GRPC_ROUTE, *POLICIES):
        loop.cluster.put(CRD, definition(kind, VERSIONS[kind][0]))
    canary = {"stableService": "checkout", "trafficRouting": routing, "steps": STEPS}
    loop.apply(strategy={"canary": canary}, successCriteria=[], **spec)
    return loop


def placed(loop: ControlLoop, kind: Kind, body: JSON, role: str) -> str:
    """Put the object into the cluster as the Rollout's own, the one it names, or another; return its name."""
    made = copy.deepcopy(body)
    if role == "other":
        made["metadata"]["name"] = "other"
    if role == "own":
        made["metadata"]["ownerReferences"] = [controller_reference(loop.rollout)]
    loop.cluster.put(kind, made)
    return str(made["metadata"]["name"])
