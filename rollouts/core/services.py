"""
What each Service is to be: which revision it selects, and what becomes of one that is named no longer.

No Service that had ready endpoints is left with none, whatever the spec becomes: one is bound to a
revision that has ready pods, and narrowed to fewer endpoints only where they are not many others'.
What the user's has of us is remembered in status, and given back once it is named no longer.
"""

from collections.abc import Iterable, Iterator

from rollouts.core import capacity, replicas
from rollouts.core.actions import (
    Action,
    CreateService,
    FollowService,
    ReleaseService,
    SelectRevision,
)
from rollouts.core.confirm import may_have_retreated
from rollouts.core.narrowing import may_narrow, others_serve
from rollouts.core.observed import Service
from rollouts.core.revision import describe
from rollouts.core.routes import lags, next_weight
from rollouts.core.world import FOLLOWED, Move, World, drift_pause_ends, frozen, under_way
from rollouts.model.finding import Finding
from rollouts.model.status import Revision, RolloutStatus


def converge(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what is missing between the Services and `status`."""
    if status.stable_revision is None or drift_pause_ends(status, world.now) is not None:
        return
    if not world.claimed:
        yield from _to_follow(world, status)
        yield from _named(world, status, status.stable_revision)
    yield from let_go(world, status)


def _to_follow(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield that the canary Service is made as its stable Service is; before anything is sent to it."""
    service = world.canary_service
    if service is not None and lags(world, status, service):
        yield FollowService(service.name)


def _named(world: World, status: RolloutStatus, stable: Revision) -> Iterator[Action]:
    """Point the Services that the spec names at the revisions that they are for."""
    service, canary_service = world.stable_service, world.canary_service
    switched = world.spec.blue_green is not None and (
        under_way(status) and next_weight(world, status) > 0
    )
    bears = world.spec.blue_green is None or capacity.may_switch_back(world, status)
    if service is not None and bears and not switched and may_narrow(world, status, service):
        yield from _bind(world, service, stable)
    if under_way(status):
        if service is not None:
            yield from _to_canary(world, status)
    elif (
        canary_service is not None
        and may_narrow(world, status, canary_service)
        and not world.observed.route.exists
    ):
        yield from _bind(world, canary_service, stable)


def _bind(world: World, service: Service, revision: Revision | None) -> Iterator[SelectRevision]:
    """Point a Service at a revision that has a ready pod, unless that would be none of its endpoints."""
    if revision is None or service.selected_hash == revision.hash:
        return
    if world.stands(revision) and not _would_lose_all(service, revision):
        yield SelectRevision(service.name, revision.hash)


def _would_lose_all(service: Service, revision: Revision) -> bool:
    """Return whether a Service that has ready endpoints would have none, bound to this revision."""
    has_any = service.other_endpoints > 0 or any(service.ready_endpoints.values())
    return has_any and revision.hash in service.misses


def _to_canary(world: World, status: RolloutStatus) -> Iterator[Action]:
    service, canary = world.canary_service, world.replica_set(status.current_revision)
    if canary is None or (service is not None and service.selected_hash == canary.hash):
        return
    if world.spec.canary_service is None:
        return
    if service is not None and others_serve(world, status, service):
        return
    if status.weights.applied > 0:  # somebody else pointed it away
        if service is not None:
            yield from _bind(world, service, status.current_revision)
        return
    wanted = max(1, replicas.needed(world.spec, status))
    due = replicas.enough(world.spec, wanted, canary) <= canary.available
    if not due or frozen(world.spec, status):
        return
    if service is None:
        yield CreateService(world.spec.canary_service, canary.hash)
    elif (
        world.spec.blue_green is not None
        or world.observed.route.highest == 0
        or capacity.may_take_over(world, status)
    ):
        # Traffic that is on its way to a superseded canary must not reach this one, unless
        # it is the only one to answer it.
        yield from _bind(world, service, status.current_revision)


def switch(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at the revision that is to have all the traffic: one write."""
    active, new = world.stable_service, status.current_revision
    if active is None or new is None or not under_way(status) or next_weight(world, status) == 0:
        return  # stable is to be active, which `converge` sees to
    if drift_pause_ends(status, world.now) is not None or may_have_retreated(world, status):
        return
    if not others_serve(world, status, active):
        yield from _bind(world, active, new)


def switch_back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Point the active Service at stable again; `status` is the one to be written."""
    active = world.stable_service
    if active is None or others_serve(world, status, active):
        return
    if capacity.may_switch_back(world, status):
        yield from _bind(world, active, status.stable_revision)


def left(world: World) -> list[Service]:
    """Return the Services that are this Rollout's affair still, and that the spec names no longer."""
    named = (world.spec.stable_service, world.spec.canary_service)
    return [each for name, each in sorted(world.observed.services.items()) if name not in named]


def let_go(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield what becomes of the Services that the spec names no longer.

    They are given back, also what we made, while no other revision than stable has pods: a Service
    without our key selects them all. Until then they go along with stable: nobody else would point
    them at another revision when the present one goes.
    """
    stable = status.stable_revision
    if stable is None:
        return
    for service in left(world):
        if not service.selected_hash:
            continue
        if _is_alone(world, stable):
            yield ReleaseService(service.name)
        else:
            yield from _bind(world, service, stable)


def _is_alone(world: World, stable: Revision) -> bool:
    """Return whether no other revision has pods, or is to have any."""
    return all(
        each.existing == 0 and each.wanted == 0
        for each in world.observed.replica_sets.values()
        if each.hash != stable.hash
    )


def remember(world: World, move: Move) -> Move:
    """Keep in status which of the user's Services are bound, and say what is done about those that are not ours alone."""
    status = move.status
    seen = world.observed.services
    given = [each.name for each in left(world) if not each.ours and not each.selected_hash]
    known = {name for name in status.services if name in seen and not seen[name].ours}
    if not world.claimed:
        known |= {name for name, each in seen.items() if each.selected_hash and not each.ours}
    move = move.evolve(services=sorted(known.difference(given)))
    for name in given:
        text = (
            f"{name}, which the spec names no longer, is given back: it selects all revisions' pods"
        )
        move = move.event(world, "ServiceGivenBack", f"Service {text}")
    service = world.canary_service
    rests = drift_pause_ends(status, world.now, FOLLOWED)
    if service is not None and service.behind and not world.claimed and rests is not None:
        move = move.requeue_at(rests)
    return move.evolve(message=status.message)


def followed(world: World, move: Move, actions: Iterable[Action]) -> Move:
    """Say that a Service of ours is made as its stable Service is, where one of the actions does that."""
    for action in actions:
        if isinstance(action, FollowService):
            text = f"Service {action.name} is made as Service {world.spec.stable_service} is now"
            move = move.event(world, "ServiceFollowed", text).evolve(message=move.status.message)
    return move


def warned(world: World, status: RolloutStatus) -> World:
    """Return the world with what keeps Services from being what they are to be."""
    return world.warned(_problems(world, status))


def _problems(world: World, status: RolloutStatus) -> Iterator[Finding]:
    moving, stable = under_way(status), status.stable_revision
    named = [each for each in (world.stable_service, world.canary_service) if each is not None]
    for service in named if not world.claimed else ():
        why = others_serve(world, status, service)
        if why:
            yield Finding("error" if moving else "warning", "OthersServe", why)
        new = status.current_revision
        if moving and new is not None and new.hash in service.misses:
            yield Finding(
                "error",
                "SelectsNoPods",
                (
                    f"Service {service.name} selects none of the pods of {describe(new)}, whatever it is bound to:"
                    " correct spec.selector or the template's labels"
                ),
            )
    if not moving or stable is None or not world.spec.by_replicas or _is_alone(world, stable):
        return
    for service in left(world):
        if service.selected_hash:
            yield Finding(
                "error",
                "ServiceLeftBehind",
                (
                    f"Service {service.name} still selects revision {service.selected_hash} of this Rollout"
                    " alone, and the spec names it no longer, so that no share of the pods is a share of its"
                    " requests: it is given back as soon as no other revision has pods"
                ),
            )


def canary_is_stable(world: World, status: RolloutStatus) -> bool:
    """Return whether the canary Service is there, and selects the stable revision."""
    service, stable = world.canary_service, status.stable_revision
    return service is not None and stable is not None and service.selected_hash == stable.hash
