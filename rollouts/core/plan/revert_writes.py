"""Which writes give a Deployment its place back, and the user's objects to whom they were before."""

from collections.abc import Iterator

from rollouts.core.facts import (
    ClearingRoutes,
    NothingToRevert,
    Reverted,
    ToReleaseServices,
    ToRestoreWorkload,
    WorkloadMissing,
    revert_stage,
    services_to_release,
)
from rollouts.core.plan.actions import (
    Action,
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    SetFinalizers,
)
from rollouts.core.world import World
from rollouts.model.status import RolloutStatus


def revert_writes(world: World, status: RolloutStatus) -> Iterator[Action]:
    """Yield the writes of the stage that this is at, in a safe order; none while it only waits."""
    match revert_stage(world, status):
        case NothingToRevert() | Reverted():
            yield SetFinalizers(())
        case WorkloadMissing() as found:
            yield from _without_workload(world, found)
        case ToRestoreWorkload(replicas=replicas, template_of=revision, is_smaller=is_smaller):
            if revision is not None or is_smaller:
                yield RestoreWorkload(replicas, revision.hash if revision is not None else "")
        case ToReleaseServices():
            yield from _releases(world)
        case ClearingRoutes():
            yield RemoveRoute()


def _without_workload(world: World, found: WorkloadMissing) -> Iterator[Action]:
    yield from _releases(world)
    if found.until is not None:
        return
    if world.route.exists:
        yield RemoveRoute()
    if not found.leaves_some:
        yield SetFinalizers(())


def _releases(world: World) -> Iterator[ReleaseService]:
    for name in services_to_release(world):
        yield ReleaseService(name)
