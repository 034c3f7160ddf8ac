"""What is known of the label of stable, by which a Service selects that Git owns."""

from rollouts.core.world import ReplicaSet, Service, World, describe, mechanism_of
from rollouts.model.kinds import STABLE, STABLE_LABEL
from rollouts.model.status import Revision


def uses_stable_label(world: World) -> bool:
    """Return whether the pods of stable are to have it."""
    service = world.stable_service
    return (service is not None and service.by_label) or early_label_is_asked(world)


def early_label_is_asked(world: World) -> bool:
    """Return whether the pods of stable are to have it before a Service asks for it."""
    metadata = world.spec.active_strategy.stable_metadata
    return metadata is not None and metadata.labels.get(STABLE_LABEL) == STABLE


def keeps_to_few(world: World, target: ReplicaSet) -> bool:
    """
    Return whether a Service would keep too few pods, if the others lost the label now.

    All of the new ones that are ready have to be endpoints. Beside routes, where nothing is urgent, they are to
    be as many as those that go.
    """
    if world.spec.replicas == 0 and target.wanted == 0:
        return False
    return any(_is_short(world, each, target) for each in world.services_by_label)


def _is_short(world: World, service: Service, target: ReplicaSet) -> bool:
    there = service.ready_endpoints.get(target.hash, 0)
    wanted = max(1, target.ready)
    if not mechanism_of(world.spec).is_switched:
        most = max(service.ready_endpoints.values(), default=0)
        wanted = max(wanted, min(most, world.spec.replicas))
    return there < wanted


def moving_label(service: Service, stable: Revision) -> str:
    """Return what is said while a Service that Git owns does not lead to stable alone yet."""
    there = service.ready_endpoints.get(stable.hash, 0)
    return (
        f"the label {STABLE_LABEL} is on its way to the pods of {describe(stable)}, of which {there} are"
        f" endpoints of Service {service.name}"
    )
