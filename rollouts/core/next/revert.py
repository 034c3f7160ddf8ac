"""
Giving a Deployment its place back, without a request lost.

The order is that of taking it, from the end: all traffic to the stable revision, the
Deployment's pods again, of that revision's template, the Services as they were before us, and
when the data plane has had time to know the Deployment's pods, the finalizer goes, and with
the Rollout all that it owns. Every part is seen before the next one begins, so that it may be
cut off anywhere and carried on by whoever comes next.

A Deployment that is gone is waited for a while only: who deletes both, or the namespace, wants
nothing back.
"""

from datetime import timedelta

from rollouts.core.facts import (
    IN_FLIGHT_SECONDS,
    ClearingRoutes,
    Draining,
    EndpointsPending,
    NothingToRevert,
    PodsStarting,
    Reverted,
    Reverting,
    ToReleaseServices,
    ToRestoreWorkload,
    WorkloadMissing,
    named_revisions,
    other_pods,
    revert_stage,
)
from rollouts.core.next.attempt import roll_back
from rollouts.core.world import StatusUpdate, Workload, World, current_route, describe, under_way
from rollouts.model.status import Adoption, Retiring, RolloutStatus


def note_traffic_going_back(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says what is waited for before anything is given back, unless something is wrong besides."""
    status, workload = update.status, world.observed.workload
    stable = status.stable_revision
    if update.retreat or stable is None or workload is None:
        return update
    if status.phase == "Degraded" and status.abort is None:
        return update
    first = f"all traffic goes back to {describe(stable)}"
    if current_route(world, status).highest == 0 and other_pods(world, stable):
        first = f"the pods of {named_revisions(other_pods(world, stable))} go: its Services will select all pods"
    text = f"before everything is given back to Deployment {workload.name}, {first}"
    return update.evolve(phase="Progressing", pause=None, message=text)


def stop_for_deletion(world: World, update: StatusUpdate) -> StatusUpdate:
    """End the release that is under way: a canary must not be promoted by the way out."""
    update = update.evolve(retiring=[_hurried(world, each) for each in update.status.retiring])
    if not under_way(update.status):
        return update
    reason = "the Rollout is being deleted, and gives everything back to its Deployment"
    return roll_back(world, update, by="rollouts", reason=reason)


def _hurried(world: World, entry: Retiring) -> Retiring:
    """Return a revision that was left as one that nobody goes back to any more: what is in flight ends."""
    if entry.delay_seconds <= IN_FLIGHT_SECONDS:
        return entry
    at = entry.at
    if at is not None:
        at = min(at, world.now + timedelta(seconds=IN_FLIGHT_SECONDS))
    return entry.evolve(delay_seconds=IN_FLIGHT_SECONDS, at=at)


def revert(world: World, update: StatusUpdate) -> StatusUpdate:
    """Go on with giving everything back, once `stable_has_all_traffic`."""
    found = revert_stage(world, update.status)
    if isinstance(found, NothingToRevert):
        return update
    update = update.evolve(adoption=_adoption(world, update.status, found))
    match found:
        case WorkloadMissing():
            return _without_workload(world, update, found)
        case ToRestoreWorkload():
            return _restored(world, update, found)
        case ToReleaseServices(workload):
            text = f"the Services lead to the pods of Deployment {workload.name} again"
            return _waits(world, update, text)
        case PodsStarting(workload):
            problem = f" ({workload.problem})" if workload.problem else ""
            text = (
                f"Deployment {workload.name} is given its pods again: {workload.available} of"
                f" {workload.replicas} are available{problem}"
            )
            return _waits(world, update, text)
        case EndpointsPending(workload, arrived):
            text = (
                f"waits until the {workload.replicas} pods of Deployment {workload.name} are among the"
                f" endpoints of Service {world.spec.stable_service}: {arrived} are"
            )
            return _waits(world, update, text)
        case ClearingRoutes():
            return _waits(world, update, "the routes are cleared")
        case Draining(workload, until=until):
            text = f"Deployment {workload.name} serves; the Rollout's own pods go in a moment"
            return _waits(world, update.requeue_at(until), text)
        case Reverted(workload):
            return _reverted(world, update, workload)


def _adoption(world: World, status: RolloutStatus, found: Reverting) -> Adoption:
    """Return what is remembered of the Deployment at this stage."""
    workload = found.workload
    adoption = status.adoption or Adoption(
        name=workload.name, uid=workload.uid, replicas=workload.replicas, at=world.now
    )
    if isinstance(found, WorkloadMissing):
        return adoption.evolve(missing_since=found.since)
    adoption = adoption.evolve(missing_since=None)
    match found:
        case ToRestoreWorkload():
            return adoption.evolve(
                uid=workload.uid, restored_at=world.now, released_at=None, scaled_down=False
            )
        case EndpointsPending():
            return adoption.evolve(released_at=None)
        case ClearingRoutes(since=since) | Draining(since=since) | Reverted(since=since):
            return adoption.evolve(released_at=since)
        case ToReleaseServices() | PodsStarting():
            return adoption


def _without_workload(world: World, update: StatusUpdate, found: WorkloadMissing) -> StatusUpdate:
    """Return the update that says how long a Deployment that is gone is waited for, and then that nothing is given back."""
    missing = f"Deployment {found.workload.name} does not exist, so nothing"
    if found.until is not None:
        text = (
            f"{missing} can be given back to it: create it; without it the Rollout goes at"
            f" {found.until:%H:%M:%S} UTC, and its pods with it"
        )
        return _waits(world, update.requeue_at(found.until), text)
    text = f"{missing} is given back to it: the Rollout goes, and its pods with it"
    if found.leaves_some:
        text += ", once its Services and routes are as they were before"
        return _waits(world, update, text)
    if _is_said(update, "NotReverted"):
        return update.evolve(message=text)
    return update.event(world, "NotReverted", text, "Warning")


def _reverted(world: World, update: StatusUpdate, workload: Workload) -> StatusUpdate:
    text = (
        f"Deployment {workload.name} serves with {workload.available} pods, as before the Rollout"
    )
    if _is_said(update, "Reverted"):
        return update.evolve(message=text)
    return update.event(world, "Reverted", text)


def _is_said(update: StatusUpdate, reason: str) -> bool:
    """Return whether the end is on record: it is said once, however long the finalizer stays after it."""
    return any(each.reason == reason for each in update.status.history[-1:])


def _restored(world: World, update: StatusUpdate, found: ToRestoreWorkload) -> StatusUpdate:
    update = update.evolve(phase="Progressing", pause=None)
    text = f"everything is given back to Deployment {found.workload.name}: it is to have {found.replicas} pods"
    update = update.event(world, "Reverting", text)
    if found.template_of is None:
        return update
    text = (
        f"the template of Deployment {found.workload.name} was not that of"
        f" {describe(found.template_of)}, which is stable; it is made so, since what was not"
        " promoted must not be released by the way out"
    )
    return update.event(world, "TemplateGivenBack", text, "Warning")


def _waits(world: World, update: StatusUpdate, text: str) -> StatusUpdate:
    """Return the update that says what it waits for; on record once only when it needs somebody."""
    workload = world.observed.workload
    stuck = workload is not None and (not workload.exists or bool(workload.problem))
    if not stuck:
        return update.evolve(phase="Progressing", message=text, pause=None)
    if update.status.phase == "Degraded" and update.status.message == text:
        return update
    if update.status.phase == "Degraded" and workload is not None and workload.exists:
        return update.evolve(message=text)
    return update.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")
