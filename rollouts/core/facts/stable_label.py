"""What is known of the label of stable, by which a Service selects that Git owns."""

from rollouts.core.world import ReplicaSet, Service, World, describe, mechanism_of
from rollouts.model.kinds import STABLE_LABEL
from rollouts.model.status import Revision, RolloutStatus

STILL_LABELLED = f"; the label {STABLE_LABEL} "


def uses_stable_label(world: World) -> bool:
    """Return whether the pods of stable are to have it."""
    service = world.stable_service
    return (service is not None and service.by_label) or world.spec.labels_stable_early


def keeps_to_few(world: World, status: RolloutStatus, target: ReplicaSet) -> bool:
    """
    Return whether a Service would keep too few pods, if the others lost the label now.

    All of the new ones that are ready, and that it can select, have to be endpoints. On the way back to stable one
    is enough: what is left is to be stopped at once. A Service that leads to none of ours is not waited for:
    nobody loses anything there. They need not be as many as those that go: what is missing may be waiting for
    their room, and as many as a promotion needs were there.
    """
    if world.spec.replicas == 0 and target.wanted == 0:
        return False
    is_switched, stable = mechanism_of(world.spec).is_switched, status.stable_revision
    goes_back = is_switched and stable is not None and stable.hash == target.hash
    return any(_is_short(world, each, target, goes_back) for each in world.services_by_label)


def _is_short(world: World, service: Service, target: ReplicaSet, goes_back: bool) -> bool:
    there = service.ready_endpoints.get(target.hash, 0)
    most = max(
        (service.ready_endpoints.get(each, 0) for each in world.observed.replica_sets), default=0
    )
    if goes_back or most == 0:
        return there == 0 < most
    return there < max(1, min(target.ready, service.selectable.get(target.hash, target.ready)))


def moving_label(service: Service, stable: Revision) -> str:
    """Return what is said while a Service that Git owns does not lead to stable alone yet."""
    there = service.ready_endpoints.get(stable.hash, 0)
    return (
        f"the label {STABLE_LABEL} is on its way to the pods of {describe(stable)}, of which {there} are"
        f" endpoints of Service {service.name}"
    )


def still_labelled(world: World, status: RolloutStatus) -> str:
    """
    Return that blue-green's way back is not over, to be put behind a message; or nothing.

    By label, the pods of what was left answer beside those of stable as long as they have it.
    """
    active, stable = world.stable_service, status.stable_revision
    if active is None or stable is None or status.abort is None or not active.by_label:
        return ""
    is_over = active.selected_hash == stable.hash or not mechanism_of(world.spec).is_switched
    return "" if is_over else f"; {moving_label(active, stable)}"
