"""
What stable can bear now, and how many pods it has for that.

Traffic goes back to stable as far as stable can answer it, and no further: an answer of the
revision that is left is better than none (docs/adr/0024-what-stable-can-bear.md). Only a
person's `abort` takes it back whatever that costs.
"""

from datetime import datetime, timedelta

from rollouts.core import replicas
from rollouts.core.observed import ReplicaSet
from rollouts.core.pace import pace
from rollouts.core.world import Move, World, under_way
from rollouts.model.status import Retiring, RolloutStatus

LEAST_SAMPLE = 20
"""With fewer canary requests than this a share that was measured says nothing."""
_OUT = "; stable has no ready pod"
_FEW = "; stable has too few ready pods"


def is_out(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody: pods of it are wanted, and none is ready."""
    if status.stable_revision is None:
        return False
    stable = world.replica_set(status.stable_revision)
    if stable is None:
        return world.spec.replicas > 0
    if world.spec.by_replicas and stable.wanted == 0:
        return False  # the canary has been given everything
    return not world.stands(status.stable_revision)


def is_broken(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody because its pods fail, and not because they start."""
    stable = world.replica_set(status.stable_revision)
    return is_out(world, status) and stable is not None and stable.broken > 0


def keeper(world: World, status: RolloutStatus) -> ReplicaSet | None:
    """
    Return who keeps what the routes send to a canary, because stable would not answer it; or None.

    That is stable itself where a promotion is not over: then its pods are reached by the canary's
    routes alone, and the stable Service leads to those before it. Nobody keeps anything
    whose own pods are not ready either: then any pod's answer is better. Without a router
    it is the canary: its pods are its share.
    """
    if world.spec.by_replicas:
        canary = world.replica_set(status.current_revision)
        needed = under_way(status) and is_broken(world, status)
        return canary if needed and canary is not None and canary.ready else None
    service = world.canary_service
    if world.observed.route.highest == 0 or service is None or status.stable_revision is None:
        return None
    serving = world.observed.replica_sets.get(service.selected_hash)
    if serving is None or serving.ready == 0:
        return None
    if serving.hash == status.stable_revision.hash:
        return None if _leads_to(world, serving) else serving
    return serving if is_out(world, status) and not _is_forced(world, status) else None


def _is_forced(world: World, status: RolloutStatus) -> bool:
    """Return whether a person wants traffic back whatever that costs: by `abort`, or by taking it all down."""
    return world.observed.leaving or (status.abort is not None and status.abort.forced)


def _leads_to(world: World, stable: ReplicaSet) -> bool:
    """Return whether who asks the stable Service is answered by pods of stable."""
    service = world.stable_service
    if service is None or service.selected_hash not in ("", stable.hash):
        return False
    return service.ready_endpoints.get(stable.hash, 0) > 0 or world.spec.replicas == 0


def bearable(world: World, status: RolloutStatus) -> int:
    """
    Return the least weight that leaves stable no more traffic than it can bear.

    All that the routes send to the canary, while somebody else has to keep it (`keeper`). A
    part of it, where dynamicStableScale made stable smaller. Otherwise 0; and 0 when no canary
    pod is ready: then any answer is better than none.
    """
    canary, route = world.spec.strategy.canary, world.observed.route
    if world.spec.routing is None:
        return 0
    # A header route that is open counts as 1 in `highest`, and has no share of the others.
    given = route.highest if route.weight is None else route.weight
    if keeper(world, status) is not None:
        return given
    stable = world.replica_set(status.stable_revision)
    if canary is None or not canary.dynamic_stable_scale or stable is None or given == 0:
        return 0
    service = world.canary_service
    serving = world.observed.replica_sets.get(service.selected_hash) if service else None
    if serving is None or serving.ready == 0 or serving.hash == stable.hash:
        return 0
    total = replicas.stable_replicas(world.spec, status)
    # What is broken is not waited for, only what is starting.
    able = min(total, stable.available + stable.broken)
    return min(given, 100 - 100 * able // total) if total else 0


def is_met(world: World, status: RolloutStatus) -> bool:
    """Return whether the weight is what the step wants, or as near to it as stable can bear."""
    weights = status.weights
    more = weights.applied > weights.desired and keeper(world, status) is not None
    return more or weights.applied == weights.desired


def lacks_room(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the pods that answer in stable's place leave no room for more of the current revision.

    Without a router, those of a revision before it are not taken away for its share: `promote
    --full` is what replaces them, and stable's.
    """
    canary = world.replica_set(status.current_revision)
    if not world.spec.by_replicas or canary is None or not is_broken(world, status):
        return False
    others = any(each.ready > 0 for each in world.others(status))
    return canary.available >= canary.wanted and others


def stable_size(world: World, status: RolloutStatus) -> int:
    """
    Return how many pods stable is to have now.

    All of them, unless dynamicStableScale gives up those whose traffic the canary has taken:
    that was measured, not only configured, and not while copies of requests are counted too.
    Before a weight falls they are there again.
    """
    total = replicas.stable_replicas(world.spec, status)
    canary, stable = world.spec.strategy.canary, world.replica_set(status.stable_revision)
    if canary is None or not canary.dynamic_stable_scale or stable is None:
        return total
    if not under_way(status):
        return total
    weights, said = status.weights, world.observed.route.weight
    # Somebody may have given traffic back to stable by hand.
    given = min(weights.applied, weights.desired, 100 if said is None else said)
    least = replicas.stable_share(world.spec, status, given)
    taken = (
        weights.served is not None
        and weights.served >= 0.8 * weights.applied
        and status.exposure.canary_requests >= LEAST_SAMPLE
        and not replicas.split_of(world.spec, status).mirrors
    )
    return least if taken else max(least, min(stable.wanted, total))


def canary_size(world: World, status: RolloutStatus) -> int:
    """
    Return how many pods the current revision needs: for its weight, and for what nobody else answers.

    While stable is out, that is what a revision before it keeps, which it takes over; and everything,
    where the stable Service selects the pods of all revisions.
    """
    size = replicas.needed(world.spec, status)
    if not is_out(world, status):
        return size
    service = world.stable_service
    if size and service is not None and service.selected_hash == "":
        return max(size, replicas.stable_replicas(world.spec, status))
    return max(size, _carried(world, status))


def _carried(world: World, status: RolloutStatus) -> int:
    """Return how many pods the traffic needs that stable can't bear."""
    total = replicas.stable_replicas(world.spec, status)
    return replicas.canary_replicas(total, bearable(world, status))


def may_take_over(world: World, status: RolloutStatus) -> bool:
    """Return whether the current revision has the pods for what one before it keeps while stable is out."""
    kept, canary = keeper(world, status), world.replica_set(status.current_revision)
    if kept is None or canary is None or not is_out(world, status):
        return False
    return kept is not canary and canary.available >= _carried(world, status)


def may_switch_back(world: World, status: RolloutStatus) -> bool:
    """
    Return whether blue-green's active Service may select stable: not all the traffic goes to a few pods.

    One will do where the revision that is active has none ready, and for a person's `abort`.
    What is broken is not waited for, only what is starting, and no longer than a step may wait.
    """
    stable, active = world.replica_set(status.stable_revision), world.stable_service
    if stable is None or active is None or not world.stands(status.stable_revision):
        return False
    serving = world.observed.replica_sets.get(active.selected_hash)
    if serving is None or serving is stable or serving.ready == 0:
        return True
    if _is_forced(world, status):
        return True
    until = _waits_until(world, status)
    overdue = until is not None and world.now >= until
    return overdue or stable.ready + stable.broken >= pace(world.spec, status).keep


def _waits_until(world: World, status: RolloutStatus) -> datetime | None:
    """Return until when a switch back may wait for pods that start."""
    since = status.started_at if under_way(status) else status.unsettled_since
    if status.abort is not None:
        since = status.abort.at
    patience = timedelta(seconds=world.spec.progress_deadline_seconds)
    return since + patience if since is not None else None


def is_better(world: World, status: RolloutStatus, entry: Retiring) -> bool:
    """
    Return whether a revision whose time is over has more ready pods than stable, which lacks some.

    It is what somebody may have to go back to. Pods of stable that do not fail, and may only
    wait for room, get the room of this one in the end.
    """
    left = world.observed.replica_sets.get(entry.hash)
    stable = world.replica_set(status.stable_revision)
    if left is None:
        return False
    if stable is None:  # its ReplicaSet was deleted, and nobody makes another one
        return left.ready > 0
    if left.ready <= stable.ready:
        return False
    if stable.ready >= stable_size(world, status):
        return False
    since, patience = status.unsettled_since, world.spec.progress_deadline_seconds
    late = since is not None and world.now >= since + timedelta(seconds=patience)
    return stable.broken > 0 or not (late or status.abort is not None)


def cost(world: World, status: RolloutStatus) -> str:
    """Return what a person's `abort` costs at this moment, to be put behind the answer; or nothing."""
    stable = world.replica_set(status.stable_revision)
    if is_out(world, status):
        trouble = stable.trouble if stable is not None else ""
        service = world.stable_service
        bound = service is not None and service.selected_hash != ""
        if world.spec.routing is not None and bound:
            return f", which has no ready pod{trouble}: requests fail until it has one"
        return f" as soon as it has a ready pod{trouble}: until then the new revision answers"
    wanted = replicas.stable_replicas(world.spec, status)
    if stable is None or world.spec.blue_green is None or stable.ready >= wanted:
        return ""
    return f", which has {stable.ready} of {wanted} pods ready"


def told(world: World, move: Move) -> Move:
    """Return the move with what stable can't bear in its message, looked at again when that ends."""
    status, words = move.status, said(world, move.status)
    if words.startswith(_OUT) and under_way(status) and not _is_known(status):
        move = move.event(world, "StableDown", words.removeprefix("; "), "Warning")
    move = move.evolve(message=untold(status).message + words)
    until = _waits_until(world, status)
    return move.requeue_at(until) if _is_waited_for(world, status) and until is not None else move


def _is_known(status: RolloutStatus) -> bool:
    """Return whether this attempt has told it already: of a stable revision that flaps once is enough."""
    since = status.started_at
    told = (each for each in status.history if each.reason == "StableDown")
    return any(since is None or each.at >= since for each in told)


def untold(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone."""
    return status.evolve(message=status.message.partition(_OUT)[0].partition(_FEW)[0])


def said(world: World, status: RolloutStatus) -> str:
    """Say who answers what stable can't bear, to be put behind a message; or nothing."""
    stable, kept = world.replica_set(status.stable_revision), keeper(world, status)
    if is_out(world, status) and (
        kept is not None or status.stable_revision != status.current_revision
    ):
        trouble = stable.trouble if stable is not None else " (its ReplicaSet is gone)"
        return f"{_OUT}{trouble}: {_answers(world, status, kept)}"
    if stable is None or not _is_waited_for(world, status):
        return ""
    wanted = replicas.stable_replicas(world.spec, status)
    return f"{_FEW}, {stable.ready} of {wanted}: the switch back waits for them"


def _is_waited_for(world: World, status: RolloutStatus) -> bool:
    """Return whether blue-green's active Service is to select stable, and can't yet."""
    active, stable = world.stable_service, status.stable_revision
    if world.spec.blue_green is None or active is None or stable is None:
        return False
    elsewhere = active.selected_hash not in ("", stable.hash)
    switched = under_way(status) and status.weights.desired > 0
    return elsewhere and not switched and not may_switch_back(world, status)


def _answers(world: World, status: RolloutStatus, kept: ReplicaSet | None) -> str:
    """Say who answers while stable does not."""
    service, current = world.stable_service, world.replica_set(status.current_revision)
    if (service is None or service.selected_hash == "") and current is not None and current.ready:
        full = ", and promote --full makes it stable" if under_way(status) else ""
        return f"the pods of revision {current.revision} answer{full}"
    if world.spec.by_nginx_alone and (kept is not None or under_way(status)):
        full = "; promote --full gives the new revision everything" if under_way(status) else ""
        return f"ingress-nginx answers nobody until it has one, a canary neither{full}"
    if kept is not None:
        return f"revision {kept.revision} keeps what it has until it has one"
    active = world.observed.replica_sets.get(service.selected_hash) if service else None
    if service is not None and active is not None and active.ready:
        return f"Service {service.name} keeps revision {active.revision} until it has one"
    if under_way(status):
        return "the new revision gets what its steps say, and promote --full gives it everything"
    if world.replica_set(status.stable_revision) is None:
        return "requests fail until another revision is promoted: retry or release, then promote --full"
    return "requests fail until it has one"
