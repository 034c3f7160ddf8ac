"""What people and CI ask for through the command annotation, and what they are answered."""

from collections.abc import Callable
from dataclasses import replace

from rollouts.core.next.revision_commands import abort, begin_restart, retry, rollback
from rollouts.core.next.step_commands import pause, promote, promote_full, resume
from rollouts.core.world import Command, Event, StatusUpdate, World, by_whom, describe, under_way
from rollouts.model.status import HandledCommand

Handler = Callable[[World, StatusUpdate, Command], tuple[StatusUpdate, bool, str]]
PROMOTES = ("promote", "promote-full")


def handle_command(world: World, update: StatusUpdate) -> StatusUpdate:
    """Carry out a command that was not handled yet, and answer it in `status.lastCommand`."""
    command, last = world.observed.command, update.status.last_command
    if command is None or not command.id or (last is not None and last.id == command.id):
        return update
    handler = HANDLERS.get(command.verb)
    if world.observed.bad_command:
        done, accepted, answer = update, False, world.observed.bad_command
    elif handler is None:
        known = ", ".join(HANDLERS)
        done, accepted, answer = update, False, f"unknown verb {command.verb!r}; known are {known}"
    elif (mismatch := _meant_for_another(command, update)) is not None:
        done, accepted, answer = update, False, mismatch
    else:
        done, accepted, answer = handler(world, update, command)
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
    if accepted and done.status.history != update.status.history:
        return _signed(done, update, command)
    message, text = done.status.message, f"{command.verb}{by_whom(command)}: {answer}"
    if accepted:
        told = done.event(world, "Command", text).evolve(message=message)
        return _signed(told, update, command)
    # No decision, so not for history: a script that repeats itself would wash the decisions out.
    refusal = Event("Warning", "CommandRefused", text)
    return replace(done, events=(*done.events, refusal))


def _signed(done: StatusUpdate, before: StatusUpdate, command: Command) -> StatusUpdate:
    """Return the update in which what was decided by a command names it, and who gave it."""
    history = [
        each if each in before.status.history else each.evolve(command=command.verb, by=command.by)
        for each in done.status.history
    ]
    return done.evolve(history=history)


def revision_meant(command: Command, update: StatusUpdate) -> str:
    """
    Return the revision that a command means; empty: whichever is current.

    A promote that names none means the one that is under way. A newer template that is seen with it for
    the first time is another release, which nobody has looked at.
    """
    if command.revision or command.verb not in PROMOTES:
        return command.revision
    current = (update.before if under_way(update.before) else update.status).current_revision
    return str(current.number) if current is not None else ""


def _meant_for_another(command: Command, update: StatusUpdate) -> str | None:
    """Return why a command that means another revision is not for the current one, or None."""
    meant, current = revision_meant(command, update), update.status.current_revision
    if not meant or current is None or meant in (str(current.number), current.hash):
        return None
    if not command.revision:
        return (
            f"the command was given for revision {meant}, and {describe(current)} is the current one;"
            f" {_SEND_AGAIN}"
        )
    return f"the command names revision {meant}, and {describe(current)} is the current one; {_SEND_AGAIN}"


_SEND_AGAIN = "send it again if it is meant for that one"
HANDLERS: dict[str, Handler] = {
    "promote": promote,
    "promote-full": promote_full,
    "abort": abort,
    "retry": retry,
    "pause": pause,
    "resume": resume,
    "rollback": rollback,
    "restart": begin_restart,
}
