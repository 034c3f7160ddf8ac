"""
The decision: everything that happens to a release is decided here.

    decide(spec, status, observed, evidence, now) -> Decision

Moves in order of urgency: which revision is wanted, what a person asks for, whether the
canary must be stopped, and only then how far it may go.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rollouts.core.facts import (
    is_home,
    reaches_another,
    with_service_findings,
    with_workload_findings,
    without_late_confirmations,
    workload_blocker,
)
from rollouts.core.next.attempt import retarget
from rollouts.core.next.commands import handle_command
from rollouts.core.next.conditions import conditions
from rollouts.core.next.giving_back import (
    give_back,
    giving,
    note_traffic_going_home,
    stop_for_deletion,
)
from rollouts.core.next.notes import (
    note_confirmation_timeout,
    note_stable_down,
    note_strategy_change,
    without_stable_note,
    without_strategy_note,
)
from rollouts.core.next.progress import (
    release_retiring,
    remember_evidence,
    step_words,
    time_progress,
    wake_after,
    with_numbers,
)
from rollouts.core.next.restart import advance_restart
from rollouts.core.next.rollback import abort_if_failed, routes_cut
from rollouts.core.next.services import note_followed, remember_services
from rollouts.core.next.steps import advance
from rollouts.core.next.workload import remember_workload, report_workload_blocker
from rollouts.core.plan.actions import Action, Decision, NameCommand
from rollouts.core.plan.routes import converge, retreat
from rollouts.core.plan.write_order import by_urgency
from rollouts.core.refused_writes import without_refusals
from rollouts.core.world import Hold, Move, Observed, World, attempt, split_of
from rollouts.model.evidence import Evidence
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
    status = without_strategy_note(without_stable_note(without_refusals(status)))
    world = World(spec, observed, evidence, now, tuple(split_of(spec, status).names), hold)
    world = without_late_confirmations(
        with_service_findings(with_workload_findings(world, status), status), status
    )
    if reaches_another(world, status):
        # What is counted is of the revision before, which stable can't relieve yet.
        world = replace(world, evidence=Evidence())
    move = remember_evidence(world, Move(status))
    for step in _course(world, status):
        move = step(world, move)
        if attempt(move.status) != attempt(status):
            # A new attempt: what was measured of the last one says nothing about it.
            world = replace(world, evidence=Evidence())
    actions = _actions(world, status, move)
    move = routes_cut(world, note_followed(world, move, actions), actions)
    move = note_confirmation_timeout(world, time_progress(world, status, move))
    after = with_numbers(world, move.status)
    after = after.evolve(
        observed_generation=observed.generation,
        step=step_words(spec, after),
        conditions=conditions(status.conditions, after, world.observed.route.findings, now),
    )
    return Decision(
        status=after,
        actions=tuple(actions),
        occurrences=move.occurrences,
        requeue_after_seconds=wake_after(world, move),
    )


def _course(world: World, status: RolloutStatus) -> tuple[Callable[[World, Move], Move], ...]:
    """Return what a decision goes through: usually all of it."""
    if world.observed.leaving and is_home(world, status):
        return (give_back,)
    if world.observed.leaving:
        return (stop_for_deletion, advance, release_retiring, note_traffic_going_home)
    if workload_blocker(world, status):
        return (remember_workload, report_workload_blocker)
    noted = (remember_workload, remember_services, note_strategy_change, note_stable_down)
    return (
        retarget,
        handle_command,
        abort_if_failed,
        advance,
        advance_restart,
        release_retiring,
        *noted,
    )


def _actions(world: World, before: RolloutStatus, move: Move) -> list[Action]:
    """
    Return the writes of this decision, the most urgent first.

    A retreat is made now; a move forward is only written down now, and made by the next
    decision, which finds it in status: whoever makes that decision.
    """
    if world.observed.leaving and is_home(world, before):
        return list(giving(world, before))
    if workload_blocker(world, before):
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
