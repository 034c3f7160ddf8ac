"""Whether a step, or stable between releases, has what it waits for, and until when it may wait."""

from datetime import datetime, timedelta

from rollouts.core.facts.holds import is_held
from rollouts.core.facts.traffic import is_draining, is_reachable, weight_is_met
from rollouts.core.world import (
    World,
    enough_pods,
    enough_pods_when_settled,
    evidence_is_waived,
    mechanism_of,
    missing_service,
    pods_needed,
    split_of,
    stable_replicas,
    under_way,
)
from rollouts.model.status import RolloutStatus

DISRUPTED = "all canary pods were taken away, by no fault of theirs; the canary's weight is 0 until others are available"


def waits_for_pods(world: World, status: RolloutStatus) -> str:
    """Return what a release without pods waits for before its first step; empty when it may move."""
    if not under_way(status) or evidence_is_waived(status) or status.stable_floor > 0:
        return ""
    wanted = world.spec.replicas
    if wanted == 0:
        return (
            "waits for pods: spec.replicas is 0, and a release without pods can't be judged;"
            " scale the Rollout up, or promote --full"
        )
    stable = world.replica_set(status.stable_revision)
    # What is broken is not waited for: this release may be what mends it.
    if stable is not None and stable.available + stable.broken < wanted:
        return f"{stable.available} of {wanted} stable pods are available, which come first"
    return ""


def stable_is_short(world: World, status: RolloutStatus) -> bool:
    """Return whether a stable revision that is alone has fewer pods available than are wanted."""
    if status.stable_revision is None or status.abort is not None or under_way(status):
        return False
    return is_short_of_pods(world, status)


def short_since(world: World, before: RolloutStatus, since: datetime | None) -> datetime:
    """
    Return since when nothing has become better about the pods that are missing.

    More of them being available is progress, to within a tenth of the deadline: each turn of
    this clock is a write. Once the deadline has passed, only all of them are enough.
    """
    grown = available_pods(world, before) > before.available_replicas
    waited = world.now - since if since is not None else timedelta()
    if since is None or (
        grown and progress_deadline(world) / 10 < waited < progress_deadline(world)
    ):
        return world.now
    return since


def short_until(world: World, since: datetime) -> datetime:
    """Return from when on pods that are missing since then are no progress any more."""
    return since + progress_deadline(world)


def progress_deadline(world: World) -> timedelta:
    return timedelta(seconds=world.spec.progress_deadline_seconds)


def is_short_of_pods(world: World, status: RolloutStatus) -> bool:
    running = world.replica_set(status.current_revision)
    least = enough_pods_when_settled(world.spec, world.spec.replicas, running)
    return available_pods(world, status) < least


def available_pods(world: World, status: RolloutStatus) -> int:
    running = world.replica_set(status.current_revision)
    return running.available if running is not None else 0


def step_deadline(world: World, status: RolloutStatus) -> datetime | None:
    """Return until when the current step may wait for pods and routes; None when it waits for neither."""
    if is_held(world, status) or status.unsettled_since is None or step_is_settled(world, status):
        return None
    return status.unsettled_since + timedelta(seconds=world.spec.progress_deadline_seconds)


def step_is_settled(world: World, status: RolloutStatus) -> bool:
    """Return whether size and weight are what the current step wants; to nobody it is all the same."""
    if evidence_is_waived(status) and stable_replicas(world.spec, status) == 0:
        return True
    return (
        canary_has_pods(world, status)
        and status.weights.disrupted_at is None
        and weight_is_met(world, status)
        and status.weights.routes == split_of(world.spec, status).names
        and not _lacks_preview(world, status)
    )


def canary_has_pods(world: World, status: RolloutStatus) -> bool:
    """Return whether the canary has the pods of its step; those that were asked for later are no part of it."""
    wanted = pods_needed(world.spec, status)
    if status.settled_pods is not None:
        wanted = min(wanted, status.settled_pods)
    canary = world.replica_set(status.current_revision)
    available = canary.available if canary is not None else 0
    return available >= enough_pods(world.spec, wanted, canary)


def settled_pods(world: World, status: RolloutStatus) -> int | None:
    """Return `status.settled_pods` of a step that is settled: what it needs now, if it has all of that."""
    everything = canary_has_pods(world, status.evolve(settled_pods=None))
    return pods_needed(world.spec, status) if everything else status.settled_pods


def step_waiting_since(world: World, status: RolloutStatus, since: datetime) -> datetime:
    """
    Return since when the step has waited for what it lacks now, where it has lacked something `since`.

    Pods that replace those that it had have a deadline of their own: with nodes that come and go one
    of them may be missing all the time, and each time another.
    """
    canary = world.replica_set(status.current_revision)
    missing = [pod.created_at for pod in canary.pods if not pod.ready] if canary else []
    if status.settled_pods is None or status.weights.disrupted_at is not None or not missing:
        return since
    return max(since, min(missing))


def step_waits_for(world: World, status: RolloutStatus) -> str:
    """Return what stands between the current step and its end, in words."""
    if missing_service(world):
        return missing_service(world)
    if world.route.blockers:
        return world.route.blockers[0].message
    held = f"{DISRUPTED}; " if status.weights.disrupted_at is not None else ""
    canary = world.replica_set(status.current_revision)
    wanted = pods_needed(world.spec, status)
    available = canary.available if canary is not None else 0
    if available < enough_pods(world.spec, wanted, canary):
        because = canary.pod_problems if canary is not None else ""
        return f"{held}{available} of {wanted} canary pods are available{because}"
    if _lacks_preview(world, status):
        preview = world.spec.canary_service
        return f"Service {preview} does not lead to the new revision's ready pods yet"
    if status.weights.desired > status.weights.applied and is_draining(world, status):
        return (
            f"weight {status.weights.desired} % waits until the counters of the last canary no longer rise,"
            " so that nothing of it counts against this one"
        )
    return mechanism_of(world.spec).unconfirmed(world, status)


def _lacks_preview(world: World, status: RolloutStatus) -> bool:
    """Return whether the preview Service, where there is one, has no pod of the new revision."""
    return mechanism_of(world.spec).has_preview and not is_reachable(world, status, 1)
