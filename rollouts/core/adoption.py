"""
Taking a Deployment's place, without a request lost.

Our pods run beside the Deployment's, with the same template, until all of them are available
and in the Services. Only then the Services select ours alone, and only when that has been so
for a while do the Deployment's own pods go. Its template stays the place where a change of
the image begins.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from rollouts.core.workload import REVERT, ScaleWorkload, SetFinalizers, Workload
from rollouts.core.world import Move, World, drift_pause_ends
from rollouts.model.finding import Finding
from rollouts.model.status import Adoption, RolloutStatus

CLAIMED = "WorkloadClaimed"
MISSING = "WorkloadMissing"
_IN_THE_WAY = (MISSING, CLAIMED, "FewerReplicas")


def warned(world: World, status: RolloutStatus) -> World:
    """Return the world with the problems that the Deployment, or its absence, gives."""
    found = tuple(_problems(world, status))
    world = world.warned(found)
    if not any(each.reason == MISSING for each in found):
        return world
    # What runs goes on running, and can be rolled back; without a template nothing goes forward.
    return replace(world, spec=world.spec.model_copy(update={"paused": True}))


def _problems(world: World, status: RolloutStatus) -> Iterator[Finding]:
    workload, ref = world.observed.workload, world.spec.workload_ref
    if workload is None or ref is None or world.observed.leaving:
        return
    if not workload.exists:
        kept = "; what runs goes on running" if status.stable_revision is not None else ""
        yield Finding(
            "error",
            "WorkloadMissing",
            f"Deployment {ref.name} does not exist{kept}; create it, or correct workloadRef.name",
        )
        return
    size = _size(world, status, workload)
    if status.stable_revision is None and world.spec.replicas < size:
        yield Finding(
            "error",
            "FewerReplicas",
            (
                f"Deployment {ref.name} has {size} replicas, and spec.replicas is only"
                f" {world.spec.replicas}: set spec.replicas to {size}, or scale the Deployment down first"
            ),
        )
    if ref.scale_down == "never" and world.spec.by_replicas:
        yield Finding(
            "warning",
            "WorkloadServes",
            (
                f"Deployment {ref.name} keeps its pods (scaleDown: never), and they keep their share of"
                " the requests: without trafficRouting the weights are not those of the steps"
            ),
        )


def blocker(world: World, status: RolloutStatus) -> str:
    """
    Return why the Deployment's place can't be taken, or nothing; of a `warned` world.

    Until it has been taken, the Deployment serves everything: nothing at all is done then.
    """
    if world.spec.workload_ref is None or status.stable_revision is not None:
        return ""
    return next(
        (each.message for each in world.observed.route.blockers if each.reason in _IN_THE_WAY), ""
    )


def is_missing(world: World) -> bool:
    """Return whether there has to be a Deployment, and is none."""
    workload = world.observed.workload
    return workload is not None and not workload.exists


def held(world: World, move: Move) -> Move:
    """Say why the Deployment's place can't be taken."""
    why, status = blocker(world, move.status), move.status
    if status.phase == "Degraded" and status.message == why:
        return move
    return move.evolve(phase="Degraded", pause=None).event(world, "Blocked", why, "Warning")


def _size(world: World, status: RolloutStatus, workload: Workload) -> int:
    """Return how many pods the Deployment has, or had before we took some of them away."""
    ref, adoption = world.spec.workload_ref, status.adoption
    if ref is None or adoption is None or adoption.uid != workload.uid:
        return workload.replicas
    if ref.scale_down != "progressively":
        return workload.replicas
    return max(workload.replicas, adoption.replicas)


def remember(world: World, move: Move) -> Move:
    """Keep in status what the Deployment was, and how far its place is taken."""
    workload, ref, status = world.observed.workload, world.spec.workload_ref, move.status
    if ref is None:
        return move.evolve(adoption=None)
    if workload is None or not workload.exists or _claimed(world):
        return move
    adoption = status.adoption
    if adoption is None or adoption.uid != workload.uid:
        adoption = Adoption(
            name=workload.name, uid=workload.uid, replicas=workload.replicas, at=world.now
        )
    adoption = adoption.evolve(
        observed_generation=workload.generation, template_hash=world.observed.template_hash
    )
    if status.stable_revision is None:
        size = _size(world, status, workload)
        return move.evolve(adoption=adoption.evolve(replicas=size, scaled_down=False))
    idle = (adoption.idle_since or world.now) if _is_idle(world, status) else None
    adoption = adoption.evolve(idle_since=idle)
    move = _scaled_down(world, move.evolve(adoption=adoption), workload)
    due = _due(world, adoption)
    if ref.scale_down != "never" and workload.replicas > 0 and due is not None:
        move = move.requeue_at(due)
    return move


def _scaled_down(world: World, move: Move, workload: Workload) -> Move:
    """Notice that the Deployment has no pods any more, or that somebody gave it some again."""
    adoption, ref = move.status.adoption, world.spec.workload_ref
    assert adoption is not None
    assert ref is not None
    message = move.status.message
    if workload.replicas == 0:
        if adoption.scaled_down:
            return move
        move = move.evolve(adoption=adoption.evolve(scaled_down=True))
        text = f"the pods of Deployment {workload.name} are not needed any more: it has 0 replicas"
        return move.event(world, "WorkloadScaledDown", text).evolve(message=message)
    if not adoption.scaled_down or ref.scale_down == "never":
        return move
    drift_pause = drift_pause_ends(move.status, world.now)
    if drift_pause is not None:
        return move.requeue_at(drift_pause)
    text = (
        f"Deployment {workload.name} was given {workload.replicas} replicas; it is put back to 0,"
        " since this Rollout runs its pods: scale the Rollout instead"
    )
    return move.event(world, "DriftCorrected", text, "Warning").evolve(message=message)


def _claimed(world: World) -> bool:
    return any(each.reason == CLAIMED for each in world.observed.route.findings)


def _is_idle(world: World, status: RolloutStatus) -> bool:
    """Return whether our pods have all the traffic that the Services named here give."""
    if status.stable_revision is None or world.lacking:
        return False
    named = (world.stable_service, world.canary_service)
    return all(service.selected_hash for service in named if service is not None)


def _due(world: World, adoption: Adoption) -> datetime | None:
    """Return when the Deployment's pods may go; None while they may be needed."""
    if adoption.idle_since is None:
        return None
    return adoption.idle_since + timedelta(seconds=world.spec.way.scale_down_delay_seconds)


def converge(world: World, status: RolloutStatus) -> Iterator[ScaleWorkload | SetFinalizers]:
    """Yield what is missing between the Deployment and `status`, and the finalizer of the spec."""
    if world.observed.leaving:
        return
    yield from _finalizer(world)
    workload = world.observed.workload
    if workload is None or not workload.exists or _claimed(world):
        return
    size = _wanted(world, status)
    if size is None or size == workload.replicas:
        return
    adoption = status.adoption
    again = adoption is not None and adoption.scaled_down
    if not again or drift_pause_ends(status, world.now) is None:
        yield ScaleWorkload(size)


def _wanted(world: World, status: RolloutStatus) -> int | None:
    """Return how many pods the Deployment is to have; None for as many as it has."""
    ref, adoption, workload = world.spec.workload_ref, status.adoption, world.observed.workload
    if ref is None or adoption is None or workload is None or ref.scale_down == "never":
        return None
    if adoption.uid != workload.uid:
        return None  # another one of that name: it is met first
    if status.stable_revision is not None:
        due = _due(world, adoption)
        return 0 if adoption.scaled_down or (due is not None and due <= world.now) else None
    if ref.scale_down == "onSuccess":
        return None
    return max(0, adoption.replicas - _arrived(world, status))


def _arrived(world: World, status: RolloutStatus) -> int:
    """Return how many of our pods already take their share of the Deployment's requests."""
    running, service = world.replica_set(status.current_revision), world.stable_service
    if running is None or world.lacking:
        return 0
    if service is None:
        return running.available
    return min(running.available, service.ready_endpoints.get(running.hash, 0))


def _finalizer(world: World) -> Iterator[SetFinalizers]:
    """Yield the finalizer that `revertOnDeletion` asks for; one that `detach` set stays."""
    has = world.observed.finalizers
    wanted = tuple(each for each in has if each != REVERT)
    if world.spec.revert_on_deletion:
        wanted = (*wanted, REVERT)
    if set(wanted) != set(has):
        yield SetFinalizers(wanted)
