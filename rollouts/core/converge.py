"""
From a status to the writes that make the cluster look like it.

Each is asked of what is observed alone, never of a write that comes before it: any of them
may be refused, and the others are made (`rollouts.core.urgency` has their order).
"""

from collections.abc import Iterator

from rollouts.core import adoption, capacity, closing, replicas, services
from rollouts.core.actions import (
    Action,
    Adopt,
    CreateReplicaSet,
    DeleteReplicaSet,
    NumberReplicaSet,
    RemoveRoute,
    ScaleReplicaSet,
    SetWeight,
)
from rollouts.core.confirm import may_have_retreated
from rollouts.core.dress import Dress
from rollouts.core.observed import ReplicaSet
from rollouts.core.restart import evictions
from rollouts.core.roles import dress_of, living, templates
from rollouts.core.routes import next_split, next_weight, reaches_canary
from rollouts.core.world import World, drift_pause_ends, under_way
from rollouts.model.kinds import REPLICA_SET, Ref
from rollouts.model.route import Split
from rollouts.model.status import Retiring, RolloutStatus


def retreat(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what takes all traffic from the canary at once; `status` is the one to be written."""
    if world.spec.blue_green is not None:
        yield from services.switch_back(world, status)
    elif world.spec.by_replicas:
        if status.stable_revision is not None:
            yield from _sizes_by_weight(world, status)
    elif world.observed.route.exists and world.observed.route.highest > 0:
        yield from _back(world, status)
    yield from services.let_go(world, status)


def _back(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what leaves the canary the least: nothing, or what stable can't bear yet."""
    if capacity.keeper(world, status) is None:
        percent = capacity.bearable(world, status)
        yield SetWeight(Split(percent=percent, cut_off=percent == 0))


def converge(world: World, status: RolloutStatus) -> Iterator[Action]:
    """
    Yield the writes that are missing between the cluster and `status`.

    Nothing is yielded when all is as it should be.
    """
    if status.current_revision is None:
        return
    yield from _adoptions(world)
    yield from _routes(world, status)
    yield from services.converge(world, status)
    yield from templates(world, status)
    yield from _replica_sets(world, status)
    yield from adoption.converge(world, status)
    yield from living(world, status)
    yield from evictions(world, status)


def _adoptions(world: World) -> Iterator[Action]:
    """Yield becoming the owner of what lost its own: without one it would not go with the Rollout."""
    for replica_set in world.observed.replica_sets.values():
        if not replica_set.owned:
            yield Adopt(Ref(REPLICA_SET, world.observed.namespace, replica_set.name))
    for ref in world.observed.orphans:
        yield Adopt(ref)


def _routes(world: World, status: RolloutStatus) -> Iterator[Action]:
    if world.claimed:
        return
    if world.spec.blue_green is not None:
        if world.observed.route.exists:  # a canary was under way before
            yield RemoveRoute()
        yield from services.switch(world, status)
    elif world.spec.routing is not None and under_way(status):
        yield from _split(world, status)
    elif world.observed.route.exists:
        route = world.observed.route
        loose = route.highest > 0 or not route.intact
        if _route_has_ended(world, status):
            yield RemoveRoute()
        elif loose and not _needs_route(world, status):
            yield from _back(world, status)


def _split(world: World, status: RolloutStatus) -> Iterator[Action]:
    route, split = world.observed.route, next_split(world, status)
    if world.hold is not None and world.hold.goes_over and not status.entered_steps:
        if route.exists and route.highest == 0:
            yield RemoveRoute()
        elif route.exists:
            yield from _back(world, status)
        return
    if capacity.keeper(world, status) is not None and not reaches_canary(world, status):
        return  # a revision before this one keeps it, until stable, or this one, can bear it
    percent, opens = split.percent, bool(split.names)
    drift_pause = drift_pause_ends(status, world.now) is not None and percent >= route.highest
    if drift_pause or (percent == 0 and not opens and not route.exists):
        return
    if (percent > 0 or opens) and may_have_retreated(world, status):
        return
    pending = not route.shaped and tuple(split.names) == world.asked
    if route.weight != percent or not route.intact or pending:
        yield SetWeight(split)


def _needs_route(world: World, status: RolloutStatus) -> bool:
    """Return whether the routes are what leads to stable: after a promotion, as long as it answers."""
    return services.canary_is_stable(world, status) and not capacity.is_out(world, status)


def _route_has_ended(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the routing objects may go.

    After a promotion: when the stable Service has the new pods (`closing`). After a rollback:
    when the canary, which may still answer what is in flight, is due to go. A stable Service
    that is gone is not waited for, unless the routing objects are all that leads to stable.
    """
    stable, service = status.stable_revision, world.stable_service
    if stable is None:
        return False
    if service is not None:
        serves = service.ready_endpoints.get(stable.hash, 0) > 0 or world.spec.replicas == 0
        if service.selected_hash != stable.hash or not serves:
            return False
        if services.canary_is_stable(world, status):
            return closing.is_over(world, status)
    route_is_cut = world.observed.route.highest == 0
    waiting = any(
        not due(world, entry) and not _selected_by_stable(world, entry.hash)
        for entry in status.retiring
    )
    return route_is_cut and not waiting


def due(world: World, entry: Retiring) -> bool:
    """Return whether a revision that was left has been without requests for long enough."""
    return entry.at is not None and entry.at <= world.now


def _selected_by_stable(world: World, hash_: str) -> bool:
    return world.stable_service is not None and world.stable_service.selected_hash == hash_


def _replica_sets(world: World, status: RolloutStatus) -> Iterator[Action]:
    current, stable = status.current_revision, status.stable_revision
    assert current is not None
    target = world.replica_set(current)
    wanted = _wanted(world, status)
    if target is None:
        bound = stable is None or stable.hash == current.hash or _is_bound(world, status)
        if bound and current.hash == world.observed.template_hash:
            dress = dress_of(world.spec, status, current.hash) or Dress()
            size = wanted.get(current.hash, 0)
            yield CreateReplicaSet(current.hash, current.number, size, dress)
    elif target.revision != current.number:
        yield NumberReplicaSet(target.name, current.number)
    for hash_, replica_set in world.observed.replica_sets.items():
        count = wanted.get(hash_)
        if (
            count is not None
            and replica_set.wanted != count
            and _may_resize(world, status, replica_set, count)
        ):
            yield ScaleReplicaSet(replica_set.name, count)
    yield from _forget_old(world, status)


def _is_bound(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the stable Service selects one revision alone, so that new pods get nothing by accident.

    Where stable has no ready pod, what they get is what nobody answers.
    """
    if world.spec.by_replicas:
        return True  # there is no such Service, and new pods are to get their share
    service, stable, current = (
        world.stable_service,
        status.stable_revision,
        status.current_revision,
    )
    if service is None or stable is None or current is None:
        return False
    if capacity.is_out(world, status):
        return True
    switched = world.spec.blue_green is not None and service.selected_hash == current.hash
    return switched or service.selected_hash == stable.hash


def _sizes_by_weight(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the next sizes of a canary whose share of the pods is its weight."""
    sizes = _balanced(world, status)
    for hash_, replica_set in world.observed.replica_sets.items():
        if sizes.get(hash_, replica_set.wanted) != replica_set.wanted:
            yield ScaleReplicaSet(replica_set.name, sizes[hash_])


def _balanced(world: World, status: RolloutStatus) -> dict[str, int]:
    stable, current = status.stable_revision, status.current_revision
    assert stable is not None
    assert current is not None
    total = replicas.stable_replicas(world.spec, status)
    percent = next_weight(world, status) if under_way(status) else 0
    canary_goal, stable_goal = replicas.shares(world.spec, total, percent)
    found = world.replica_set(stable)
    if percent and found is not None and capacity.is_broken(world, status):
        # What can't come up must not have the room of what repairs it.
        stable_goal = min(stable_goal, found.wanted)
    goals = {current.hash: canary_goal, stable.hash: stable_goal}
    if stable.hash == current.hash:
        goals = {stable.hash: total}
    fleets = {
        hash_: replicas.Fleet(
            wanted=each.wanted,
            available=each.available,
            goal=goals.get(hash_, 0),
            urgent=hash_ == stable.hash and percent == 0,
        )
        for hash_, each in world.observed.replica_sets.items()
    }
    if current.hash not in fleets:
        fleets[current.hash] = replicas.Fleet(0, 0, canary_goal)
    return replicas.next_sizes(world.spec, total, fleets)


def _wanted(world: World, status: RolloutStatus) -> dict[str, int]:
    """Return the size of every revision that is to be sized now, by hash; what is absent stays as it is."""
    spec, current, stable = world.spec, status.current_revision, status.stable_revision
    assert current is not None
    if spec.by_replicas and stable is not None:
        return _balanced(world, status)
    keep = {entry.hash for entry in status.retiring if _stays(world, status, entry)}
    left = {hash_ for hash_ in world.observed.replica_sets if hash_ not in keep}
    if stable is not None:
        sizes = dict.fromkeys(left, 0)
        sizes[stable.hash] = capacity.stable_size(world, status)
    else:
        sizes = {hash_: _first_size(world, status, hash_) for hash_ in left}
    if stable is None or stable.hash == current.hash:
        sizes[current.hash] = replicas.stable_replicas(spec, status)
    elif status.abort is None:
        sizes[current.hash] = _canary_size(world, status)
    elif current.hash in keep:
        sizes.pop(current.hash, None)
    return sizes


def _stays(world: World, status: RolloutStatus, entry: Retiring) -> bool:
    return not due(world, entry) or capacity.is_better(world, status, entry)


def _first_size(world: World, status: RolloutStatus, hash_: str) -> int:
    """
    Return the size of a first deploy that another one follows before it was stable.

    It makes room: what is not ready protects nobody, and may hold the quota that the next one
    needs. What answers goes as the next one comes, one pod ahead of it.
    """
    running, found = world.replica_set(status.current_revision), world.observed.replica_sets[hash_]
    available = running.available if running is not None else 0
    return max(0, min(found.wanted, found.ready, world.spec.replicas - available - 1))


def _canary_size(world: World, status: RolloutStatus) -> int:
    """Return the canary's size: what its weight needs, and within an attempt never less than it has."""
    canary = world.replica_set(status.current_revision)
    size = capacity.canary_size(world, status)
    if canary is None or (
        status.canary_scale is not None and status.weights.applied == status.weights.desired
    ):
        return size
    return max(size, canary.wanted)


def _may_resize(world: World, status: RolloutStatus, replica_set: ReplicaSet, count: int) -> bool:
    """Return whether pods may go: never those of a revision that a Service or a live route still sends to."""
    if count >= replica_set.wanted:
        bound = status.stable_revision is None or _is_bound(world, status)
        current = status.current_revision
        is_canary = current is not None and replica_set.hash == current.hash and under_way(status)
        return bound or not is_canary
    stable = status.stable_revision
    if count > 0 or stable is None or replica_set.hash == stable.hash:
        return True
    named = (world.stable_service, world.canary_service)
    if any(service is not None and service.selected_hash == "" for service in named):
        return False  # it is bound first; one that was given back selects all pods for good
    found = world.observed.services.values()
    return all(service.selected_hash != replica_set.hash for service in found)


def _forget_old(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the removal of empty revisions beyond revisionHistoryLimit, oldest first."""
    named = {
        entry.hash
        for entry in (status.current_revision, status.stable_revision)
        if entry is not None
    }
    named |= {entry.hash for entry in status.retiring}
    old = sorted(
        (
            replica_set
            for hash_, replica_set in world.observed.replica_sets.items()
            if hash_ not in named and replica_set.wanted == 0 and replica_set.existing == 0
        ),
        key=lambda replica_set: replica_set.revision,
    )
    for replica_set in old[: max(0, len(old) - world.spec.revision_history_limit)]:
        yield DeleteReplicaSet(replica_set.name, replica_set.uid)
