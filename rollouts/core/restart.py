"""
A restart: every pod of the stable revision that was there when it was asked for is replaced.

By evictions, which PodDisruptionBudgets may forbid for now, and never more at once than
maxUnavailable leaves; where that leaves none, as of a single pod, the revision gets one more
for the time of the restart. Everything that has to be remembered is when it was asked for
and which pods are going; which pods are old, their creation tells. That is in whole seconds,
so nothing happens in the second in which the restart was asked for.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rollouts.core import revision
from rollouts.core.actions import Action, EvictPod
from rollouts.core.observed import Command, Pod, ReplicaSet
from rollouts.core.pace import MOST_AT_ONCE, Pace, pace
from rollouts.core.world import Move, World, under_way
from rollouts.model.status import Restart, RolloutStatus

_PROGRESS = "restarting: "


def begin_restart(world: World, move: Move, command: Command) -> tuple[Move, bool, str]:
    """Answer the command to restart."""
    status = move.status
    if under_way(status):
        why = "a rollout is under way, which makes new pods by itself; restart when it has ended"
        return move, False, why
    stable = world.replica_set(status.stable_revision)
    if stable is None or status.stable_revision is None:
        return move, False, "no revision is stable yet"
    if not stable.pods:
        return move, False, "the stable revision has no pods"
    at = max(world.now, *(pod.created_at for pod in stable.pods))
    who = f", by {command.by}" if command.by else ""
    text = f"{len(stable.pods)} pods of {revision.describe(status.stable_revision)} are to be replaced{who}"
    move = move.evolve(restart=Restart(at=at, by=command.by)).event(world, "RestartBegan", text)
    return move, True, f"pods are replaced, {pace(world.spec, status).at_once} at a time"


def go_on(world: World, move: Move) -> Move:
    """Choose which pods go next, say how far it is, and end the restart when all are replaced."""
    status, wish = move.status, move.status.restart
    if wish is None:
        return move
    stable = world.replica_set(status.stable_revision)
    if under_way(status):
        left = len(_old(stable, wish)) if stable is not None else 0
        text = f"the restart has ended, because a rollout began; {left} old pods were left"
        return _without_restart(move.event(world, "RestartEnded", text), status.message)
    if stable is None or _is_blocked(status):
        return move
    measure, old = pace(world.spec, status), _old(stable, wish)
    available = _available(world, stable)
    if not old and available >= measure.size + measure.surge:
        text = f"{measure.size} pods are replaced: the restart has ended"
        return _without_restart(move.event(world, "Restarted", text), status.message)
    begins = wish.at.replace(microsecond=0) + timedelta(seconds=1)
    said = f"{_PROGRESS}{max(0, measure.size - len(old))} of {measure.size} pods replaced"
    if world.now < begins:
        move = move.requeue_at(begins)
    else:
        going = _going(wish, old, available - measure.keep)
        said += "" if going else _obstacle(stable, available, measure)
        move = move.evolve(restart=wish.evolve(begun=True, going=going))
    if status.abort is not None:
        return move.evolve(message=f"{_without_progress(status.message)}; {said}")
    return move if status.pinned is not None else move.evolve(phase="Progressing", message=said)


def evictions(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the evictions of the pods that are to go, as far as enough others are available now."""
    wish, stable = status.restart, world.replica_set(status.stable_revision)
    if wish is None or stable is None or under_way(status):
        return
    room = _available(world, stable) - pace(world.spec, status).keep
    pods = {pod.name: pod for pod in _old(stable, wish)}
    for pod in [pods[name] for name in wish.going if name in pods]:
        if pod.ready:
            room -= 1
        if not pod.ready or room >= 0:
            yield EvictPod(pod.name)


def stop_restart(world: World, move: Move, command: Command) -> tuple[Move, bool, str]:
    """Answer the command to abort while a restart is all that goes on."""
    who = f" by {command.by}" if command.by else ""
    said = move.event(world, "RestartEnded", f"the restart was aborted{who}")
    return _without_restart(said, move.status.message), True, "no more pods are replaced"


def _is_blocked(status: RolloutStatus) -> bool:
    """Return whether something has to be set right first; a rollback that is over is no such thing."""
    return status.phase == "Degraded" and status.abort is None and status.pinned is None


def _without_restart(move: Move, message: str) -> Move:
    """Return the move with no restart, and the message that it had, less how far the restart was."""
    return move.evolve(restart=None, message=_without_progress(message))


def _without_progress(message: str) -> str:
    return message.partition(f"; {_PROGRESS}")[0]


def _old(stable: ReplicaSet, wish: Restart) -> list[Pod]:
    return [pod for pod in stable.pods if _is_old(pod, wish.at)]


def _is_old(pod: Pod, at: datetime) -> bool:
    return pod.created_at <= at


def _available(world: World, stable: ReplicaSet) -> int:
    """Return how many pods are available, and found by who asks the stable Service."""
    service = world.stable_service
    if service is None or service.selected_hash not in ("", stable.hash):
        return stable.available
    return min(stable.available, service.ready_endpoints.get(stable.hash, 0))


def _going(wish: Restart, old: Sequence[Pod], room: int) -> list[str]:
    """Return the pods to evict: those that were chosen, and more as far as there is room."""
    chosen = [pod for pod in old if pod.name in wish.going]
    others = [pod for pod in old if pod.name not in wish.going]
    room -= sum(pod.ready for pod in chosen)
    idle = [pod for pod in others if not pod.ready]
    more = [*idle, *[pod for pod in others if pod.ready][: max(0, room)]]
    return [pod.name for pod in (*chosen, *more)][:MOST_AT_ONCE]


def _obstacle(stable: ReplicaSet, available: int, measure: Pace) -> str:
    troubles = sorted({pod.problem for pod in stable.pods if pod.problem})
    because = f" ({', '.join(troubles)})" if troubles else ""
    return f"; {available} of {measure.size + measure.surge} are available{because}"
