"""
Why nothing of a release goes forward: an edit of the spec, a person, or a template that is not there.

A rollback goes on all the same. All of them are asked for here, and nowhere else.
"""

from collections.abc import Iterator

from rollouts.core.world import Hold, World, has_stable
from rollouts.model.status import RolloutStatus


def hold_of(world: World, status: RolloutStatus) -> Hold | None:
    """Return what holds a release now, or None; of several an edit comes first, and then a command."""
    held, edit = next(_by_others(world, status), None), world.edit
    if edit is None:
        return held
    # Of an invalid spec the last valid one is run, and a revision that was gone back to is no part of it.
    goes_on = edit.reason == "InvalidSpec" and status.pinned is not None
    by_spec = world.spec.paused or bool(workload_missing(world, status))
    return edit if by_spec or not goes_on else held


def is_held(world: World, status: RolloutStatus) -> bool:
    """Return whether no step and no rise of the weight is made, whatever evidence says."""
    return hold_of(world, status) is not None


def _by_others(world: World, status: RolloutStatus) -> Iterator[Hold]:
    """Yield what holds a release besides an edit."""
    if status.held_by is not None:
        by = status.held_by.by
        yield Hold(
            "Command", f"a pause command{f' of {by}' if by else ''}: `resume` ends it", by=by
        )
    # What runs goes on running, and can be rolled back; without a template nothing goes forward.
    if missing := workload_missing(world, status):
        yield Hold("WorkloadMissing", f"a missing template: {missing}")
    if world.spec.paused:
        yield Hold("SpecPaused", "spec.paused: set it to false")


def workload_missing(world: World, status: RolloutStatus) -> str:
    """Return what is said where there has to be a Deployment, and is none; or nothing."""
    workload, ref = world.observed.workload, world.spec.workload_ref
    if workload is None or ref is None or world.observed.is_being_deleted or workload.exists:
        return ""
    kept = "; the pods that run are kept" if has_stable(status) else ""
    return f"Deployment {ref.name} does not exist{kept}; create it, or correct workloadRef.name"
