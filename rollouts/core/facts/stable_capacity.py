"""
What stable can bear now, and how many pods it has for that.

Traffic goes back to stable as far as stable can answer it, and no further: an answer of the
revision that is left is better than none (docs/adr/0024-what-stable-can-bear.md). Only a
person's `abort` takes it back whatever that costs.
"""

from datetime import datetime, timedelta

from rollouts.core.facts.holds import is_held
from rollouts.core.facts.traffic import (
    is_forced,
    least_weight,
    next_weight,
    service_is_outdated,
    serving_instead_of_stable,
    stable_is_down,
    stable_is_failing,
)
from rollouts.core.world import (
    ReplicaSet,
    RevisionSize,
    World,
    canary_replicas,
    enough_pods,
    enough_pods_when_settled,
    mechanism_of,
    next_sizes,
    pod_shares,
    pods_needed,
    restart_pace,
    split_of,
    stable_pods_beside,
    stable_replicas,
    under_way,
)
from rollouts.model.status import Retiring, RolloutStatus

LEAST_SAMPLE = 20
"""With fewer canary requests than this a share that was measured says nothing."""
STABLE_DOWN = "; stable has no ready pod"
STABLE_SHORT = "; stable has too few ready pods"


def canary_lacks_room(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the pods that answer in stable's place leave no room for more of the current revision.

    Without a router, those of a revision before it are not taken away for its share: `promote
    --full` is what replaces them, and stable's.
    """
    canary = world.replica_set(status.current_revision)
    if (
        not mechanism_of(world.spec).pods_are_the_weight
        or canary is None
        or not stable_is_failing(world, status)
    ):
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
    total = stable_replicas(world.spec, status)
    stable = world.replica_set(status.stable_revision)
    if not world.spec.active_strategy.dynamic_stable_scale or stable is None:
        return total
    if not under_way(status):
        return total
    weights, said = status.weights, world.route.weight
    # Somebody may have given traffic back to stable by hand.
    given = min(weights.applied, weights.desired, 100 if said is None else said)
    least = stable_pods_beside(world.spec, status, given)
    taken = (
        weights.served is not None
        and weights.served >= 0.8 * weights.applied
        and status.exposure.canary_requests >= LEAST_SAMPLE
        and not split_of(world.spec, status).mirrors
    )
    return least if taken else max(least, min(stable.wanted, total))


def canary_size(world: World, status: RolloutStatus) -> int:
    """
    Return how many pods the current revision needs: for its weight, and for what nobody else answers.

    While stable is out, that is what a revision before it keeps, which it takes over; and everything,
    where the stable Service selects the pods of all revisions.
    """
    size = pods_needed(world.spec, status)
    if not stable_is_down(world, status):
        return size
    service = world.stable_service
    if size and service is not None and service.selected_hash == "":
        return max(size, stable_replicas(world.spec, status))
    return max(size, _carried_pods(world, status))


def _carried_pods(world: World, status: RolloutStatus) -> int:
    """Return how many pods the traffic needs that stable can't bear."""
    total = stable_replicas(world.spec, status)
    return canary_replicas(total, least_weight(world, status))


def shared_sizes(world: World, status: RolloutStatus) -> dict[str, int] | None:
    """Return the next sizes where the pods are the weight, by hash; None where they are not, or there is no stable."""
    stable, current = status.stable_revision, status.current_revision
    if not mechanism_of(world.spec).pods_are_the_weight or stable is None or current is None:
        return None
    total = stable_replicas(world.spec, status)
    percent = next_weight(world, status) if under_way(status) else 0
    canary_goal, stable_goal = pod_shares(world.spec, total, percent)
    found = world.replica_set(stable)
    if percent and found is not None and stable_is_failing(world, status):
        # What can't come up must not have the room of what repairs it.
        stable_goal = min(stable_goal, found.wanted)
    goals = {current.hash: canary_goal, stable.hash: stable_goal}
    if stable.hash == current.hash:
        goals = {stable.hash: total}
    sets = world.observed.replica_sets.values()
    # Where no pod is available, as after a crash of all or with a long minReadySeconds, those that are ready answer.
    answers = any(each.available for each in sets)
    revisions = {
        hash_: RevisionSize(
            wanted=each.wanted,
            available=each.available if answers else each.ready,
            goal=goals.get(hash_, 0),
            urgent=hash_ == stable.hash and percent == 0,
        )
        for hash_, each in world.observed.replica_sets.items()
    }
    if current.hash not in revisions:
        revisions[current.hash] = RevisionSize(0, 0, canary_goal)
    return next_sizes(world.spec, total, revisions)


def may_take_over(world: World, status: RolloutStatus) -> bool:
    """
    Return whether the current revision is to have what one before it keeps while stable is out.

    It gets that with its first weight, as much as it is, once it has the pods for it, and nothing is in the
    way of a weight. Before no user is to reach it.
    """
    canary, service = world.replica_set(status.current_revision), world.canary_service
    if canary is None or service is None or not _is_kept_by_another(world, status):
        return False
    if world.route.blockers or service_is_outdated(world, status, service):
        return False
    return status.weights.desired > 0 and canary.available >= _carried_pods(world, status)


def canary_service_is_due(world: World, status: RolloutStatus, canary: ReplicaSet) -> bool:
    """
    Return whether the canary Service is to lead to the current revision now.

    That has the pods for it, and nothing holds the release. What is on its way to a superseded canary
    must not reach this one, unless it is the only one to answer it.
    """
    wanted = enough_pods(world.spec, max(1, pods_needed(world.spec, status)), canary)
    if canary.available < wanted or is_held(world, status):
        return False
    empty = world.canary_service is None or world.route.highest == 0
    return empty or mechanism_of(world.spec).has_preview or may_take_over(world, status)


def waits_to_take_over(world: World, status: RolloutStatus) -> bool:
    """
    Return whether one before the current revision keeps its traffic, and no step has asked for a weight.

    The canary Service leads there, so that a header or mirror route can't open. That ends when
    stable answers, or a person promotes it in full.
    """
    canary = world.replica_set(status.current_revision)
    if canary is None or status.weights.desired > 0 or not under_way(status):
        return False
    return canary.available >= canary.wanted and _is_kept_by_another(world, status)


def _is_kept_by_another(world: World, status: RolloutStatus) -> bool:
    """Return whether a revision before the current one keeps its traffic, because stable would not answer it."""
    kept = serving_instead_of_stable(world, status)
    if kept is None or not stable_is_down(world, status):
        return False
    return kept is not world.replica_set(status.current_revision)


def is_to_be_active(world: World, status: RolloutStatus) -> bool:
    """Return whether blue-green's active Service is to select the new revision now."""
    if not mechanism_of(world.spec).is_switched or under_way(status) is None:
        return False
    return next_weight(world, status) > 0


def may_switch_back(world: World, status: RolloutStatus) -> bool:
    """
    Return whether blue-green's active Service may select stable: not all the traffic goes to a few pods.

    Where nothing is switched, it may always be selected.
    One will do where the revision that is active has none ready, and for a person's `abort`.
    What is broken is not waited for, only what is starting, and no longer than a step may wait.
    """
    if not mechanism_of(world.spec).is_switched:
        return True
    stable, active = world.replica_set(status.stable_revision), world.stable_service
    if stable is None or active is None or not world.is_selectable(status.stable_revision):
        return False
    serving = world.observed.replica_sets.get(active.selected_hash)
    if active.by_label and not active.selected_hash:  # both serve, and one is to go
        serving = world.replica_set(status.current_revision)
    if serving is None or serving is stable or serving.ready == 0:
        return True
    if is_forced(world, status):
        return True
    until = switch_back_waits_until(world, status)
    overdue = until is not None and world.now >= until
    return overdue or stable.ready + stable.broken >= restart_pace(world.spec, status).keep


def switch_back_waits_until(world: World, status: RolloutStatus) -> datetime | None:
    """Return until when a switch back may wait for pods that start."""
    since = status.started_at if under_way(status) else status.unsettled_since
    if status.abort is not None:
        since = status.abort.at
    allowed = timedelta(seconds=world.spec.progress_deadline_seconds)
    return since + allowed if since is not None else None


def is_better_than_stable(world: World, status: RolloutStatus, entry: Retiring) -> bool:
    """
    Return whether a revision whose time is over has more ready pods than stable, which lacks some.

    One that has enough to be Healthy lacks none: no clock runs then, and no other pods would ever go.
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
    if stable.ready >= enough_pods_when_settled(world.spec, stable_size(world, status), stable):
        return False
    since, allowed = status.unsettled_since, world.spec.progress_deadline_seconds
    late = since is not None and world.now >= since + timedelta(seconds=allowed)
    return stable.broken > 0 or not (late or status.abort is not None)


def abort_cost(world: World, status: RolloutStatus) -> str:
    """Return what a person's `abort` costs at this moment, to be put behind the answer; or nothing."""
    stable = world.replica_set(status.stable_revision)
    if stable_is_down(world, status):
        why = stable.pod_problems if stable is not None else ""
        service = world.stable_service
        bound = service is not None and service.selected_hash != ""
        if mechanism_of(world.spec).is_routed and bound:
            return f", which has no ready pod{why}: requests fail until it has one"
        return f" as soon as it has a ready pod{why}: until then the new revision answers"
    wanted = stable_replicas(world.spec, status)
    if stable is None or not mechanism_of(world.spec).is_switched or stable.ready >= wanted:
        return ""
    return f", which has {stable.ready} of {wanted} pods ready"


def who_answers(world: World, status: RolloutStatus) -> str:
    """Return who answers what stable can't bear, to be put behind a message; or nothing."""
    stable, kept = (
        world.replica_set(status.stable_revision),
        serving_instead_of_stable(world, status),
    )
    if stable_is_down(world, status) and (
        kept is not None or status.stable_revision != status.current_revision
    ):
        why = stable.pod_problems if stable is not None else " (its ReplicaSet is gone)"
        return f"{STABLE_DOWN}{why}: {_answers(world, status, kept)}"
    if stable is None or not switch_back_waits(world, status):
        return ""
    wanted = stable_replicas(world.spec, status)
    return f"{STABLE_SHORT}, {stable.ready} of {wanted}: the switch back waits for them"


def switch_back_waits(world: World, status: RolloutStatus) -> bool:
    """Return whether blue-green's active Service is to select stable, and can't yet."""
    active, stable = world.stable_service, status.stable_revision
    if active is None or stable is None:
        return False
    elsewhere = active.selected_hash not in ("", stable.hash)
    switched = under_way(status) and status.weights.desired > 0
    return elsewhere and not switched and not may_switch_back(world, status)


def _answers(world: World, status: RolloutStatus, kept: ReplicaSet | None) -> str:
    """Return who answers while stable does not."""
    service, current = world.stable_service, world.replica_set(status.current_revision)
    if (service is None or service.selected_hash == "") and current is not None and current.ready:
        full = ", and promote --full makes it stable" if under_way(status) else ""
        return f"the pods of revision {current.revision} answer{full}"
    failing = world.spec.fails_without_stable
    if failing and (kept is not None or under_way(status)):
        full = "; promote --full gives the new revision everything" if under_way(status) else ""
        return f"{failing} fails all requests, the canary's too, until stable has one{full}"
    if kept is not None:
        keeps = f"revision {kept.revision} keeps what it has until it has one"
        if not waits_to_take_over(world, status):
            return keeps
        return f"{keeps}, or a step gives the new revision a weight; promote --full gives it everything"
    active = world.observed.replica_sets.get(service.selected_hash) if service else None
    if service is not None and active is not None and active.ready:
        return f"Service {service.name} keeps revision {active.revision} until it has one"
    if under_way(status):
        return "the new revision gets what its steps say, and promote --full gives it everything"
    if world.replica_set(status.stable_revision) is None:
        return "requests fail until another revision is promoted: retry or release, then promote --full"
    return "requests fail until it has one"
