"""What people and CI ask for through the command annotation, and what they are answered."""

from collections.abc import Callable
from dataclasses import replace

from rollouts.core import capacity, revision, standing
from rollouts.core.actions import Occurrence
from rollouts.core.observed import Command
from rollouts.core.promotion import promote, promote_full
from rollouts.core.restart import begin_restart, stop_restart
from rollouts.core.rollback import go_back, roll_back
from rollouts.core.target import begin, leaving, numbered
from rollouts.core.world import Move, World, is_warm, under_way
from rollouts.model.status import HandledCommand, Pause, Pinned, Revision, RolloutStatus

Handler = Callable[[World, Move, Command], tuple[Move, bool, str]]


def handle_command(world: World, move: Move) -> Move:
    """Carry out a command that was not handled yet, and answer it in `status.lastCommand`."""
    command, last = world.observed.command, move.status.last_command
    if command is None or not command.id or (last is not None and last.id == command.id):
        return move
    handler = HANDLERS.get(command.verb)
    if world.observed.bad_command:
        done, accepted, answer = move, False, world.observed.bad_command
    elif handler is None:
        known = ", ".join(HANDLERS)
        done, accepted, answer = move, False, f"unknown verb {command.verb!r}; known are {known}"
    elif (complaint := _meant_for_another(command, move.status)) is not None:
        done, accepted, answer = move, False, complaint
    else:
        done, accepted, answer = handler(world, move, command)
    current = done.status.current_revision
    handled = HandledCommand(
        id=command.id,
        verb=command.verb,
        by=command.by,
        revision=current.number if current is not None else None,
        accepted=accepted,
        message=answer,
        at=world.now,
    )
    done = done.evolve(last_command=handled)
    if accepted and done.status.history != move.status.history:
        return done
    message, text = done.status.message, f"{command.verb}{_by(command)}: {answer}"
    if accepted:
        return done.event(world, "Command", text).evolve(message=message)
    # No decision, so not for history: a script that repeats itself would wash the decisions out.
    refusal = Occurrence("Warning", "CommandRefused", text)
    return replace(done, occurrences=(*done.occurrences, refusal))


def _meant_for_another(command: Command, status: RolloutStatus) -> str | None:
    """Say why a command that names a revision is not for the current one, or None."""
    current = status.current_revision
    if (
        not command.revision
        or current is None
        or command.revision in (str(current.number), current.hash)
    ):
        return None
    return (
        f"it names revision {command.revision}, but {revision.describe(current)} is the current one"
    )


def _by(command: Command) -> str:
    return f" by {command.by}" if command.by else ""


def _abort(world: World, move: Move, command: Command) -> tuple[Move, bool, str]:
    if move.status.abort is not None:
        return _forced(world, move)
    by, why = command.by or "command", f": {command.reason}" if command.reason else ""
    reason = f"aborted{_by(command)}{why}"
    if under_way(move.status):
        moved = roll_back(world, move, by=by, reason=reason, forced=True)
        return moved, True, f"traffic goes back to stable{capacity.cost(world, moved.status)}"
    if is_warm(world, move.status):
        moved = go_back(world, move, by=by, reason=reason, forced=True)
        answer = "traffic goes back to the revision before, which is still warm"
        return moved, True, f"{answer}{capacity.cost(world, moved.status)}"
    if move.status.restart is not None:
        return stop_restart(world, move, command)
    return move, False, "no rollout is under way"


def _forced(world: World, move: Move) -> tuple[Move, bool, str]:
    """Take back what a rollback has left to the canary, because stable can't bear it."""
    status, abort = move.status, move.status.abort
    if abort is None or abort.forced or not capacity.said(world, status):
        return move, True, "already rolled back"
    moved = move.evolve(abort=abort.evolve(forced=True)).as_retreat()
    return moved, True, f"traffic goes back to stable{capacity.cost(world, status)}"


def _rollback(world: World, move: Move, command: Command) -> tuple[Move, bool, str]:
    """Go back to a revision that was stable before: at once while it is warm, else without steps."""
    status, by = move.status, command.by or "command"
    stable, before = status.stable_revision, next(iter(standing.good(status)), None)
    stopped = under_way(status) or status.abort is not None
    if stopped and (not command.to or _is(stable, command.to)):
        return _abort(world, move, command)
    if not command.to and status.pinned is not None:
        # Pressed twice, it must not go one further back, nor to what it came from.
        return move, True, "already rolled back; name another revision to go to that"
    wanted = command.to or (before.hash if before is not None else "")
    found = _past(world, status, wanted)
    if found is None:
        return move, False, _no_such_revision(world, status, wanted)
    previous = status.previous_revision
    if previous is not None and previous.hash == found.hash and is_warm(world, status):
        why = f": {command.reason}" if command.reason else ""
        moved = go_back(world, move, by=by, reason=f"rolled back{_by(command)}{why}")
        return moved, True, f"traffic goes back to {revision.describe(found)}, which is still warm"
    template = world.observed.template_hash
    pinned = Pinned(hash=found.hash, instead_of=template, at=world.now, by=command.by)
    move = move.evolve(pinned=pinned if found.hash != template else None)
    target = numbered(world, move.status, found.hash)
    left = status.current_revision if under_way(status) else None
    moved = begin(world, move, target, skipping=True)
    if left is not None:
        moved = leaving(world, moved, left.hash)
    return moved, True, f"goes back to {revision.describe(found)}, as {revision.describe(target)}"


def _is(known: Revision | None, name: str) -> bool:
    return known is not None and name in (str(known.number), known.hash)


def _past(world: World, status: RolloutStatus, name: str) -> Revision | None:
    """Return the revision of this number or hash, if it was stable before and still exists."""
    return next((each for each in _once_stable(world, status) if name and _is(each, name)), None)


def _once_stable(world: World, status: RolloutStatus) -> list[Revision]:
    """Return the revisions that were stable before and still exist, by their present numbers."""
    stable, past = status.stable_revision, {each.hash for each in status.past}
    found = [
        Revision(number=each.revision, hash=each.hash, images=list(each.images))
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
        wanted = f"revision {name} is not there" if name else _none_before(status)
    known = [str(each.number) for each in _once_stable(world, status)]
    there = f"; there are {', '.join(known)}" if known else "; no other is kept"
    return wanted + there


def _none_before(status: RolloutStatus) -> str:
    if not status.past:
        return "no revision was stable before"
    return "each that was stable before was gone back from; name one with --to all the same"


def _retry(world: World, move: Move, _command: Command) -> tuple[Move, bool, str]:
    current = move.status.current_revision
    if world.hold is not None and world.hold.reason == "InvalidSpec":
        return move, False, f"nothing begins while the spec is invalid: {world.hold.why}"
    if move.status.pinned is not None:
        move = move.evolve(pinned=None)
        template = numbered(world, move.status, world.observed.template_hash)
        return begin(world, move, template), True, "begins again with the template"
    if move.status.abort is None or current is None:
        return move, False, "only a rollout that was rolled back can be tried again"
    return begin(world, move, current), True, "begins again at step 1"


def _pause(world: World, move: Move, command: Command) -> tuple[Move, bool, str]:
    if not under_way(move.status):
        return move, False, "no rollout is under way"
    if move.status.held_by is not None:
        return move, True, "already paused"
    held = Pause(reason="Command", at=world.now, by=command.by)
    return move.evolve(held_by=held), True, "held where it is; a rollback is still possible"


def _resume(world: World, move: Move, _command: Command) -> tuple[Move, bool, str]:
    if move.status.held_by is None:
        return move, False, "it is not paused by a command"
    return move.evolve(held_by=None, pause=None, step_started_at=world.now), True, "goes on"


HANDLERS: dict[str, Handler] = {
    "promote": promote,
    "promote-full": promote_full,
    "abort": _abort,
    "retry": _retry,
    "pause": _pause,
    "resume": _resume,
    "rollback": _rollback,
    "restart": begin_restart,
}
