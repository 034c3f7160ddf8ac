"""
What the canary's pods say against a release, and what only happened to them.

Pods go, and stop being ready for a while, for reasons that have nothing to do with a release: a
node is drained or dies, a kubelet makes room, something that they all ask does not answer. What
tells such pods from those that fail is in docs/adr/0023-what-happens-to-pods.md. Nothing here
decides anything.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollouts.core import pace
from rollouts.core.observed import Pod, ReplicaSet
from rollouts.core.world import World
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.units import format_duration


def failing(found: ReplicaSet, applied_at: datetime | None) -> list[Pod]:
    """
    Return the pods that are not ready by their own doing: they have been, or were restarted.

    A pod that only starts is none of them, and none that was not ready when the weight was
    applied, at `applied_at`, nor one that is taken away or whose node does not answer.
    """
    return [pod for pod in found.pods if _has_failed(pod, applied_at)]


def _has_failed(pod: Pod, applied_at: datetime | None) -> bool:
    if pod.ready or pod.disrupted:
        return False
    return pod.restarts > 0 or pod.was_ready or _is_older(pod, applied_at)


def _is_older(pod: Pod, applied_at: datetime | None) -> bool:
    """
    Return whether a pod was there, and ready, when the weight was applied.

    An API server tells births, and since when something has been so, in whole seconds.
    """
    second = timedelta(seconds=1)
    if applied_at is None or pod.created_at + second > applied_at:
        return False
    return pod.unready_since is None or pod.unready_since + second > applied_at


def are_gone(found: ReplicaSet, applied_at: datetime | None) -> bool:
    """
    Return whether no pod is ready, and not by their own doing: they were taken away.

    Those that are there replace them and only start, or are on nodes that do not answer.
    """
    if found.wanted == 0 or found.ready > 0:
        return False
    return not any(pod.problem or _has_failed(pod, applied_at) for pod in found.pods)


def against(world: World, status: RolloutStatus, found: ReplicaSet, wanted: int) -> Iterator[str]:
    """
    Yield why the canary's pods, of which its traffic needs `wanted`, are a reason to go back.

    Where as large a share of stable's pods fails, it is not the release that makes them fail.
    """
    applied_at = status.weights.applied_at
    bad = failing(found, applied_at)
    if _fails_as_much(world, status, len(bad), len(found.pods)):
        return
    if found.ready == 0:
        if not are_gone(found, applied_at):
            yield "no canary pod is ready while it has traffic"
        return
    if not bad or found.ready >= wanted:
        return
    names = ", ".join(pod.name for pod in bad[:3])
    if len(bad) > most_unready(world.spec, found):
        yield (
            f"{found.ready} of the {wanted} canary pods that {status.weights.applied} % of the traffic"
            f" needs are ready; {names} failed"
        )
    elif min(_patience_ends(world, status, bad)) <= world.now:
        patience = format_duration(world.spec.way.unready_seconds)
        yield (
            f"{found.ready} of the {wanted} canary pods that {status.weights.applied} % of the traffic"
            f" needs are ready; {names} failed, and {'is' if len(bad) == 1 else 'are'} not ready again"
            f" after {patience}"
        )


def most_unready(spec: RolloutSpec, found: ReplicaSet) -> int:
    """Return how many pods may stop being ready at a time: maxUnavailable of them, and at least one."""
    return max(1, pace.unavailable(spec, found.wanted))


def patience_ends(world: World, status: RolloutStatus) -> datetime | None:
    """Return when a canary pod will have been not ready for too long, if it stays so; None for never."""
    found = world.replica_set(status.current_revision)
    bad = failing(found, status.weights.applied_at) if found is not None else []
    later = [at for at in _patience_ends(world, status, bad) if at > world.now]
    return min(later, default=None)


def _patience_ends(world: World, status: RolloutStatus, bad: list[Pod]) -> list[datetime]:
    patience = timedelta(seconds=world.spec.way.unready_seconds)
    began = status.weights.applied_at or world.now
    return [(pod.unready_since or began) + patience for pod in bad]


def _fails_as_much(world: World, status: RolloutStatus, bad: int, of: int) -> bool:
    """Return whether of stable's pods a share fails that is as large as `bad` `of` the canary's."""
    stable = world.replica_set(status.stable_revision)
    if stable is None or bad == 0:
        return False
    theirs = len(failing(stable, status.weights.applied_at))
    return theirs * of >= bad * max(1, len(stable.pods)) and theirs > 0
