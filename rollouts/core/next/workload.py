"""What status keeps of the Deployment whose place is taken."""

from rollouts.core.facts import (
    workload_blocker,
    workload_due_at,
    workload_is_claimed,
    workload_is_idle,
    workload_size,
)
from rollouts.core.world import (
    DRIFT_CORRECTED,
    StatusUpdate,
    Workload,
    World,
    drift_pause_ends,
    has_stable,
)
from rollouts.model.status import Adoption


def report_workload_blocker(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says why the Deployment's place can't be taken."""
    why, status = workload_blocker(world, update.status), update.status
    if status.phase == "Degraded" and status.message == why:
        return update
    return update.evolve(phase="Degraded", pause=None).event(world, "Blocked", why, "Warning")


def remember_workload(world: World, update: StatusUpdate) -> StatusUpdate:
    """Keep in status what the Deployment was, and how far its place is taken."""
    workload, ref, status = world.observed.workload, world.spec.workload_ref, update.status
    if ref is None:
        return update.evolve(adoption=None)
    if workload is None or not workload.exists or workload_is_claimed(world):
        return update
    adoption = status.adoption
    if adoption is None or adoption.uid != workload.uid:
        adoption = Adoption(
            name=workload.name, uid=workload.uid, replicas=workload.replicas, at=world.now
        )
    adoption = adoption.evolve(
        observed_generation=workload.generation, template_hash=world.observed.template_hash
    )
    if not has_stable(status):
        size = workload_size(world, status, workload)
        return update.evolve(adoption=adoption.evolve(replicas=size, scaled_down=False))
    idle = (adoption.idle_since or world.now) if workload_is_idle(world, status) else None
    adoption = adoption.evolve(idle_since=idle)
    update = _scaled_down(world, update.evolve(adoption=adoption), workload, adoption)
    due = workload_due_at(world, adoption)
    if ref.scale_down != "never" and workload.replicas > 0 and due is not None:
        update = update.requeue_at(due)
    return update


def _scaled_down(
    world: World, update: StatusUpdate, workload: Workload, adoption: Adoption
) -> StatusUpdate:
    """Notice that the Deployment has no pods any more, or that somebody gave it some again."""
    ref, message = world.spec.workload_ref, update.status.message
    if workload.replicas == 0:
        if adoption.scaled_down:
            return update
        update = update.evolve(adoption=adoption.evolve(scaled_down=True))
        text = f"the pods of Deployment {workload.name} are not needed any more: it has 0 replicas"
        return update.event(world, "WorkloadScaledDown", text).evolve(message=message)
    if not adoption.scaled_down or ref is None or ref.scale_down == "never":
        return update
    drift_pause = drift_pause_ends(update.status, world.now)
    if drift_pause is not None:
        return update.requeue_at(drift_pause)
    text = (
        f"Deployment {workload.name} was given {workload.replicas} replicas; the controller puts it back to 0,"
        " since this Rollout runs its pods: scale the Rollout instead"
    )
    return update.event(world, DRIFT_CORRECTED, text, "Warning").evolve(message=message)
