"""
What a Gateway's controller says that it can't do, of that which a release needs.

Facts, from the Gateway API: a GatewayClass lists in `status.supportedFeatures`, by name, what its
controller supports; by that list it is tested for conformance. A controller that lists nothing says
nothing. What a route uses and its controller does not support is to be refused, and is not always:
Traefik 3.7 accepts a route that mirrors, and then answers each of its requests with 500.
"""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON, Kind
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import elements, mapping
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.gateway import parents
from rollouts.traffic.router import RoutingKind

GATEWAY_CLASS = Kind(
    "gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", is_namespaced=False
)
READ = RoutingKind(
    GATEWAY_CLASS,
    ("v1",),
    is_written=False,
    fields=("metadata", "spec.controllerName", "status.supportedFeatures"),
)
MIRROR, PERCENTAGE_MIRROR = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"


def findings(context: RoutingContext, kind: Kind, route: FrozenJSON) -> Iterator[Finding]:
    """Yield the steps that a controller which serves this route says it has nothing for."""
    if kind != HTTP_ROUTE:  # for mirrors of GRPCRoutes the API has no name
        return
    for controller in sorted(parents.controllers(route)):
        listed = _listed(context, controller)
        for name, feature in _needed(context.spec):
            if listed and feature not in listed:
                yield Finding(
                    "error",
                    "MirrorNotSupported",
                    (
                        f"setMirrorRoute {name} can't be had on {kind} {route['metadata']['name']}: {controller},"
                        f" which serves it, does not list {feature} in its GatewayClass' status, and may fail every"
                        " request of a rule that mirrors; take the step out"
                    ),
                )


def _needed(spec: RolloutSpec) -> Iterator[tuple[str, str]]:
    """Yield each mirror route of the steps, and the feature that it takes."""
    for step in spec.steps:
        route = step.set_mirror_route
        if route is not None and (route.match or route.percentage):
            whole = route.percentage in (None, 100)
            yield route.name, MIRROR if whole else PERCENTAGE_MIRROR


def _listed(context: RoutingContext, controller: str) -> set[str]:
    """Return what a controller lists as supported, in whichever of its classes."""
    return {
        _name(feature)
        for each in context.of(GATEWAY_CLASS).values()
        if mapping(each.get("spec")).get("controllerName") == controller
        for feature in elements(mapping(each.get("status")).get("supportedFeatures"))
    }


def _name(feature: object) -> str:
    """Return a feature's name; before version 1.2 of the API it was all that there was."""
    return feature if isinstance(feature, str) else str(mapping(feature).get("name"))
