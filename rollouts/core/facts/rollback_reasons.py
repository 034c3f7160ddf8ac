"""
What the canary's pods say against a release, and what only happened to them.

Pods go, and stop being ready for a while, for reasons that have nothing to do with a release: a
node is drained or dies, a kubelet makes room, something that they all ask does not answer. What
tells such pods from those that fail is in docs/adr/0023-what-happens-to-pods.md. Nothing here
decides anything.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollouts.core.facts.progress import step_deadline, step_waits_for
from rollouts.core.world import (
    Pod,
    ReplicaSet,
    World,
    current_route,
    enough_pods_by_threshold,
    max_unavailable,
    mechanism_of,
    reaches_canary,
)
from rollouts.model.durations import format_duration
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus

MOST_DISRUPTIONS = 3
"""So often within one progress deadline a canary loses all its pods, and it is no accident any more."""


def disruption_begins(world: World, status: RolloutStatus) -> bool:
    """Return whether a canary with traffic has lost all its pods, and there is a stable pod to answer."""
    weights, canary = status.weights, world.replica_set(status.current_revision)
    exposed = weights.applied > 0 or bool(weights.routes)
    if not exposed or weights.disrupted_at is not None or canary is None:
        return False
    others_answer = mechanism_of(world.spec).is_answered_without_canary(world, status)
    return pods_are_gone(canary, weights.applied_at) and others_answer


def disrupted_too_often(world: World, status: RolloutStatus) -> Iterator[str]:
    """Yield why a canary that loses its pods again is to blame: it may be what its nodes go down with."""
    if not disruption_begins(world, status):
        return
    within = world.spec.progress_deadline_seconds
    since = max(world.now - timedelta(seconds=within), status.started_at or world.now)
    times = 1 + sum(entry.reason == "Disrupted" and entry.at >= since for entry in status.history)
    if times >= MOST_DISRUPTIONS:
        yield f"all canary pods were taken away {times} times within {format_duration(within)}"


def canary_is_without_pods(world: World, status: RolloutStatus) -> bool:
    """Return whether it waits, and no pod is ready yet: whatever the routes say, nothing is confirmed."""
    canary = world.replica_set(status.current_revision)
    return status.weights.disrupted_at is not None and (canary is None or canary.ready == 0)


def disruption_is_over(world: World, status: RolloutStatus) -> bool:
    if canary_is_without_pods(world, status):
        return False
    return mechanism_of(world.spec).is_restored(world, status)


def failing_pods(found: ReplicaSet, applied_at: datetime | None) -> list[Pod]:
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

    An API server tells when a pod was created, and since when something has been so, in whole seconds.
    """
    second = timedelta(seconds=1)
    if applied_at is None or pod.created_at + second > applied_at:
        return False
    return pod.unready_since is None or pod.unready_since + second > applied_at


def pods_are_gone(found: ReplicaSet, applied_at: datetime | None) -> bool:
    """
    Return whether no pod is ready, and not by their own doing: they were taken away.

    Those that are there replace them and only start, or are on nodes that do not answer.
    """
    if found.wanted == 0 or found.ready > 0:
        return False
    return not any(pod.problem or _has_failed(pod, applied_at) for pod in found.pods)


def pods_against(
    world: World, status: RolloutStatus, found: ReplicaSet, wanted: int
) -> Iterator[str]:
    """
    Yield why the canary's pods, of which its traffic needs `wanted`, are a reason to go back.

    Where as large a share of stable's pods fails, it is not the release that makes them fail.
    """
    applied_at = status.weights.applied_at
    bad = failing_pods(found, applied_at)
    if _fails_as_much(world, status, len(bad), len(found.pods)):
        return
    if found.ready == 0:
        if not pods_are_gone(found, applied_at):
            yield "the canary has traffic, and none of its pods is ready"
        return
    if not bad or found.ready >= wanted:
        return
    names = ", ".join(pod.name for pod in bad[:3])
    if len(bad) > most_unready(world.spec, found):
        yield (
            f"{found.ready} of the {wanted} canary pods that {status.weights.applied} % of the traffic"
            f" needs are ready; {names} failed"
        )
    elif min(_unready_ends(world, status, bad)) <= world.now:
        allowed = format_duration(world.spec.active_strategy.unready_seconds)
        yield (
            f"{found.ready} of the {wanted} canary pods that {status.weights.applied} % of the traffic"
            f" needs are ready; {names} failed, and {'is' if len(bad) == 1 else 'are'} not ready again"
            f" after {allowed}"
        )


def most_unready(spec: RolloutSpec, found: ReplicaSet) -> int:
    """Return how many pods may stop being ready at a time: maxUnavailable of them, and at least one."""
    return max(1, max_unavailable(spec, found.wanted))


def next_unready_end(world: World, status: RolloutStatus) -> datetime | None:
    """Return when a canary pod will have been not ready for too long, if it stays so; None for never."""
    found = world.replica_set(status.current_revision)
    bad = failing_pods(found, status.weights.applied_at) if found is not None else []
    later = [at for at in _unready_ends(world, status, bad) if at > world.now]
    return min(later, default=None)


def _unready_ends(world: World, status: RolloutStatus, bad: list[Pod]) -> list[datetime]:
    allowed = timedelta(seconds=world.spec.active_strategy.unready_seconds)
    began = status.weights.applied_at or world.now
    return [(pod.unready_since or began) + allowed for pod in bad]


def _fails_as_much(world: World, status: RolloutStatus, bad: int, of: int) -> bool:
    """Return whether of stable's pods a share fails that is as large as `bad` `of` the canary's."""
    stable = world.replica_set(status.stable_revision)
    if stable is None or bad == 0:
        return False
    theirs = len(failing_pods(stable, status.weights.applied_at))
    return theirs * of >= bad * max(1, len(stable.pods)) and theirs > 0


def reasons_to_roll_back(world: World, status: RolloutStatus) -> Iterator[str]:
    """Yield why the canary must not go on, most telling first."""
    yield from failed_criteria(world)
    if status.weights.disrupted_at is not None:
        yield from _crash_loops(world.replica_set(status.current_revision))
    elif _has_traffic(world, status):
        yield from _pods_that_fail_under_traffic(world, status)
    yield from disrupted_too_often(world, status)
    yield from _deadline(world, status)


def _has_traffic(world: World, status: RolloutStatus) -> bool:
    """Return whether requests reach the current revision, or would if its pods and Service were there."""
    if status.weights.applied > 0 or status.weights.routes:
        return True
    return current_route(world, status).highest > 0 and reaches_canary(world, status)


def failed_criteria(world: World) -> Iterator[str]:
    for criterion in world.evidence.criteria:
        if criterion.verdict == "fail":
            yield f"{criterion.name}: {criterion.message}"


def _pods_that_fail_under_traffic(world: World, status: RolloutStatus) -> Iterator[str]:
    canary = world.replica_set(status.current_revision)
    if canary is None:
        yield "the canary's ReplicaSet was deleted while it had traffic"
        return
    if mechanism_of(world.spec).needs_canary_service and world.canary_service is None:
        yield f"Service {world.spec.canary_service} was deleted while it had traffic"
        return
    yield from _crash_loops(canary)
    wanted = mechanism_of(world.spec).pods_serving(world.spec, status)
    enough = enough_pods_by_threshold(world.spec, wanted)
    yield from pods_against(world, status, canary, enough)


def _crash_loops(canary: ReplicaSet | None) -> Iterator[str]:
    looping = canary.crash_looping if canary is not None else ()
    if looping:
        names = ", ".join(f"{pod.name} ({pod.restarts} restarts)" for pod in looping[:3])
        yield f"canary pods crash again and again: {names}"


def _deadline(world: World, status: RolloutStatus) -> Iterator[str]:
    at = step_deadline(world, status)
    if at is None or world.now < at or not world.spec.progress_deadline_abort:
        return
    yield (
        f"step {(status.current_step_index or 0) + 1} made no progress for"
        f" {format_duration(world.spec.progress_deadline_seconds)}: {step_waits_for(world, status)}"
    )
