"""
A restart: every pod of the stable revision that was there when it was asked for is replaced.

By evictions, which PodDisruptionBudgets may forbid for now, and never more at once than
maxUnavailable leaves; where that leaves none, as of a single pod, the revision gets one more
for the time of the restart. Everything that has to be remembered is when it was asked for
and which pods are going; which pods are old, their creation tells. That is in whole seconds,
so nothing happens in the second in which the restart was asked for.
"""

from collections.abc import Sequence
from datetime import timedelta

from rollouts.core.facts import (
    RESTARTING,
    available_to_users,
    pods_to_restart,
    without_restart_words,
)
from rollouts.core.world import (
    MOST_EVICTIONS,
    Pod,
    ReplicaSet,
    RestartPace,
    StatusUpdate,
    World,
    restart_pace,
    under_way,
)
from rollouts.model.status import Restart, RolloutStatus


def advance_restart(world: World, update: StatusUpdate) -> StatusUpdate:
    """Choose which pods go next, say how far it is, and end the restart when all are replaced."""
    status, wish = update.status, update.status.restart
    if wish is None:
        return update
    stable = world.replica_set(status.stable_revision)
    if under_way(status):
        left = len(pods_to_restart(stable, wish)) if stable is not None else 0
        text = f"the restart has ended, because a rollout began; {left} old pods were left"
        return _without_restart(update.event(world, "RestartInterrupted", text), status.message)
    if stable is None or _is_blocked(status):
        return update
    measure, old = restart_pace(world.spec, status), pods_to_restart(stable, wish)
    available = available_to_users(world, stable)
    if not old and available >= measure.size + measure.surge:
        text = f"{measure.size} pods are replaced: the restart has ended"
        return _without_restart(update.event(world, "Restarted", text), status.message)
    begins = wish.at.replace(microsecond=0) + timedelta(seconds=1)
    said = f"{RESTARTING}{max(0, measure.size - len(old))} of {measure.size} pods replaced"
    if world.now < begins:
        update = update.requeue_at(begins)
    else:
        going = _going(wish, old, available - measure.keep)
        said += "" if going else _restart_waits_for(stable, available, measure)
        update = update.evolve(restart=wish.evolve(begun=True, going=going))
    if status.abort is not None:
        return update.evolve(message=f"{without_restart_words(status.message)}; {said}")
    return update if status.pinned is not None else update.evolve(phase="Progressing", message=said)


def _is_blocked(status: RolloutStatus) -> bool:
    """Return whether something has to be set right first; a rollback that is over is no such thing."""
    return status.phase == "Degraded" and status.abort is None and status.pinned is None


def _without_restart(update: StatusUpdate, message: str) -> StatusUpdate:
    """Return the update with no restart, and the message that it had, less how far the restart was."""
    return update.evolve(restart=None, message=without_restart_words(message))


def _going(wish: Restart, old: Sequence[Pod], room: int) -> list[str]:
    """Return the pods to evict: those that were chosen, and more as far as there is room."""
    chosen = [pod for pod in old if pod.name in wish.going]
    others = [pod for pod in old if pod.name not in wish.going]
    room -= sum(pod.ready for pod in chosen)
    idle = [pod for pod in others if not pod.ready]
    more = [*idle, *[pod for pod in others if pod.ready][: max(0, room)]]
    return [pod.name for pod in (*chosen, *more)][:MOST_EVICTIONS]


def _restart_waits_for(stable: ReplicaSet, available: int, measure: RestartPace) -> str:
    problems = sorted({pod.problem for pod in stable.pods if pod.problem})
    because = f" ({', '.join(problems)})" if problems else ""
    return f"; {available} of {measure.size + measure.surge} are available{because}"
