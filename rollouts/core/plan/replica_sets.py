"""Which writes the ReplicaSets need."""

from collections.abc import Iterator

from rollouts.core.facts import (
    canary_size,
    is_better_than_stable,
    is_reached,
    retirement_is_due,
    role_metadata_of,
    shared_sizes,
    stable_is_down,
    stable_size,
    uses_stable_label,
)
from rollouts.core.plan.actions import (
    Action,
    Adopt,
    CreateReplicaSet,
    DeleteReplicaSet,
    NumberReplicaSet,
    ScaleReplicaSet,
)
from rollouts.core.world import (
    Pod,
    ReplicaSet,
    World,
    has_stable,
    mechanism_of,
    stable_replicas,
    under_way,
)
from rollouts.model.kinds import REPLICA_SET, Ref
from rollouts.model.status import Retiring, Revision, RolloutStatus


def adopt_orphans(world: World, _status: RolloutStatus) -> Iterator[Action]:
    """Yield becoming the owner of what lost its own: without one it would not go with the Rollout."""
    for replica_set in world.observed.replica_sets.values():
        if not replica_set.owned:
            yield Adopt(Ref(REPLICA_SET, world.observed.namespace, replica_set.name))
    for ref in world.observed.orphans:
        yield Adopt(ref)


def replica_set_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield what makes, numbers, sizes and forgets ReplicaSets; none without a current revision."""
    current, stable = status.current_revision, status.stable_revision
    if current is None:
        return
    target = world.replica_set(current)
    wanted = _wanted(world, status, current)
    if target is None:
        bound = stable is None or stable.hash == current.hash or _is_bound(world, status)
        role = role_metadata_of(world.spec, status, current.hash)
        if bound and role is not None and current.hash == world.observed.template_hash:
            size = wanted.get(current.hash, 0)
            proven = stable is not None and stable.hash == current.hash
            leads = (stable is None or proven) and uses_stable_label(world)
            yield CreateReplicaSet(current.hash, current.number, size, role, proven, leads)
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
    if mechanism_of(world.spec).is_bound(world, status):
        return True
    return world.stable_service is not None and stable_is_down(world, status)


def _wanted(world: World, status: RolloutStatus, current: Revision) -> dict[str, int]:
    """Return the size of every revision that is to be sized now, by hash; what is absent stays as it is."""
    shared = shared_sizes(world, status)
    if shared is not None:
        return shared
    spec, stable = world.spec, status.stable_revision
    keep = {entry.hash for entry in status.retiring if _stays(world, status, entry)}
    left = {hash_ for hash_ in world.observed.replica_sets if hash_ not in keep}
    if stable is not None:
        sizes = dict.fromkeys(left, 0)
        sizes[stable.hash] = stable_size(world, status)
    else:
        sizes = {hash_: _first_size(world, status, hash_) for hash_ in left}
    if stable is None or stable.hash == current.hash:
        sizes[current.hash] = stable_replicas(spec, status)
    elif status.abort is None:
        sizes[current.hash] = _canary_size(world, status, is_called=current.hash in keep)
    elif current.hash in keep:
        sizes.pop(current.hash, None)
    return sizes


def _stays(world: World, status: RolloutStatus, entry: Retiring) -> bool:
    """
    Return whether a revision that was left keeps its pods.

    Also while something leads there again, whatever status says: that its time runs anew may not be written yet.
    """
    if not retirement_is_due(world, entry) or is_reached(world, entry.hash):
        return True
    return is_better_than_stable(world, status, entry)


def _first_size(world: World, status: RolloutStatus, hash_: str) -> int:
    """
    Return the size of a first deploy that another one follows before it was stable.

    It makes room: what is not ready protects nobody, and may hold the quota that the next one
    needs, unless it has only missed a probe. What answers goes as the next one comes, one pod ahead
    of it; the last pod that does waits until the next one has one, whatever room that takes. What
    answers a Service that leads to it alone stays as it is: the next one's pods are none of that
    Service's until it is stable.
    """
    running, found = world.replica_set(status.current_revision), world.observed.replica_sets[hash_]
    answering = found.ready + sum(_blinks(pod) for pod in found.pods)
    if any(service.selected_hash == hash_ for service in world.observed.services.values()):
        return min(found.wanted, answering)
    available = running.available if running is not None else 0
    left = max(world.spec.replicas - available - 1, 0 if available else min(1, world.spec.replicas))
    return min(found.wanted, answering, left)


def _blinks(pod: Pod) -> bool:
    """Return whether a pod has only missed its readiness probe: it has answered, and may do so in a moment."""
    failed = pod.restarts > 0 or bool(pod.problem) or pod.disrupted
    return not pod.ready and pod.was_ready and not failed


def _canary_size(world: World, status: RolloutStatus, *, is_called: bool) -> int:
    """
    Return the canary's size: what its weight needs, and within an attempt never less than it has.

    Only a size that is set by hand may be less, unless something else than the weight has called it lately.
    """
    canary = world.replica_set(status.current_revision)
    size = canary_size(world, status)
    by_hand = status.canary_scale is not None and status.weights.applied == status.weights.desired
    if canary is None or (by_hand and not is_called):
        return size
    return max(size, canary.wanted)


def _may_resize(world: World, status: RolloutStatus, replica_set: ReplicaSet, count: int) -> bool:
    """Return whether pods may go: never those of a revision that a Service or a live route still sends to."""
    if count >= replica_set.wanted:
        bound = not has_stable(status) or _is_bound(world, status)
        release = under_way(status)
        is_canary = release is not None and replica_set.hash == release.current.hash
        return bound or not is_canary
    stable = status.stable_revision
    if count > 0 or stable is None or replica_set.hash == stable.hash:
        return True
    if world.may_be_led_to(replica_set.hash):
        return False
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
