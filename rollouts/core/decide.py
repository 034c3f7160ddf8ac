"""
The decision: everything that happens to a release is decided here, stage by stage.

    decide(spec, status, observed, evidence, now) -> Decision

`READ` takes the last decision's asides out of the status, and `FINDINGS` tell what is wrong. Then one of
four pipelines makes the next status, most urgent first (which revision is wanted, what a person
asks for, must the canary be stopped, and only then how far it may go), and says which writes are
missing. `LATER` brings the rest of the status up to date.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from rollouts.core.facts import (
    confirmation_times_out_at,
    reaches_another,
    service_findings,
    stable_has_all_traffic,
    workload_blocker,
    workload_findings,
)
from rollouts.core.next.attempt import retarget
from rollouts.core.next.commands import handle_command, revision_meant
from rollouts.core.next.conditions import with_conditions
from rollouts.core.next.confirm import confirm
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
from rollouts.core.next.records import remember_ended_releases
from rollouts.core.next.restart import advance_restart
from rollouts.core.next.revert import note_traffic_going_back, revert, stop_for_deletion
from rollouts.core.next.rollback import abort_if_failed, end_disruption, routes_cut
from rollouts.core.next.services import (
    note_synced_services,
    remember_next_services,
    remember_services,
)
from rollouts.core.next.settled import settle
from rollouts.core.next.steps import advance
from rollouts.core.next.workload import remember_workload, report_workload_blocker
from rollouts.core.plan.actions import Action, Decision, NameCommand, Writing
from rollouts.core.plan.pods import evictions, living_pods, templates
from rollouts.core.plan.records import record_writes
from rollouts.core.plan.replica_sets import adopt_orphans, replica_set_writes
from rollouts.core.plan.revert_writes import revert_writes
from rollouts.core.plan.services import (
    service_writes,
    services_to_bind,
    synced_services,
    unnamed_services_writes,
)
from rollouts.core.plan.stable_label import labels_beside, moving_labels
from rollouts.core.plan.weight import takes_traffic_away, weight_back, weight_writes
from rollouts.core.plan.workload import workload_writes
from rollouts.core.plan.write_order import by_urgency
from rollouts.core.refused_writes import without_refusals
from rollouts.core.world import Hold, Observed, StatusUpdate, World, attempt, split_of
from rollouts.model.evidence import Evidence
from rollouts.model.finding import Finding
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus

Reading = Callable[[RolloutStatus], RolloutStatus]
Finder = Callable[[World, RolloutStatus], Iterator[Finding]]
Stage = Callable[[World, StatusUpdate], StatusUpdate]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What one decision goes through between `FINDINGS` and `LATER`."""

    next: tuple[Stage, ...]
    """What makes the next status."""
    writes: tuple[Writing, ...] = ()
    """What yields the writes that are missing."""
    back: tuple[Writing, ...] = ()
    """In place of `writes` in a retreat, and when another attempt begins or ends."""
    takes_commands: bool = False


READ: tuple[Reading, ...] = (
    without_refusals,  # why writes were refused
    without_notes,  # why something takes longer than a release by itself
)
FINDINGS: tuple[Finder, ...] = (
    workload_findings,  # what is wrong with the Deployment of a workloadRef
    service_findings,  # what keeps Services from being what they are to be
)
WRITES: tuple[Writing, ...] = (
    adopt_orphans,  # what lost its owner
    weight_writes,  # what carries the weight: routes, or the active Service
    service_writes,  # selectors
    labels_beside,  # the label of stable, where it leads no Service yet
    templates,  # what the next pods are like
    replica_set_writes,  # sizes
    workload_writes,  # the Deployment's pods, and our finalizer
    record_writes,  # what is kept of releases that have ended
    living_pods,  # what a role gives to pods that are there
    evictions,  # a restart
)
BACK: tuple[Writing, ...] = (
    weight_back,  # routes, the active Service, or sizes
    unnamed_services_writes,  # selectors that would lead to nobody
)
RELEASE = Pipeline(
    next=(
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
    ),
    writes=WRITES,
    back=BACK,
    takes_commands=True,
)
BLOCKED = Pipeline(next=(remember_evidence, remember_workload, report_workload_blocker))
"""While a Deployment's place can't be taken: it serves everything."""
STOPPING = Pipeline(
    next=(
        remember_evidence,
        stop_for_deletion,  # the release that is under way ends
        confirm,
        end_disruption,
        settle,
        advance,
        release_retiring,
        note_traffic_going_back,  # what is waited for before anything is given back
    ),
    writes=WRITES,
    back=BACK,
    takes_commands=True,
)
"""While a Rollout is deleted, and traffic goes back to stable."""
REVERTING = Pipeline(next=(remember_evidence, revert), writes=(revert_writes,))
"""Once stable has all traffic, and a Deployment gets its place again."""
LATER: tuple[Stage, ...] = (
    note_synced_services,  # a Service of ours is made as its stable Service is
    remember_next_services,  # which Services of the user the next decision binds
    remember_ended_releases,  # what is kept of a release, when it ends
    routes_cut,  # since when the canary that was left gets nothing
    time_progress,  # the clock of the progress deadline
    note_confirmation_timeout,  # a retreat that nobody confirms
    with_numbers,  # pods and step, for people and autoscalers
    with_conditions,  # for `kubectl wait`, Argo CD and Flux
)
PIPELINES = {
    "RELEASE": RELEASE,
    "BLOCKED": BLOCKED,
    "STOPPING": STOPPING,
    "REVERTING": REVERTING,
}


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
    for read in READ:
        status = read(status)
    asked, ends = tuple(split_of(spec, status).names), confirmation_times_out_at(status)
    world = World(spec, observed, evidence, now, asked, hold, confirmation_ends_at=ends)
    for find in FINDINGS:
        world = world.with_findings(find(world, status))
    if reaches_another(world, status):
        # What is measured is the revision before, which stable can't relieve yet.
        world = replace(world, evidence=Evidence())
    update = StatusUpdate.of(status)
    pipeline = _pipeline(world, status)
    for stage in pipeline.next:
        update = stage(world, update)
        if attempt(update.status) != attempt(status):
            # A new attempt: what was measured of the last one says nothing about it.
            world = replace(world, evidence=Evidence())
    actions = [*_writes(world, update, pipeline), *named_command(world, update, pipeline)]
    update = replace(
        update,
        ends_traffic=takes_traffic_away(world, actions),
        synced_services=tuple(synced_services(actions)),
        services_to_bind=_services_to_bind(world, update.status, pipeline),
    )
    for stage in LATER:
        update = stage(world, update)
    return Decision(
        status=update.status,
        actions=tuple(actions),
        events=update.events,
        requeue_after_seconds=requeue_after_seconds(world, update),
    )


def _pipeline(world: World, status: RolloutStatus) -> Pipeline:
    if world.observed.is_being_deleted:
        return REVERTING if stable_has_all_traffic(world, status) else STOPPING
    return BLOCKED if workload_blocker(world, status) else RELEASE


def _writes(world: World, update: StatusUpdate, pipeline: Pipeline) -> list[Action]:
    """
    Return the writes that are missing, the most urgent first.

    A retreat is made now; a move forward is only written down now, and made by the next
    decision, which finds it in status: whoever makes that decision.
    """
    before, after = update.before, update.status
    if pipeline is REVERTING:  # whose writes are in a safe order, and none is a retreat
        return [each for write in pipeline.writes for each in write(world, before)]
    same = (attempt(before), before.abort) == (attempt(after), after.abort)
    if update.retreat or not same:
        # What was on its way forward is not wanted any more.
        return _asked(world, after, pipeline.back)
    status = before.evolve(held_by=after.held_by)
    if status.current_revision is None:
        return []
    return _asked(world, status, pipeline.writes)


def _asked(world: World, status: RolloutStatus, writes: Iterable[Writing]) -> list[Action]:
    """Return what these ask for in order; a Service that Git owns is led by writes to pods in its place."""
    asked = (each for write in writes for each in write(world, status))
    return by_urgency(world, moving_labels(world, status, asked))


def _services_to_bind(world: World, status: RolloutStatus, pipeline: Pipeline) -> tuple[str, ...]:
    if service_writes not in pipeline.writes:
        return ()
    return tuple(services_to_bind(world, status))


def named_command(world: World, update: StatusUpdate, pipeline: Pipeline) -> Iterator[NameCommand]:
    """Yield what gives a command a name that has none, at the end: it is answered once."""
    command = world.observed.command
    if pipeline.takes_commands and command is not None and not command.id:
        # The resource version makes the id unique, and the same for whoever decides again.
        id_ = f"{command.verb}-{world.observed.resource_version}"
        meant, current = revision_meant(command, update), update.status.current_revision
        another = (
            not command.revision and current is not None and meant not in ("", str(current.number))
        )
        yield NameCommand(id_, command.verb, meant, before_status=another)
