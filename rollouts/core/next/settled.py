"""No rollout is under way: one revision, at its full size, with all the traffic."""

from datetime import datetime, timedelta

from rollouts.core.facts import (
    available_pods,
    is_short_of_pods,
    narrowing_waits_for,
    progress_deadline,
    route_removal_delay_seconds,
    route_removal_waits,
    route_removal_waits_for,
    served_by_others,
    short_until,
    stable_service_is_complete,
)
from rollouts.core.world import (
    FirstDeploy,
    Move,
    NotBegun,
    Settled,
    World,
    describe,
    drift_corrected_lately,
    drift_pause_ends,
    missing_service,
    stage_of,
)
from rollouts.model.status import Revision, RolloutStatus, Weights


def _time_route_removal(world: World, move: Move) -> Move:
    """Keep the clock: it runs from the moment at which all pods are endpoints of the stable Service."""
    status = move.status
    if not route_removal_waits(world, status):
        return move.evolve(route_ends_at=None)
    ends = status.route_ends_at
    if ends is None and stable_service_is_complete(world, status):
        ends = world.now + timedelta(seconds=route_removal_delay_seconds(world))
    move = move.evolve(route_ends_at=ends)
    return move.requeue_at(ends) if ends is not None else move


def settle(world: World, move: Move) -> Move:
    """No rollout is under way: bring the only revision to full size, and call that healthy."""
    match stage_of(move.status):
        case NotBegun():
            return _first_deploy_waits(world, _time_route_removal(world, move))
        case FirstDeploy(current):
            move = _time_route_removal(world, move)
            if is_short_of_pods(world, move.status) or world.replica_set(current) is None:
                return _first_deploy_waits(world, move)
            first = Weights(desired=100, applied=100)
            return _settled(world, move.evolve(stable_revision=current, weights=first), current)
        case Settled(stable):
            return _settled(world, _time_route_removal(world, move), stable)
    return move


def _settled(world: World, move: Move, stable: Revision) -> Move:
    """Return the move that says what the stable revision lacks, or that all is well."""
    status = move.status
    service = world.stable_service
    findings = world.observed.route.blockers
    if missing_service(world):
        return _without_service(world, move)
    if findings:
        return _calm(world, move, "Degraded", findings[0].message)
    if is_short_of_pods(world, status):
        return _lacking(world, move)
    others = served_by_others(world, status, service) if service is not None else ""
    if service is not None and service.selected_hash != stable.hash and not others:
        drift_pause = drift_pause_ends(status, world.now)
        if drift_pause is not None:
            text = (
                f"somebody else keeps changing the selector of Service {service.name}; find out who:"
                f" kubectl get service {service.name} --output yaml --show-managed-fields"
            )
            return _calm(world, move.requeue_at(drift_pause), "Degraded", text)
        again = service.name in status.services
        if again and (status.phase == "Healthy" or _drift_was_corrected(world, status)):
            seen = f"Service {service.name} selected {service.selected_hash or 'all revisions'}"
            text = f"{seen}; the controller puts it back to {stable.hash}"
            return move.event(world, "DriftCorrected", text, "Warning")
        waits = narrowing_waits_for(world, status, service)
        text = waits or f"Service {service.name} is being switched"
        return _calm(world, move, "Progressing", text)
    return _complete(world, move, stable, others)


def _complete(world: World, move: Move, stable: Revision, others: str) -> Move:
    """All is as it is wanted, but for a route that stays a while, or a template that says otherwise."""
    waits = route_removal_waits_for(world, move.status)
    if waits:
        return _calm(world, move, "Progressing", waits)
    pinned = move.status.pinned
    if pinned is not None:
        by = f" by {pinned.by}" if pinned.by else ""
        text = f"the rollout was rolled back to {describe(stable)}{by}, and the template still is that of another revision: change it, or retry"
        return _calm(world, move, "Degraded", text)
    text = f"{describe(stable)} is stable"
    return _calm(world, move, "Healthy", f"{text}; {others}" if others else text)


def _without_service(world: World, move: Move) -> Move:
    """Ask for the stable Service, unless another strategy is on its way, which may not need it."""
    name, hold = world.spec.stable_service, world.edit
    if hold is None or hold.reason != "StrategyChanged":
        return _calm(world, move, "Degraded", missing_service(world))
    gone = f"Service {name} does not exist"
    if world.observed.route.highest == 0:
        return _calm(world, move, "Progressing", f"{gone} any more")
    text = f"{gone}, and the canary's routes are all that leads to stable: create it once more"
    return _calm(world, move, "Degraded", text)


def _drift_was_corrected(world: World, status: RolloutStatus) -> bool:
    """Return whether somebody changed things lately, and not before a promotion, which switches as well."""
    promoted = [entry.at for entry in status.history if entry.reason == "Promoted"]
    lately = drift_corrected_lately(status, world.now)
    return bool(lately) and (not promoted or lately[-1] > promoted[-1])


def _calm(world: World, move: Move, phase: str, message: str) -> Move:
    status = move.status
    if phase == "Degraded" and (status.phase != "Degraded" or status.message != message):
        return move.evolve(phase=phase).event(world, "Blocked", message, "Warning")
    cleared = {"step_started_at": None} if phase == "Healthy" else {}
    return move.evolve(phase=phase, message=message, pause=None, **cleared)


def _first_deploy_waits(world: World, move: Move) -> Move:
    due = (move.status.step_started_at or world.now) + progress_deadline(world)
    return _short(world, move, f"the first deploy waits: {_count(world, move.status)}", due)


def _count(world: World, status: RolloutStatus) -> str:
    running = world.replica_set(status.current_revision)
    waits_for = running.pod_problems if running is not None else ""
    return f"{available_pods(world, status)} of {world.spec.replicas} pods are available{waits_for}"


def _lacking(world: World, move: Move) -> Move:
    """Return the move that says what stable lacks: as progress for as long as its pods may come up."""
    status = move.status
    due = short_until(world, status.unsettled_since or world.now)
    if _is_down(world, status) and world.now < due:
        return _down(world, move, _count(world, status))
    return _short(world, move, _count(world, status), due)


def _is_down(world: World, status: RolloutStatus) -> bool:
    """Return whether stable answers nobody, since its pods crash again and again: between two crashes, too."""
    running = world.replica_set(status.stable_revision)
    if running is None or running.ready > 0:
        return False
    restarted = any(pod.restarts > 0 for pod in running.pods)
    return bool(running.crash_looping) or (restarted and status.phase == "Degraded")


def _down(world: World, move: Move, text: str) -> Move:
    """Return the move that says that stable answers nobody: at once, and once in the time that pods have to come up."""
    recent = world.now - progress_deadline(world)
    if any(entry.reason == "Blocked" and entry.at > recent for entry in move.status.history):
        return move.evolve(phase="Degraded", message=text, pause=None)
    return move.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")


def _short(world: World, move: Move, text: str, due: datetime) -> Move:
    """Return the move that says how many pods are missing and why; past `due` it is told to everybody, once."""
    if world.now < due:
        return _calm(world, move.requeue_at(due), "Progressing", text)
    text += "; progressDeadlineSeconds has passed"
    if any(entry.reason == "Blocked" and entry.at >= due for entry in move.status.history):
        return move.evolve(phase="Degraded", message=text, pause=None)
    return move.evolve(phase="Degraded", pause=None).event(world, "Blocked", text, "Warning")
