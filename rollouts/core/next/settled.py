"""No rollout is under way: one revision, at its full size, with all the traffic."""

from datetime import datetime, timedelta

from rollouts.core.facts import (
    available_pods,
    binding_to_stable_waits_for,
    is_short_of_pods,
    moving_label,
    progress_deadline,
    route_removal_waits,
    route_removal_waits_for,
    served_by_others,
    short_until,
    stable_service_is_complete,
    was_bound,
)
from rollouts.core.next.attempt import retire_revision
from rollouts.core.world import (
    FirstDeploy,
    NotBegun,
    Settled,
    StatusUpdate,
    World,
    describe,
    drift_corrected_lately,
    drift_pause_ends,
    missing_service,
    selector_drift,
    stage_of,
)
from rollouts.model.status import Revision, RolloutStatus, Weights


def _time_route_removal(world: World, update: StatusUpdate) -> StatusUpdate:
    """Keep the clock: it runs from the moment at which all pods are endpoints of the stable Service."""
    status = update.status
    if not route_removal_waits(world, status):
        return update.evolve(route_ends_at=None)
    ends = status.route_ends_at
    if ends is None and stable_service_is_complete(world, status):
        ends = world.now + timedelta(seconds=world.spec.active_strategy.route_removal_delay_seconds)
    update = update.evolve(route_ends_at=ends)
    return update.requeue_at(ends) if ends is not None else update


def settle(world: World, update: StatusUpdate) -> StatusUpdate:
    """No rollout is under way: bring the only revision to full size, and call that healthy."""
    match stage_of(update.status):
        case NotBegun():
            return _first_deploy_waits(world, _time_route_removal(world, update))
        case FirstDeploy(current):
            update = _time_route_removal(world, update)
            if is_short_of_pods(world, update.status) or world.replica_set(current) is None:
                return _first_deploy_waits(world, update)
            return _settled(world, _first_is_stable(world, update, current), current)
        case Settled(stable):
            return _settled(world, _time_route_removal(world, update), stable)
    return update


def _first_is_stable(world: World, update: StatusUpdate, first: Revision) -> StatusUpdate:
    """
    Return the update by which the first deploy is stable.

    What else has pods may have answered a Service that selects all of them, as after a restore without
    status: it has its time to end requests, from when the Service is bound.
    """
    for other in world.observed.replica_sets.values():
        if other.hash != first.hash and other.existing > 0:
            update = retire_revision(world, update, other.hash)
    return update.evolve(stable_revision=first, weights=Weights(desired=100, applied=100))


def _settled(world: World, update: StatusUpdate, stable: Revision) -> StatusUpdate:
    """Return the update that says what the stable revision lacks, or that all is well."""
    status = update.status
    service = world.stable_service
    findings = world.route.blockers
    if missing_service(world):
        return _without_service(world, update)
    if findings:
        return _with_phase(world, update, "Degraded", findings[0].message)
    if is_short_of_pods(world, status):
        return _lacking(world, update)
    others = served_by_others(world, status, service) if service is not None else ""
    if service is not None and service.selected_hash != stable.hash and not others:
        drift_pause = drift_pause_ends(status, world.now)
        if drift_pause is not None:
            text = (
                f"somebody else keeps changing the selector of Service {service.name}; find out who:"
                f" kubectl get service {service.name} --output yaml --show-managed-fields"
            )
            return _with_phase(world, update.requeue_at(drift_pause), "Degraded", text)
        again = was_bound(status, service)
        if again and (status.phase == "Healthy" or _drift_was_corrected(world, status)):
            return selector_drift(world, update, service, stable)
        if service.by_label:
            return _with_phase(world, update, "Progressing", moving_label(service, stable))
        waits = binding_to_stable_waits_for(world, status, service)
        text = waits or f"Service {service.name} is being switched"
        return _with_phase(world, update, "Progressing", text)
    return _complete(world, update, stable, others)


def _complete(world: World, update: StatusUpdate, stable: Revision, others: str) -> StatusUpdate:
    """All is as it is wanted, but for a route that stays a while, or a template that says otherwise."""
    waits = route_removal_waits_for(world, update.status)
    if waits:
        return _with_phase(world, update, "Progressing", waits)
    pinned = update.status.pinned
    if pinned is not None:
        by = f" by {pinned.by}" if pinned.by else ""
        text = f"the rollout was rolled back to {describe(stable)}{by}, and the template still is that of another revision: change it, or retry"
        return _with_phase(world, update, "Degraded", text)
    text = f"{describe(stable)} is stable"
    return _with_phase(world, update, "Healthy", f"{text}; {others}" if others else text)


def _without_service(world: World, update: StatusUpdate) -> StatusUpdate:
    """Ask for the stable Service, unless another strategy is on its way, which may not need it."""
    name, hold = world.spec.stable_service, world.edit
    if hold is None or hold.reason != "StrategyChanged":
        return _with_phase(world, update, "Degraded", missing_service(world))
    gone = f"Service {name} does not exist"
    if world.route.highest == 0:
        return _with_phase(world, update, "Progressing", f"{gone} any more")
    text = f"{gone}, and the canary's routes are all that leads to stable: create it once more"
    return _with_phase(world, update, "Degraded", text)


def _drift_was_corrected(world: World, status: RolloutStatus) -> bool:
    """Return whether somebody changed things lately, and not before a promotion, which switches as well."""
    promoted = [entry.at for entry in status.history if entry.reason == "Promoted"]
    lately = drift_corrected_lately(status, world.now)
    return bool(lately) and (not promoted or lately[-1] > promoted[-1])


def _with_phase(world: World, update: StatusUpdate, phase: str, message: str) -> StatusUpdate:
    status = update.status
    if phase == "Degraded" and (status.phase != "Degraded" or status.message != message):
        return update.evolve(phase=phase).event(world, "Blocked", message, "Warning")
    cleared = {"step_started_at": None} if phase == "Healthy" else {}
    return update.evolve(phase=phase, message=message, pause=None, **cleared)


def _first_deploy_waits(world: World, update: StatusUpdate) -> StatusUpdate:
    due = (update.status.step_started_at or world.now) + progress_deadline(world)
    return _short(world, update, f"the first deploy waits: {_count(world, update.status)}", due)


def _count(world: World, status: RolloutStatus) -> str:
    running = world.replica_set(status.current_revision)
    waits_for = running.pod_problems if running is not None else ""
    return f"{available_pods(world, status)} of {world.spec.replicas} pods are available{waits_for}"


def _lacking(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says what stable lacks: as progress for as long as its pods may come up."""
    status = update.status
    due = short_until(world, status.unsettled_since or world.now)
    if _is_down(world, status) and world.now < due:
        return _down(world, update, _count(world, status))
    return _short(world, update, _count(world, status), due)


def _is_down(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody, since its pods crash again and again: between two crashes, too."""
    running = world.replica_set(status.stable_revision)
    if running is None or running.ready > 0:
        return False
    restarted = any(pod.restarts > 0 for pod in running.pods)
    return bool(running.crash_looping) or (restarted and status.phase == "Degraded")


def _down(world: World, update: StatusUpdate, text: str) -> StatusUpdate:
    """Return the update that says that stable answers nobody: at once, and once in the time that pods have to come up."""
    recent = world.now - progress_deadline(world)
    if any(entry.reason == "Blocked" and entry.at > recent for entry in update.status.history):
        return update.evolve(phase="Degraded", message=text, pause=None)
    return update.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")


def _short(world: World, update: StatusUpdate, text: str, due: datetime) -> StatusUpdate:
    """Return the update that says how many pods are missing and why; past `due` it is told to everybody, once."""
    if world.now < due:
        return _with_phase(world, update.requeue_at(due), "Progressing", text)
    text += "; progressDeadlineSeconds has passed"
    if any(entry.reason == "Blocked" and entry.at >= due for entry in update.status.history):
        return update.evolve(phase="Degraded", message=text, pause=None)
    return update.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")
