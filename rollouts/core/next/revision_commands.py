"""What people ask of revisions: abort, rollback, retry and restart."""

from rollouts.core.facts import (
    abort_cost,
    good_revisions,
    still_labelled,
    who_answers,
    without_restart_words,
)
from rollouts.core.next.attempt import (
    back_to_stable,
    begin,
    numbered,
    retire_revision,
    roll_back,
    switch_back,
)
from rollouts.core.world import (
    NO_ROLLOUT,
    Command,
    StatusUpdate,
    World,
    by_whom,
    describe,
    kept_warm,
    restart_pace,
    under_way,
)
from rollouts.model.status import Pinned, Restart, Revision, RolloutStatus


def abort(world: World, update: StatusUpdate, command: Command) -> tuple[StatusUpdate, bool, str]:
    if update.status.abort is not None:
        return _forced(world, update)
    by, why = command.by or "command", f": {command.reason}" if command.reason else ""
    reason = f"aborted{by_whom(command)}{why}"
    if under_way(update.status):
        moved = roll_back(world, update, by=by, reason=reason, forced=True)
        return moved, True, f"traffic goes back to stable{abort_cost(world, moved.status)}"
    warm = kept_warm(world, update.status)
    if warm is not None:
        moved = switch_back(world, update, warm, by=by, reason=reason, forced=True)
        answer = "traffic goes back to the revision before, which is still warm"
        return moved, True, f"{answer}{abort_cost(world, moved.status)}"
    if update.status.restart is not None:
        return stop_restart(world, update, command)
    return update, False, NO_ROLLOUT


def _forced(world: World, update: StatusUpdate) -> tuple[StatusUpdate, bool, str]:
    """Take back what a rollback has left to the canary, because stable can't bear it."""
    status, abort = update.status, update.status.abort
    moves = still_labelled(world, status)
    if abort is not None and abort.forced and moves:
        return update, True, f"traffic goes back to stable{moves}"
    if abort is None or abort.forced or not (who_answers(world, status) or moves):
        return update, True, "all traffic is at stable already"
    moved = update.evolve(abort=abort.evolve(forced=True)).as_retreat()
    return moved, True, f"traffic goes back to stable{abort_cost(world, status)}"


def rollback(
    world: World, update: StatusUpdate, command: Command
) -> tuple[StatusUpdate, bool, str]:
    """Go back to a revision that was stable before: at once while it is warm, else without steps."""
    status, by = update.status, command.by or "command"
    stable, before = status.stable_revision, next(iter(good_revisions(status)), None)
    stopped = under_way(status) or status.abort is not None
    if stopped and (not command.to or _is(stable, command.to)):
        return abort(world, update, command)
    if not command.to and status.pinned is not None:
        # Pressed twice, it must not go one further back, nor to what it came from.
        return update, True, "the rollout was rolled back already; name another revision with --to"
    wanted = command.to or (before.hash if before is not None else "")
    found = _past(world, status, wanted)
    if found is None:
        return update, False, _no_such_revision(world, status, wanted)
    warm = kept_warm(world, status)
    if warm is not None and warm.previous.hash == found.hash:
        why = f": {command.reason}" if command.reason else ""
        moved = switch_back(
            world, update, warm, by=by, reason=f"rolled back{by_whom(command)}{why}"
        )
        return moved, True, f"traffic goes back to {describe(found)}, which is still warm"
    template = world.observed.template_hash
    pinned = Pinned(hash=found.hash, instead_of=template, at=world.now, by=command.by)
    update = update.evolve(pinned=pinned if found.hash != template else None)
    target = numbered(world, update.status, found.hash)
    moved = _instead(world, update, target, skipping=True, reason=command.reason)
    return moved, True, f"the rollout goes back to {describe(found)}, as {describe(target)}"


def _instead(
    world: World,
    update: StatusUpdate,
    target: Revision,
    *,
    skipping: bool = False,
    reason: str = "",
) -> StatusUpdate:
    """Return the update by which `target` begins, and what is under way ends its requests and goes."""
    left = under_way(update.status)
    moved = begin(world, update, target, skipping=skipping, reason=reason)
    if left is None or left.current.hash == target.hash:
        return moved
    return retire_revision(world, moved, left.current.hash)


def _is(known: Revision | None, name: str) -> bool:
    return known is not None and name in (str(known.number), known.hash)


def _past(world: World, status: RolloutStatus, name: str) -> Revision | None:
    """Return the revision of this number or hash, if it was stable before and still exists."""
    return next((each for each in _once_stable(world, status) if name and _is(each, name)), None)


def _once_stable(world: World, status: RolloutStatus) -> list[Revision]:
    """Return the revisions that were stable before and still exist, by their present numbers."""
    stable, past = status.stable_revision, {each.hash for each in status.past_revisions}
    found = [
        each.as_revision
        for each in world.observed.replica_sets.values()
        if each.hash in past and (stable is None or stable.hash != each.hash)
    ]
    return sorted(found, key=lambda each: each.number)


def _no_such_revision(world: World, status: RolloutStatus, name: str) -> str:
    others = world.observed.replica_sets.values()
    if _is(status.stable_revision, name):
        return f"revision {name} is stable already"
    if any(name in (str(each.revision), each.hash) for each in others):
        wanted = f"revision {name} was never stable; release it by its template, step by step"
    else:
        wanted = f"there is no revision {name}" if name else _none_before(status)
    known = [str(each.number) for each in _once_stable(world, status)]
    there = f"; there are {', '.join(known)}" if known else "; no other is kept"
    return wanted + there


def _none_before(status: RolloutStatus) -> str:
    if not status.past_revisions:
        return "there is no earlier stable revision to go back to: release another by its template"
    return "every earlier stable revision was rolled back from; name one with --to if it is to run all the same"


def retry(world: World, update: StatusUpdate, command: Command) -> tuple[StatusUpdate, bool, str]:
    current = update.status.current_revision
    if world.edit is not None and world.edit.reason == "InvalidSpec":
        return update, False, world.edit.invalid_spec
    if update.status.pinned is not None:
        return _by_template(world, update.evolve(pinned=None), command)
    if update.status.abort is None or current is None:
        return update, False, "the rollout was not rolled back, so there is nothing to retry"
    return begin(world, update, current), True, f"{describe(current)} begins again at step 1"


def _by_template(
    world: World, update: StatusUpdate, command: Command
) -> tuple[StatusUpdate, bool, str]:
    """Answer the wish for the template's revision, in place of the one that was gone back to, or is being."""
    stable, wanted = update.status.stable_revision, world.observed.template_hash
    if stable is not None and stable.hash == wanted:
        answer = f"the rollout goes back to {describe(stable)}, which is the template's, and stable"
        told = f"{command.verb}{by_whom(command)}: {answer}"
        return back_to_stable(world, update, stable, told), True, answer
    moved = _instead(world, update, numbered(world, update.status, wanted))
    return moved, True, "the rollout begins again, with the revision of the template"


def begin_restart(
    world: World, update: StatusUpdate, command: Command
) -> tuple[StatusUpdate, bool, str]:
    """Answer the command to restart."""
    status = update.status
    if under_way(status):
        why = "a rollout is under way, which makes new pods by itself; restart when it has ended"
        return update, False, why
    stable = world.replica_set(status.stable_revision)
    if stable is None or status.stable_revision is None:
        return (
            update,
            False,
            "no revision is stable yet, whose pods could be replaced; restart when the first release has ended",
        )
    if not stable.pods:
        return (
            update,
            False,
            "the stable revision has no pods to replace; scale the Rollout up first",
        )
    at = max(world.now, *(pod.created_at for pod in stable.pods))
    who = f", by {command.by}" if command.by else ""
    text = f"{len(stable.pods)} pods of {describe(status.stable_revision)} are to be replaced{who}"
    update = update.evolve(restart=Restart(at=at, by=command.by)).event(world, "RestartBegan", text)
    return (
        update,
        True,
        f"the stable pods are replaced, {restart_pace(world.spec, status).at_once} at a time",
    )


def stop_restart(
    world: World, update: StatusUpdate, command: Command
) -> tuple[StatusUpdate, bool, str]:
    """Answer the command to abort while a restart is all that goes on."""
    who = f" by {command.by}" if command.by else ""
    said = update.event(world, "RestartInterrupted", f"the restart was aborted{who}")
    moved = said.evolve(restart=None, message=without_restart_words(update.status.message))
    return moved, True, "no more pods are replaced"
