"""Which writes the Deployment of a workloadRef needs."""

from collections.abc import Iterator

from rollouts.core.facts import finalizer_waits_for, workload_is_claimed, workload_size_wanted
from rollouts.core.plan.actions import ScaleWorkload, SetFinalizers
from rollouts.core.world import REVERT, World, drift_pause_ends
from rollouts.model.status import RolloutStatus


def workload_writes(world: World, status: RolloutStatus) -> Iterator[ScaleWorkload | SetFinalizers]:
    """Yield what is missing between the Deployment and `status`, and the finalizer of the spec."""
    if world.observed.is_being_deleted:
        return
    yield from _finalizer(world)
    workload = world.observed.workload
    if workload is None or not workload.exists or workload_is_claimed(world):
        return
    size = workload_size_wanted(world, status)
    if size is None or size == workload.replicas:
        return
    if size < workload.replicas and finalizer_waits_for(world):
        return
    adoption = status.adoption
    again = adoption is not None and adoption.scaled_down
    if not again or drift_pause_ends(status, world.now) is None:
        yield ScaleWorkload(size)


def _finalizer(world: World) -> Iterator[SetFinalizers]:
    """Yield the finalizer that `revertOnDeletion` asks for; one that `detach` set stays."""
    has = world.observed.finalizers
    wanted = tuple(each for each in has if each != REVERT)
    if world.spec.revert_on_deletion:
        wanted = (*wanted, REVERT)
    if set(wanted) != set(has):
        yield SetFinalizers(wanted)
