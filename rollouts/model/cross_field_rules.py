"""What fits the schema field by field, and does not fit together: each with the way out."""

from collections.abc import Iterator

from rollouts.errors import FieldError
from rollouts.model.placement_rules import misplaced
from rollouts.model.routing import NginxRouting, SetHeaderRoute, SetMirrorRoute, TrafficRouting
from rollouts.model.spec import RolloutSpec
from rollouts.model.strategy import BlueGreenStrategy, CanaryStrategy

_LONGEST_SERVICE_NAME = 63
_OUR_ANNOTATIONS = ("canary", "canary-weight", "canary-weight-total")
_HEADER_ANNOTATIONS = ("canary-by-header", "canary-by-header-value", "canary-by-header-pattern")
_CANARY = "spec.strategy.canary"
_STEPS_OF_ROUTERS = {
    "set_canary_scale": "setCanaryScale",
    "set_header_route": "setHeaderRoute",
    "set_mirror_route": "setMirrorRoute",
}


def misfits(spec: RolloutSpec) -> Iterator[FieldError]:
    """Yield every combination of fields that can't be carried out."""
    if spec.revert_on_deletion and spec.workload_ref is None:
        yield FieldError(
            "spec.revertOnDeletion",
            "needs workloadRef: without it there is no Deployment to give anything back to",
        )
    yield from misplaced(spec)
    if spec.blue_green is not None:
        yield from _blue_green(spec.blue_green)
    canary = spec.strategy.canary
    if canary is None:
        return
    if canary.traffic_routing is None:
        yield from _by_replicas(canary)
    else:
        yield from _services(spec, canary)
        yield from _routers(canary, canary.traffic_routing)


def _blue_green(blue_green: BlueGreenStrategy) -> Iterator[FieldError]:
    if blue_green.preview_service == blue_green.active_service:
        yield FieldError(
            "spec.strategy.blueGreen.previewService", "must be another Service than activeService"
        )


def _by_replicas(canary: CanaryStrategy) -> Iterator[FieldError]:
    """Yield what only a router can do: without one, the share of the pods is the weight."""
    for field, value in (
        ("stableService", canary.stable_service),
        ("canaryService", canary.canary_service),
    ):
        if value is not None:
            yield FieldError(
                f"{_CANARY}.{field}",
                "is only used with trafficRouting; add that, or leave this out: without a router"
                " any Service that selects the pods of both revisions does",
            )
    if canary.dynamic_stable_scale:
        yield FieldError(
            f"{_CANARY}.dynamicStableScale",
            "is only used with trafficRouting; without it stable always makes room for the canary",
        )
    if canary.max_surge in (0, "0%") and canary.max_unavailable in (0, "0%"):
        yield FieldError(
            f"{_CANARY}.maxUnavailable",
            "is 0 like maxSurge, so that no pod could ever be replaced; raise one of them",
        )
    for index, step in enumerate(canary.steps):
        for attribute, name in _STEPS_OF_ROUTERS.items():
            if getattr(step, attribute) is not None:
                yield FieldError(f"{_CANARY}.steps[{index}].{name}", "needs trafficRouting")


def _services(spec: RolloutSpec, canary: CanaryStrategy) -> Iterator[FieldError]:
    name = spec.canary_service or ""
    if canary.stable_service is None:
        yield FieldError(
            f"{_CANARY}.stableService",
            "is missing; name the Service that users' requests reach today",
        )
    elif name == canary.stable_service:
        yield FieldError(f"{_CANARY}.canaryService", "must be another Service than stableService")
    elif len(name) > _LONGEST_SERVICE_NAME:
        yield FieldError(
            f"{_CANARY}.canaryService",
            f"is missing, and {name} is longer than the"
            f" {_LONGEST_SERVICE_NAME} characters of a Service's name; give a shorter one",
        )


def _routers(canary: CanaryStrategy, routing: TrafficRouting) -> Iterator[FieldError]:
    if routing.nginx is not None:
        yield from _annotations_of_ours(routing.nginx)
    active: dict[str, SetHeaderRoute] = {}
    for index, step in enumerate(canary.steps):
        where = f"{_CANARY}.steps[{index}]"
        header, mirror = step.set_header_route, step.set_mirror_route
        if header is not None:
            active.pop(header.name, None)
            if header.match:
                active[header.name] = header
            yield from _header_route(routing, header, active, f"{where}.setHeaderRoute")
        if mirror is not None:
            yield from _mirror_route(routing, mirror, f"{where}.setMirrorRoute")


def _header_route(
    routing: TrafficRouting, route: SetHeaderRoute, active: dict[str, SetHeaderRoute], where: str
) -> Iterator[FieldError]:
    if routing.smi is not None:
        yield FieldError(where, "a TrafficSplit can't route by header; use nginx or gatewayAPI")
    if routing.nginx is None:
        return
    if len(active) > 1:
        others = ", ".join(sorted(set(active) - {route.name}))
        yield FieldError(
            where,
            f"ingress-nginx has one header route at a time, and {others} is still there; end it"
            " with a setHeaderRoute of that name without match first",
        )
    if len(route.match) > 1:
        yield FieldError(f"{where}.match", "ingress-nginx looks at one header only; give one")
    prefix = routing.nginx.annotation_prefix
    taken = {
        key.removeprefix(f"{prefix}/") for key in routing.nginx.canary_ingress_annotations
    } & set(_HEADER_ANNOTATIONS)
    if taken:
        yield FieldError(
            where, f"canaryIngressAnnotations has {', '.join(sorted(taken))} already; choose one"
        )


def _mirror_route(
    routing: TrafficRouting, route: SetMirrorRoute, where: str
) -> Iterator[FieldError]:
    if routing.smi is not None:
        yield FieldError(where, "a TrafficSplit can't mirror; use nginx or gatewayAPI")
    if routing.nginx is None:
        return
    if route.match:
        yield FieldError(f"{where}.match", "ingress-nginx mirrors all requests; leave match out")
    if route.percentage not in (None, 0, 100):
        yield FieldError(
            f"{where}.percentage", "ingress-nginx mirrors all requests or none; give 100 or 0"
        )


def _annotations_of_ours(nginx: NginxRouting) -> Iterator[FieldError]:
    for key in nginx.canary_ingress_annotations:
        if key.removeprefix(f"{nginx.annotation_prefix}/") in _OUR_ANNOTATIONS:
            yield FieldError(
                f"{_CANARY}.trafficRouting.nginx.canaryIngressAnnotations.{key}",
                "is set by us; use the steps' setWeight, which is in percent",
            )
