"""When a release has to be stopped, and what stopping it means."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from rollouts.core import capacity, disrupted, pods, replicas, revision, standing
from rollouts.core.actions import Action, SelectRevision, SetWeight
from rollouts.core.observed import ReplicaSet
from rollouts.core.routes import is_reachable, reaches_another, reaches_canary, route
from rollouts.core.target import retire
from rollouts.core.world import Move, World, frozen, is_warm, under_way, waived
from rollouts.model.status import Abort, RolloutStatus, Weights
from rollouts.model.units import format_duration


def abort_if_failed(world: World, move: Move) -> Move:
    """Roll back, in this very decision, when there is a reason to."""
    if move.retreat:
        return move
    if is_warm(world, move.status):
        reason = next(_failed(world), None)
        return go_back(world, move, by="rollouts", reason=reason) if reason is not None else move
    if not under_way(move.status):
        return move
    reason = next(reasons(world, move.status), None)
    if reason is not None:
        return roll_back(world, move, by="rollouts", reason=reason)
    due = pods.patience_ends(world, move.status)
    return disrupted.hold(world, move.requeue_at(due) if due is not None else move)


def go_back(world: World, move: Move, *, by: str, reason: str, forced: bool = False) -> Move:
    """Switch back to the revision before, which is still warm; only `is_warm` asks for it."""
    status = move.status
    previous, left = status.previous_revision, status.stable_revision
    assert previous is not None
    past = [each for each in status.past if each.hash != previous.hash]
    if left is not None:
        past = standing.past(status, standing.marked(left), previous)
    return roll_back(
        world,
        move.evolve(
            stable_revision=previous,
            previous_revision=None,
            past=past,
            retiring=[entry for entry in status.retiring if entry.hash != previous.hash],
        ),
        by=by,
        reason=reason,
        forced=forced,
    )


def roll_back(world: World, move: Move, *, by: str, reason: str, forced: bool = False) -> Move:
    """
    Send all traffic to stable now, and remember why; only `retry` or a new template begins again.

    Of that, what stable can't bear yet follows when it can, unless it is `forced`.
    """
    status = move.status
    current, stable = status.current_revision, status.stable_revision
    assert current is not None
    assert stable is not None
    drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
    reached = status.weights.applied > 0 or status.weights.disrupted_at is not None
    move = move.evolve(
        abort=Abort(at=world.now, by=by, reason=reason, forced=forced),
        weights=Weights(
            desired=0, applied=status.weights.applied, applied_at=status.weights.applied_at
        ),
        pause=None,
        held_by=None,
        promoted="",
        leaning_since=None,
        canary_scale=None,
        drain_until=drained if reached else status.drain_until,
        retiring=retire(status, current.hash, world.spec.way.abort_scale_down_delay_seconds),
        phase="Degraded",
    )
    sentence = (
        f"{revision.describe(current)} is rolled back to {revision.describe(stable)}: {reason}"
        f"{capacity.said(world, move.status)}"
    )
    return move.event(world, "RolledBack", sentence, "Warning").as_retreat()


def cut(world: World, move: Move, actions: Iterable[Action]) -> Move:
    """
    Keep since when a canary that was left gets nothing, where one of the actions is the end of that.

    Stable may not have been able to bear its traffic before. What it counted until then is not
    the next one's.
    """
    status, route = move.status, world.observed.route
    if route.is_cut or route.highest == 0 or not any(_ends(world, each) for each in actions):
        return move
    drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
    if not under_way(status):
        return move.evolve(drain_until=drained)
    if not reaches_another(world, status):
        return move
    return move.evolve(drain_until=drained, exposed_at=drained)


def _ends(world: World, action: Action) -> bool:
    """Return whether an action takes everything from the revision that the routes send to: by weight, or by Service."""
    if isinstance(action, SelectRevision):
        return action.service == world.spec.canary_service
    return isinstance(action, SetWeight) and action.split.percent == 0


def reasons(world: World, status: RolloutStatus) -> Iterator[str]:
    """Yield why the canary must not go on, most telling first."""
    yield from _failed(world)
    if status.weights.disrupted_at is not None:
        yield from _crash_loops(world.replica_set(status.current_revision))
    elif _has_traffic(world, status):
        yield from _pods_that_fail_under_traffic(world, status)
    yield from disrupted.too_often(world, status)
    yield from _deadline(world, status)


def _has_traffic(world: World, status: RolloutStatus) -> bool:
    """Return whether requests reach the current revision, or would if its pods and Service were there."""
    if status.weights.applied > 0 or status.weights.routes:
        return True
    return route(world, status).highest > 0 and reaches_canary(world, status)


def _failed(world: World) -> Iterator[str]:
    for criterion in world.evidence.criteria:
        if criterion.verdict == "fail":
            yield f"{criterion.name}: {criterion.message}"


def _pods_that_fail_under_traffic(world: World, status: RolloutStatus) -> Iterator[str]:
    canary = world.replica_set(status.current_revision)
    if canary is None:
        yield "the canary's ReplicaSet is gone while it has traffic"
        return
    if world.spec.routing is not None and world.canary_service is None:
        yield f"Service {world.spec.canary_service} is gone while it has traffic"
        return
    yield from _crash_loops(canary)
    wanted = replicas.serving(world.spec, status)
    if status.canary_scale is not None and world.spec.blue_green is None:
        wanted = min(wanted, max(1, status.canary_scale))
    enough = replicas.enough_by_threshold(world.spec, wanted)
    yield from pods.against(world, status, canary, enough)


def _crash_loops(canary: ReplicaSet | None) -> Iterator[str]:
    looping = canary.crash_looping if canary is not None else ()
    if looping:
        names = ", ".join(f"{pod.name} ({pod.restarts} restarts)" for pod in looping[:3])
        yield f"canary pods crash again and again: {names}"


def _deadline(world: World, status: RolloutStatus) -> Iterator[str]:
    at = deadline(world, status)
    if at is None or world.now < at or not world.spec.progress_deadline_abort:
        return
    yield (
        f"step {(status.current_step_index or 0) + 1} made no progress for"
        f" {format_duration(world.spec.progress_deadline_seconds)}: {waiting_for(world, status)}"
    )


def deadline(world: World, status: RolloutStatus) -> datetime | None:
    """Return until when the current step may wait for pods and routes; None when it waits for neither."""
    if frozen(world.spec, status) or status.unsettled_since is None or settled(world, status):
        return None
    return status.unsettled_since + timedelta(seconds=world.spec.progress_deadline_seconds)


def settled(world: World, status: RolloutStatus) -> bool:
    """Return whether size and weight are what the current step wants; to nobody it is all the same."""
    if waived(status) and replicas.stable_replicas(world.spec, status) == 0:
        return True
    return (
        has_pods(world, status)
        and status.weights.disrupted_at is None
        and capacity.is_met(world, status)
        and status.weights.routes == replicas.split_of(world.spec, status).names
        and (world.spec.blue_green is None or is_reachable(world, status, 1))
    )


def has_pods(world: World, status: RolloutStatus) -> bool:
    """Return whether the canary has the pods of its step; those that were asked for later are no part of it."""
    wanted = replicas.needed(world.spec, status)
    if status.settled_pods is not None:
        wanted = min(wanted, status.settled_pods)
    canary = world.replica_set(status.current_revision)
    available = canary.available if canary is not None else 0
    return available >= replicas.enough(world.spec, wanted, canary)


def settled_pods(world: World, status: RolloutStatus) -> int | None:
    """Return `status.settled_pods` of a step that is settled: what it needs now, if it has all of that."""
    everything = has_pods(world, status.evolve(settled_pods=None))
    return replicas.needed(world.spec, status) if everything else status.settled_pods


def waiting_since(world: World, status: RolloutStatus, since: datetime) -> datetime:
    """
    Return since when the step has waited for what it lacks now, where it has lacked something `since`.

    Pods that replace those that it had have a deadline of their own: with nodes that come and go one
    of them may be missing all the time, and each time another.
    """
    canary = world.replica_set(status.current_revision)
    missing = [pod.created_at for pod in canary.pods if not pod.ready] if canary else []
    if status.settled_pods is None or status.weights.disrupted_at is not None or not missing:
        return since
    return max(since, min(missing))


def waiting_for(world: World, status: RolloutStatus) -> str:
    """Say what stands between the current step and its end, in words."""
    if world.lacking:
        return world.lacking
    if world.observed.route.blockers:
        return world.observed.route.blockers[0].message
    held = f"{disrupted.WAITS}; " if status.weights.disrupted_at is not None else ""
    canary = world.replica_set(status.current_revision)
    wanted = replicas.needed(world.spec, status)
    available = canary.available if canary is not None else 0
    if available < replicas.enough(world.spec, wanted, canary):
        because = canary.trouble if canary is not None else ""
        return f"{held}{available} of {wanted} canary pods are available{because}"
    if world.spec.blue_green is not None:
        return _waiting_for_services(world, status)
    if world.spec.by_replicas:
        return f"the canary does not have {status.weights.desired} % of the pods yet"
    waits = "; ".join(world.observed.route.waits)
    because = f": {waits}" if waits else ""
    if status.weights.applied == status.weights.desired:
        return f"the header and mirror routes are not confirmed yet{because}"
    return f"weight {status.weights.desired} % is not confirmed by the routes yet{because}"


def _waiting_for_services(world: World, status: RolloutStatus) -> str:
    preview, active = world.spec.canary_service, world.spec.stable_service
    if not is_reachable(world, status, 1):
        return f"Service {preview} does not lead to the new revision's ready pods yet"
    return f"Service {active} is not switched yet"
