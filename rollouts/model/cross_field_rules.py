"""What fits the schema field by field, and does not fit together: each with the way out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollouts.errors import FieldError
from rollouts.model.header_and_mirror_routes import SetHeaderRoute
from rollouts.model.role_settings_rules import role_settings_errors
from rollouts.model.spec import RolloutSpec
from rollouts.model.strategy import BlueGreenStrategy, CanaryStrategy
from rollouts.model.traffic_routing import TrafficRouting

if TYPE_CHECKING:
    from rollouts.model.header_and_mirror_routes import SetHeaderRoute

_LONGEST_SERVICE_NAME = 63
_CANARY = "spec.strategy.canary"
_STEPS_OF_ROUTERS = {
    "set_canary_scale": "setCanaryScale",
    "set_header_route": "setHeaderRoute",
    "set_mirror_route": "setMirrorRoute",
}


def cross_field_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    """Yield every combination of fields that can't be carried out."""
    if spec.revert_on_deletion and spec.workload_ref is None:
        yield FieldError(
            "spec.revertOnDeletion",
            "gives nothing back without workloadRef, which names the Deployment; add that, or leave this out",
        )
    yield from role_settings_errors(spec)
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
            "spec.strategy.blueGreen.previewService",
            "is activeService as well; name another Service, or leave it out",
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
            "is only used with trafficRouting; leave it out: without a router stable always makes room for the canary",
        )
    if canary.max_surge in (0, "0%") and canary.max_unavailable in (0, "0%"):
        yield FieldError(
            f"{_CANARY}.maxUnavailable",
            "is 0 like maxSurge, so that no pod could ever be replaced; raise one of them",
        )
    for index, step in enumerate(canary.steps):
        for attribute, name in _STEPS_OF_ROUTERS.items():
            if getattr(step, attribute) is not None:
                yield FieldError(
                    f"{_CANARY}.steps[{index}].{name}",
                    "needs a router; add trafficRouting, or take the step out",
                )


def _services(spec: RolloutSpec, canary: CanaryStrategy) -> Iterator[FieldError]:
    name = spec.canary_service or ""
    if canary.stable_service is None:
        yield FieldError(
            f"{_CANARY}.stableService",
            "is missing; name the Service that users' requests reach today",
        )
    elif name == canary.stable_service:
        yield FieldError(
            f"{_CANARY}.canaryService",
            "is stableService as well; name another Service, or none, and one is made",
        )
    elif len(name) > _LONGEST_SERVICE_NAME:
        yield FieldError(
            f"{_CANARY}.canaryService",
            f"is missing, and {name} is longer than the"
            f" {_LONGEST_SERVICE_NAME} characters of a Service's name; give a shorter one",
        )


def _routers(canary: CanaryStrategy, routing: TrafficRouting) -> Iterator[FieldError]:
    """Yield what a router can't do at all, and what it can't do at a step."""
    for router in routing.routers:
        yield from router.cross_field_errors(f"{_CANARY}.trafficRouting.{router.field}")
    active: dict[str, SetHeaderRoute] = {}
    for index, step in enumerate(canary.steps):
        where = f"{_CANARY}.steps[{index}]"
        header, mirror = step.set_header_route, step.set_mirror_route
        if header is not None:
            active.pop(header.name, None)
            if header.match:
                active[header.name] = header
            for router in routing.routers:
                yield from router.header_route_errors(header, active, f"{where}.setHeaderRoute")
        if mirror is not None:
            for router in routing.routers:
                yield from router.mirror_route_errors(mirror, f"{where}.setMirrorRoute")
