"""What is so at this moment only, and so no condition: for a person who looks."""

from collections.abc import Iterator

from rollouts.controller.preflight.place import Place, items, mapping, name_of, users_selector
from rollouts.controller.services import SERVICE_NAME_LABEL
from rollouts.model.finding import Finding
from rollouts.model.kinds import ENDPOINT_SLICE


def idle_services(place: Place) -> Iterator[Finding]:
    """Yield the Services that have no ready endpoint right now."""
    for service, _ in place.services():
        name = name_of(service)
        slices = [
            each
            for each in place.all(ENDPOINT_SLICE)
            if mapping(each["metadata"].get("labels")).get(SERVICE_NAME_LABEL) == name
        ]
        endpoints = [each for found in slices for each in items(found.get("endpoints"))]
        ready = [
            each for each in endpoints if mapping(each.get("conditions")).get("ready") is not False
        ]
        is_served = name == place.spec.stable_service and place.spec.replicas > 0
        if is_served and not ready and users_selector(service):
            yield Finding(
                "warning",
                "NoReadyPods",
                (
                    f"Service {name} has no ready endpoint at this moment: users get no answer;"
                    " see why its pods are not ready"
                ),
            )
