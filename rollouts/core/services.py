"""Which revision each Service selects, and the writes that make it so, in a safe order."""

from collections.abc import Iterator

from rollouts.core import adoption, replicas
from rollouts.core.actions import Action, CreateService, SelectRevision
from rollouts.core.confirm import may_have_retreated
from rollouts.core.routes import next_weight
from rollouts.core.world import World, frozen, quarrel_ends, under_way
from rollouts.model.status import RolloutStatus


def converge(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between the selectors of the Services and `status`."""
    stable, stable_service = status.stable_revision, world.stable_service
    if stable is None or world.claimed:
        return
    if quarrel_ends(status, world.now) is not None:
        return
    stands = world.stands(stable)
    switched = world.spec.blue_green is not None and (
        under_way(status) and next_weight(world, status) > 0
    )
    if (
        stands
        and stable_service is not None
        and not switched
        and stable_service.selected_hash != stable.hash
        and adoption.may_narrow(world, status, stable_service)
    ):
        yield SelectRevision(stable_service.name, stable.hash)
    canary_service = world.canary_service
    if under_way(status):
        if stable_service is not None:
            yield from _to_canary(world, status)
    elif (
        stands
        and canary_service is not None
        and canary_service.selected_hash != stable.hash
        and adoption.may_narrow(world, status, canary_service)
        and not world.observed.route.exists
    ):
        yield SelectRevision(canary_service.name, stable.hash)


def _to_canary(world: World, status: RolloutStatus) -> Iterator[Action]:
    service, canary = world.canary_service, world.replica_set(status.current_revision)
    if canary is None or (service is not None and service.selected_hash == canary.hash):
        return
    if world.spec.canary_service is None:
        return
    if status.weights.applied > 0:  # somebody else pointed it away
        if service is not None and world.stands(status.current_revision):
            yield SelectRevision(service.name, canary.hash)
        return
    due = 0 < max(1, replicas.needed(world.spec, status)) <= canary.available
    if not due or frozen(world.spec, status):
        return
    if service is None:
        yield CreateService(world.spec.canary_service, canary.hash)
    elif world.spec.blue_green is not None or world.observed.route.highest == 0:
        # Traffic that is on its way to a superseded canary must not reach this one.
        yield SelectRevision(service.name, canary.hash)


def switch(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at the revision that is to have all the traffic: one write."""
    active, new = world.stable_service, status.current_revision
    if active is None or new is None or not under_way(status) or next_weight(world, status) == 0:
        return  # stable is to be active, which `converge` sees to
    if quarrel_ends(status, world.now) is not None or may_have_retreated(world, status):
        return
    if active.selected_hash != new.hash and world.stands(new):
        yield SelectRevision(active.name, new.hash)


def switch_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at stable again; `status` is the one to be written."""
    active, stable = world.stable_service, status.stable_revision
    if active is None or stable is None or active.selected_hash == stable.hash:
        return
    if world.stands(stable):
        yield SelectRevision(active.name, stable.hash)


def canary_is_stable(world: World, status: RolloutStatus) -> bool:
    """Say whether the canary Service is there, and selects the stable revision."""
    service, stable = world.canary_service, status.stable_revision
    return service is not None and stable is not None and service.selected_hash == stable.hash
