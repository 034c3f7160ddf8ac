"""No rollout is under way: one revision, at its full size, with all the traffic."""

from datetime import timedelta

from rollouts.core import revision
from rollouts.core.adoption import narrowing_waits_for
from rollouts.core.world import Move, World, put_back_lately, quarrel_ends
from rollouts.model.status import RolloutStatus, Weights


def rest(world: World, move: Move) -> Move:
    """No rollout is under way: bring the only revision to full size, and call that healthy."""
    status = move.status
    running = world.replica_set(status.current_revision)
    available = running.available if running is not None else 0
    wanted = world.spec.replicas
    if status.stable_revision is None:
        if available < wanted or running is None:
            return _first_deploy_waits(world, move)
        move = move.having(
            stable_revision=status.current_revision, weights=Weights(desired=100, applied=100)
        )
        status = move.status
    service = world.stable_service
    problems = world.observed.route.obstacles
    if world.lacking:
        return _calm(world, move, "Degraded", world.lacking)
    if problems:
        return _calm(world, move, "Degraded", problems[0].message)
    if available < wanted:
        return _calm(world, move, "Progressing", f"{available} of {wanted} pods are available")
    assert status.stable_revision is not None
    if service is not None and service.selected_hash != status.stable_revision.hash:
        quarrel = quarrel_ends(status, world.now)
        if quarrel is not None:
            text = f"somebody else keeps changing the selector of Service {service.name}"
            return _calm(world, move.waking(quarrel), "Degraded", text)
        if status.phase == "Healthy" or _was_put_back(world, status):
            seen = f"Service {service.name} selected {service.selected_hash or 'all revisions'}"
            text = f"{seen}; it is put back to {status.stable_revision.hash}"
            return move.saying(world, "PutBack", text, "Warning")
        waits = narrowing_waits_for(world, status, service)
        text = waits or f"Service {service.name} is being switched"
        return _calm(world, move, "Progressing", text)
    if status.pinned is not None:
        return _calm(world, move, "Degraded", _pinned(status))
    return _calm(world, move, "Healthy", f"{revision.describe(status.stable_revision)} is stable")


def _was_put_back(world: World, status: RolloutStatus) -> bool:
    """Say whether somebody changed things lately, and not before a promotion, which switches as well."""
    promoted = [entry.at for entry in status.history if entry.reason == "Promoted"]
    lately = put_back_lately(status, world.now)
    return bool(lately) and (not promoted or lately[-1] > promoted[-1])


def _pinned(status: RolloutStatus) -> str:
    assert status.pinned is not None
    assert status.stable_revision is not None
    by = f" by {status.pinned.by}" if status.pinned.by else ""
    return (
        f"rolled back to {revision.describe(status.stable_revision)}{by}; the template says otherwise:"
        " change it, or retry"
    )


def _calm(world: World, move: Move, phase: str, message: str) -> Move:
    status = move.status
    if phase == "Degraded" and (status.phase != "Degraded" or status.message != message):
        return move.having(phase=phase).saying(world, "Blocked", message, "Warning")
    cleared = {"step_started_at": None} if phase == "Healthy" else {}
    return move.having(phase=phase, message=message, pause=None, **cleared)


def _first_deploy_waits(world: World, move: Move) -> Move:
    status = move.status
    running = world.replica_set(status.current_revision)
    trouble = (
        sorted({pod.problem for pod in running.pods if pod.problem}) if running is not None else []
    )
    available = running.available if running is not None else 0
    text = f"first deploy: {available} of {world.spec.replicas} pods are available"
    text += f" ({', '.join(trouble)})" if trouble else ""
    due = (status.step_started_at or world.now) + timedelta(
        seconds=world.spec.progress_deadline_seconds
    )
    if world.now >= due:
        return _calm(world, move, "Degraded", f"{text}; progressDeadlineSeconds has passed")
    return _calm(world, move.waking(due), "Progressing", text)
