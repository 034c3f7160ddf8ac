"""
The decision: everything that happens to a release is decided here, stage by stage.

    decide(spec, status, observed, evidence, now) -> Decision

`SEEN` completes what is seen, `NEXT` makes the next status, most urgent first: which revision is
wanted, what a person asks for, must the canary be stopped, and only then how far it may go.
`WRITES` says what the cluster lacks, or `BACK` what takes traffic back at once; and `LATER` brings
the rest of the status up to date. `PIPELINE` is all of them, in the order in which they run.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rollouts.core.facts import (
    stable_has_all_traffic,
    with_service_findings,
    with_workload_findings,
    without_evidence_of_another,
    without_late_confirmations,
    workload_blocker,
)
from rollouts.core.next.attempt import retarget
from rollouts.core.next.commands import handle_command, revision_meant
from rollouts.core.next.conditions import with_conditions
from rollouts.core.next.confirm import confirm
from rollouts.core.next.giving_back import give_back, note_traffic_going_back, stop_for_deletion
from rollouts.core.next.notes import (
    note_confirmation_timeout,
    note_stable_down,
    note_strategy_change,
    without_notes,
)
from rollouts.core.next.progress import (
    release_retiring,
    remember_evidence,
    requeue_after_seconds,
    time_progress,
    with_numbers,
)
from rollouts.core.next.restart import advance_restart
from rollouts.core.next.rollback import abort_if_failed, end_disruption, routes_cut
from rollouts.core.next.services import note_synced_services, remember_services
from rollouts.core.next.settled import settle
from rollouts.core.next.steps import advance
from rollouts.core.next.workload import remember_workload, report_workload_blocker
from rollouts.core.plan.actions import Action, Decision, NameCommand, Writing
from rollouts.core.plan.giving_back import give_back_writes
from rollouts.core.plan.pods import evictions, living_pods, templates
from rollouts.core.plan.replica_sets import adopt_orphans, replica_set_writes
from rollouts.core.plan.services import service_writes, synced_services, unnamed_services_writes
from rollouts.core.plan.weight import takes_traffic_away, weight_back, weight_writes
from rollouts.core.plan.workload import workload_writes
from rollouts.core.plan.write_order import by_urgency
from rollouts.core.refused_writes import without_refusals
from rollouts.core.world import Hold, Observed, StatusUpdate, World, attempt, split_of
from rollouts.model.evidence import Evidence
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus

Seeing = Callable[[World, RolloutStatus], World]
Stage = Callable[[World, StatusUpdate], StatusUpdate]
SEEN: tuple[Seeing, ...] = (
    with_workload_findings,  # what is wrong with the Deployment of a workloadRef
    with_service_findings,  # what keeps Services from being what they are to be
    without_late_confirmations,  # who has not confirmed a retreat for long is waited for no longer
    without_evidence_of_another,  # what is measured while the revision before has the traffic
)
NEXT: tuple[Stage, ...] = (
    remember_evidence,  # the verdicts and numbers of this canary
    retarget,  # a new template, or the one of stable again: an attempt begins, or ends
    handle_command,  # what a person asks for
    abort_if_failed,  # a criterion fails, pods crash, the deadline passes: back, in this decision
    confirm,  # the weight that the routes have by now, and what somebody else changed
    end_disruption,  # pods that were taken away are there again
    settle,  # no release is under way: stable, at its full size
    advance,  # from step to step, as far as evidence, clock and cluster allow; then promotion
    advance_restart,  # which pods go next
    release_retiring,  # the time of revisions that were left begins, or is over
    remember_workload,  # how far a Deployment's place is taken
    remember_services,  # which Services of the user are bound
    note_strategy_change,  # what another strategy waits for
    note_stable_down,  # who answers what stable can't bear
)
BLOCKED: tuple[Stage, ...] = (remember_evidence, remember_workload, report_workload_blocker)
"""In place of `NEXT` while a Deployment's place can't be taken: it serves everything."""
GOING_BACK: tuple[Stage, ...] = (
    remember_evidence,
    stop_for_deletion,
    confirm,
    end_disruption,
    settle,
    advance,
    release_retiring,
    note_traffic_going_back,
)
"""In place of `NEXT` while a Rollout is deleted, and traffic goes back to stable."""
GIVING_BACK: tuple[Stage, ...] = (remember_evidence, give_back)
"""In place of `NEXT` once that has all traffic, and a Deployment gets its place again."""
WRITES: tuple[Writing, ...] = (
    adopt_orphans,  # what lost its owner
    weight_writes,  # what carries the weight: routes, or the active Service
    service_writes,  # selectors
    templates,  # what the next pods are like
    replica_set_writes,  # sizes
    workload_writes,  # the Deployment's pods, and our finalizer
    living_pods,  # what a role gives to pods that are there
    evictions,  # a restart
)
BACK: tuple[Writing, ...] = (
    weight_back,  # routes, the active Service, or sizes
    unnamed_services_writes,  # selectors that would lead to nobody
)
"""In place of `WRITES` when traffic goes back."""
LATER: tuple[Stage, ...] = (
    note_synced_services,  # a Service of ours is made as its stable Service is
    routes_cut,  # since when the canary that was left gets nothing
    time_progress,  # the clock of the progress deadline
    note_confirmation_timeout,  # a retreat that nobody confirms
    with_numbers,  # pods and step, for people and autoscalers
    with_conditions,  # for `kubectl wait`, Argo CD and Flux
)
PIPELINE = (*SEEN, *NEXT, *WRITES, by_urgency, *LATER)


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

    `spec` is the effective one, and `status` and `hold` go with it (`rollouts.core.effective_spec`).
    """
    status = without_notes(without_refusals(status))
    world = World(spec, observed, evidence, now, tuple(split_of(spec, status).names), hold)
    for see in SEEN:
        world = see(world, status)
    update = StatusUpdate.of(status)
    course = _course(world, status)
    for stage in course:
        update = stage(world, update)
        if attempt(update.status) != attempt(status):
            # A new attempt: what was measured of the last one says nothing about it.
            world = replace(world, evidence=Evidence())
    actions = _actions(world, update, course)
    update = replace(
        update,
        ends_traffic=takes_traffic_away(world, actions),
        synced_services=tuple(synced_services(actions)),
    )
    for stage in LATER:
        update = stage(world, update)
    return Decision(
        status=update.status,
        actions=tuple(actions),
        events=update.events,
        requeue_after_seconds=requeue_after_seconds(world, update),
    )


def _course(world: World, status: RolloutStatus) -> tuple[Stage, ...]:
    """Return what makes the next status: usually `NEXT`."""
    if world.observed.is_being_deleted:
        return GIVING_BACK if stable_has_all_traffic(world, status) else GOING_BACK
    return BLOCKED if workload_blocker(world, status) else NEXT


def _actions(world: World, update: StatusUpdate, course: tuple[Stage, ...]) -> list[Action]:
    """Return the writes of this decision, the most urgent first, and at the end a command's name."""
    actions = _writes(world, update, course)
    command = world.observed.command
    if command is not None and not command.id and course in (NEXT, GOING_BACK):
        # The resource version makes the id unique, and the same for whoever decides again.
        id_ = f"{command.verb}-{world.observed.resource_version}"
        actions.append(NameCommand(id_, command.verb, revision_meant(command, update)))
    return actions


def _writes(world: World, update: StatusUpdate, course: tuple[Stage, ...]) -> list[Action]:
    """
    Return what the cluster lacks.

    A retreat is made now; a move forward is only written down now, and made by the next
    decision, which finds it in status: whoever makes that decision.
    """
    before, after = update.before, update.status
    if course is GIVING_BACK:
        return list(give_back_writes(world, before))
    if course is BLOCKED:
        return []
    same = (attempt(before), before.abort) == (attempt(after), after.abort)
    if update.retreat or not same:
        # What was on its way forward is not wanted any more.
        return by_urgency(world, (each for write in BACK for each in write(world, after)))
    status = before.evolve(held_by=after.held_by)
    if status.current_revision is None:
        return []
    return by_urgency(world, (each for write in WRITES for each in write(world, status)))
