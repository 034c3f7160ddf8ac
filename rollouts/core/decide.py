"""
The decision: everything that happens to a release is decided here.

    decide(spec, status, observed, evidence, now) -> Decision

Moves in order of urgency: which revision is wanted, what a person asks for, whether the
canary must be stopped, and only then how far it may go.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from rollouts.core import adoption, capacity, idle, refusals, rest, revert, services
from rollouts.core.actions import Action, Decision, NameCommand
from rollouts.core.canary import advance
from rollouts.core.commands import handle_command
from rollouts.core.conditions import conditions
from rollouts.core.converge import converge, retreat
from rollouts.core.in_force import announced, unannounced
from rollouts.core.observed import Observed, ReplicaSet
from rollouts.core.patience import patient, waited
from rollouts.core.replicas import split_of
from rollouts.core.restart import go_on
from rollouts.core.rising import is_rising, turned
from rollouts.core.roles import scale_selector
from rollouts.core.rollback import (
    abort_if_failed,
    cut,
    deadline,
    settled,
    settled_pods,
    waiting_since,
)
from rollouts.core.routes import reaches_another
from rollouts.core.target import retarget
from rollouts.core.urgency import by_urgency
from rollouts.core.world import (
    Hold,
    Move,
    World,
    attempt,
    drift_pause_ends,
    frozen,
    is_warm,
    under_way,
)
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import HASH_LABEL
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


def decide(
    spec: RolloutSpec,
    status: RolloutStatus,
    observed: Observed,
    evidence: Evidence,
    now: datetime,
    *,
    hold: Hold | None = None,
) -> Decision:
    """
    Return what to do next. Pure: the same inputs give the same Decision.

    `spec`, `status` and `hold` are what is in force (`rollouts.core.in_force`).
    """
    status = unannounced(capacity.untold(refusals.untold(status)))
    world = World(spec, observed, evidence, now, tuple(split_of(spec, status).names), hold)
    world = patient(services.warned(adoption.warned(world, status), status), status)
    if reaches_another(world, status):
        # What is counted is of the revision before, which stable can't relieve yet.
        world = replace(world, evidence=Evidence())
    move = _remember_evidence(world, Move(status))
    for step in _course(world, status):
        move = step(world, move)
        if attempt(move.status) != attempt(status):
            # A new attempt: what was measured of the last one says nothing about it.
            world = replace(world, evidence=Evidence())
    actions = _actions(world, status, move)
    move = cut(world, services.followed(world, move, actions), actions)
    move = waited(world, _time_progress(world, status, move))
    after = _numbers(world, move.status)
    after = after.evolve(
        observed_generation=observed.generation,
        step=_step(spec, after),
        conditions=conditions(status.conditions, after, world.observed.route.findings, now),
    )
    return Decision(
        status=after,
        actions=tuple(actions),
        occurrences=move.occurrences,
        requeue_after_seconds=_wake_after(world, move),
    )


def _course(world: World, status: RolloutStatus) -> tuple[Callable[[World, Move], Move], ...]:
    """Return what a decision goes through: usually all of it."""
    if world.observed.leaving and revert.is_home(world, status):
        return (revert.give_back,)
    if world.observed.leaving:
        return (revert.stop, advance, _settle, revert.on_the_way)
    if adoption.blocker(world, status):
        return (adoption.remember, adoption.held)
    noted = (adoption.remember, services.remember, announced, capacity.told)
    return (retarget, handle_command, abort_if_failed, advance, go_on, _settle, *noted)


def _actions(world: World, before: RolloutStatus, move: Move) -> list[Action]:
    """
    Return the writes of this decision, the most urgent first.

    A retreat is made now; a move forward is only written down now, and made by the next
    decision, which finds it in status: whoever makes that decision.
    """
    if world.observed.leaving and revert.is_home(world, before):
        return list(revert.giving(world, before))
    if adoption.blocker(world, before):
        return []
    after = move.status
    same = (attempt(before), before.abort) == (attempt(after), after.abort)
    if move.retreat or not same:
        # What was on its way forward is not wanted any more.
        actions = list(retreat(world, after))
    else:
        actions = list(converge(world, before.evolve(held_by=move.status.held_by)))
    actions = by_urgency(world, actions)
    command = world.observed.command
    if command is not None and not command.id:
        # The resource version makes the id unique, and the same for whoever decides again.
        actions.append(
            NameCommand(id=f"{command.verb}-{world.observed.resource_version}", verb=command.verb)
        )
    return actions


def _remember_evidence(world: World, move: Move) -> Move:
    evidence = world.evidence
    if evidence.at is None or not (under_way(move.status) or is_warm(world, move.status)):
        return move
    return move.evolve(
        criteria=list(evidence.criteria),
        exposure=evidence.exposure,
        weights=move.status.weights.evolve(served=evidence.served_percent),
    )


def _settle(world: World, move: Move) -> Move:
    """Let the revisions that were left go: their time runs from the moment nothing reaches them."""
    staying = []
    for entry in move.status.retiring:
        replica_set = world.observed.replica_sets.get(entry.hash)
        if replica_set is None or (replica_set.wanted == 0 and replica_set.existing == 0):
            continue
        at = None  # as long as it is reached, or is so again
        if not _is_reached(world, entry.hash):
            at = entry.at or world.now + timedelta(seconds=entry.delay_seconds)
        staying.append(entry.evolve(at=at))
        if at is not None:
            move = move.requeue_at(at)
    move = move.evolve(retiring=staying)
    previous = move.status.previous_revision
    if previous is not None and all(entry.hash != previous.hash for entry in staying):
        move = move.evolve(previous_revision=None)
    if not under_way(move.status) and not staying:
        # Only now: while the other revision may still be needed, none of the two is made smaller.
        move = move.evolve(stable_floor=0)
    return move


def _time_progress(world: World, before: RolloutStatus, move: Move) -> Move:
    """
    Keep the clock of the progress deadline: it runs while a step waits for pods or routes.

    Each step has its own time, and a pod that is replaced late in a long pause has all of it.
    Between releases it runs while stable lacks pods.
    """
    status = move.status
    since = before.unsettled_since if before.step_started_at == status.step_started_at else None
    if rest.is_short(world, status):
        since = rest.short_since(world, before, since)
        return move.evolve(unsettled_since=since).requeue_at(rest.gives_up_at(world, since))
    held = (
        frozen(world.spec, status)
        or idle.waits_for(world, status)
        or (is_rising(world, status) and turned(world, status) is not None)
        or capacity.lacks_room(world, status)
    )
    if under_way(status) and settled(world, status):
        return move.evolve(unsettled_since=None, settled_pods=settled_pods(world, status))
    if not under_way(status) or held:
        return move.evolve(unsettled_since=None)
    move = move.evolve(unsettled_since=waiting_since(world, status, since or world.now))
    late = deadline(world, move.status)
    return move.requeue_at(late) if late is not None else move


def _is_reached(world: World, hash_: str) -> bool:
    """Return whether a Service or a route may still send requests to this revision."""
    stable, canary = world.stable_service, world.canary_service
    if stable is not None and stable.selected_hash in ("", hash_):
        return True
    if any(each.selected_hash == hash_ for each in services.left(world)):
        return True
    if world.spec.routing is None:
        return False
    return world.observed.route.highest > 0 and (
        canary is None or canary.selected_hash in ("", hash_)
    )


def _numbers(world: World, status: RolloutStatus) -> RolloutStatus:
    current = world.replica_set(status.current_revision)
    serving, hash_ = _serving(world, status)
    return status.evolve(
        replicas=sum(each.existing for each in serving),
        ready_replicas=sum(each.ready for each in serving),
        available_replicas=sum(each.available for each in serving),
        updated_replicas=current.existing if current is not None else 0,
        selector=_selector(world, status, hash_),
    )


def _selector(world: World, status: RolloutStatus, hash_: str) -> str:
    """
    Return what finds the pods that /scale is about: always the same, once all of them can be found.

    Pods that are older than the label of ours are found by the revision that serves until then.
    """
    always = scale_selector(world)
    revisions = (status.stable_revision, status.current_revision)
    found = filter(None, map(world.replica_set, revisions))
    if status.selector == always or all(pod.labelled for each in found for pod in each.pods):
        return always
    return _with_hash(world.observed.selector, hash_)


def _serving(world: World, status: RolloutStatus) -> tuple[list[ReplicaSet], str]:
    """
    Return the pods that /scale counts, and the hash that selects them; "" selects all.

    They are those that users' requests reach, together: an autoscaler works out from all of them
    how many pods the traffic needs, and `spec.replicas` is that number. Of blue-green's two
    one has everything, and the other would only be idle.
    """
    stable, current = (
        world.replica_set(status.stable_revision),
        world.replica_set(status.current_revision),
    )
    if under_way(status) and world.spec.blue_green is None:
        return [each for each in (stable, current) if each is not None], ""
    switched = under_way(status) and status.weights.applied == 100
    serving = (current if switched else stable) or current
    return ([serving], serving.hash) if serving is not None else ([], "")


def _with_hash(selector: str, hash_: str) -> str:
    return ",".join(part for part in (selector, f"{HASH_LABEL}={hash_}" if hash_ else "") if part)


def _step(spec: RolloutSpec, status: RolloutStatus) -> str:
    steps = len(spec.steps)
    if status.current_step_index is None:
        return f"{steps}/{steps}" if status.stable_revision == status.current_revision else ""
    return f"{min(status.current_step_index, steps)}/{steps}"


def _wake_after(world: World, move: Move) -> float | None:
    later = [moment for moment in move.wake_at if moment > world.now]
    drain = move.status.drain_until
    if under_way(move.status) and drain is not None and drain > world.now:
        later.append(drain)
    drift_pause = drift_pause_ends(move.status, world.now)
    if drift_pause is not None:  # what is left alone meanwhile is to be done then
        later.append(drift_pause)
    return (min(later) - world.now).total_seconds() if later else None
