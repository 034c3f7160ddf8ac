"""
Sending a command, and what became of it.

The annotation holds one command. So one that nobody has answered yet is waited for, a write is
bound to what was read, and who was overtaken all the same is told by what. An abort is never
held up: it is written at once, and again when it was written over.
"""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass

from rollouts.cli.output import plain, say
from rollouts.cli.session import Requests, Session
from rollouts.cli.watch_rollout import get_rollout, watch_rollout
from rollouts.errors import Conflict, Unavailable
from rollouts.model.kinds import COMMAND_ANNOTATION, JSON, FrozenJSON, Ref

ANSWER_SECONDS = 10.0
TURN_SECONDS = 3.0
"""So long at most another's command is waited for; then no controller runs, as a rule."""
_ATTEMPTS = 10
_CALL_AGAIN = "send it again if it is still wanted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the controller said, or why there is nothing that it will say."""

    accepted: bool
    text: str


async def send(session: Session, name: str, command: JSON, *, no_wait: bool) -> int:
    """Write a command that has its id, and return 1 when it is refused, or was overtaken by another."""
    ref, requests = session.rollout(name), session.requests
    if command["verb"] == "abort":
        await _write(requests, ref, command)
    else:
        await _write_in_turn(requests, ref, command)
    if no_wait:
        say(f"{name}: {command['verb']} is written, and waits for the controller")
        return 0
    answer = await _answer(requests, ref, command)
    if answer.accepted:
        print(plain(f"{name}: {answer.text}"))
        return 0
    say(f"{name}: {answer.text}")
    return 1


def shown_step(rollout: FrozenJSON) -> str:
    """
    Return the step that messages show now: counted from 1, or "promotion" after the last.

    Empty when there is none.
    """
    status = rollout.get("status") or {}
    index, steps = status.get("currentStepIndex"), str(status.get("step") or "").partition("/")[2]
    if index is None:
        return ""
    return "promotion" if steps.isdigit() and index >= int(steps) else str(index + 1)


def shown_hold(rollout: FrozenJSON) -> str:
    """
    Return what messages show now that it is held by, where that is not the step's own pause or analysis.

    Who sees a pause and promotes it has not seen the evidence that holds it a moment later.
    """
    from rollouts.model.status import evidence_holds  # noqa: PLC0415 - brings pydantic

    # Read as JSON: a command can be given whatever else is in a status, by whatever version.
    status = rollout.get("status") or {}
    reason = str((status.get("pause") or {}).get("reason") or "")
    if reason in ("StepsChanged", "StrategyChanged"):
        return "edit"
    if status.get("heldBy"):
        return "pause"
    return "evidence" if evidence_holds(reason, leans=bool(status.get("leaningSince"))) else ""


async def _write_in_turn(requests: Requests, ref: Ref, command: JSON) -> None:
    """
    Write the command when the one before is answered, onto exactly the object that was read.

    Raises:
        Conflict: somebody wrote first, again and again.
    """
    deadline = asyncio.get_running_loop().time() + TURN_SECONDS
    for attempt in range(_ATTEMPTS):
        rollout = await _turn(requests, ref, deadline)
        try:
            await _write(requests, ref, command, rollout["metadata"]["resourceVersion"])
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


async def _turn(requests: Requests, ref: Ref, deadline: float) -> JSON:
    """Return the Rollout once its command is answered, or as it is when the time is over."""
    rollout = await get_rollout(requests, ref)
    if _unanswered(rollout) is None:
        return rollout
    try:
        async with (
            asyncio.timeout_at(deadline),
            aclosing(watch_rollout(requests, ref)) as states,
        ):
            async for state in states:
                rollout = state
                if _unanswered(rollout) is None:
                    break
    except TimeoutError:
        pass
    return rollout


async def _write(requests: Requests, ref: Ref, command: JSON, version: str = "") -> None:
    metadata: JSON = {"annotations": {COMMAND_ANNOTATION: json.dumps(command)}}
    if version:
        metadata["resourceVersion"] = version
    await requests.patch(ref, {"metadata": metadata})


async def _answer(requests: Requests, ref: Ref, command: JSON) -> Answer:
    """
    Return what the controller answers, or that the command is not there any more to be answered.

    Raises:
        Unavailable: no controller did, in time, and the command is still there.
    """
    invalid = overtaken = ""
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            aclosing(watch_rollout(requests, ref)) as states,
        ):
            async for rollout in states:
                found = _told(rollout, command)
                if found is not None:
                    return found
                invalid, overtaken = _never_valid(rollout), _overtaken(rollout, command)
                if _is_lost(rollout, command):
                    await _write(requests, ref, command)
                    overtaken = ""
    except TimeoutError:
        pass
    if invalid:
        raise Unavailable(
            f"the spec is invalid and was never valid, so no command can be carried out; correct it: {invalid}"
        )
    if overtaken:
        return Answer(accepted=False, text=f"{command['verb']} {overtaken}; {_CALL_AGAIN}")
    raise Unavailable(
        f"no controller answered within {ANSWER_SECONDS:g} s. The command is written, and is carried"
        " out when one runs; see whether one does: `kubectl get pods -A -l app.kubernetes.io/name=rollouts`"
    )


def _told(rollout: FrozenJSON, command: JSON) -> Answer | None:
    """Return the answer to the command, or what became of the one that was written over it."""
    last, verb = _last(rollout), command["verb"]
    if _is_answered(rollout, command):
        verb = last.get("verb", verb)
        text = last.get("message", "")
        accepted = bool(last.get("accepted"))
        return Answer(accepted, f"{verb}: {text}" if accepted else f"{verb} is refused: {text}")
    other = _standing(rollout)
    if other is None or not _is_answered(rollout, other) or _is_lost(rollout, command):
        return None
    became = "accepted" if last.get("accepted") else "refused"
    text = f"{verb} was overtaken by {_named(other)}, which was {became}: {last.get('message', '')}"
    if last.get("accepted") and _is_same(rollout, other, command):
        return Answer(accepted=True, text=text)
    return Answer(accepted=False, text=f"{text}; {_CALL_AGAIN}")


def _overtaken(rollout: FrozenJSON, command: FrozenJSON) -> str:
    """Return, in words, what has taken the place of a command that nobody has answered; nothing while it is there."""
    other = _standing(rollout)
    if other is None:
        return "was taken out of the annotation by somebody before it was answered"
    if other.get("id") == command["id"]:
        return ""
    return f"was overtaken by {_named(other)}, which is not answered yet"


def _named(command: FrozenJSON) -> str:
    """Return a command as messages name it, such as `promote of ann`."""
    who = f" of {command['by']}" if command.get("by") else ""
    return f"{command['verb']}{who}"


def _is_lost(rollout: FrozenJSON, command: JSON) -> bool:
    """Return whether an abort was written over by something else, and is to be written again."""
    other = _standing(rollout)
    if command["verb"] != "abort" or other is None or other.get("id") == command["id"]:
        return False
    return not _is_same(rollout, other, command)


def _is_same(rollout: FrozenJSON, one: FrozenJSON, other: FrozenJSON) -> bool:
    """Return whether two commands ask for the same thing of the same revision."""
    current = (rollout.get("status") or {}).get("currentRevision") or {}
    hashes = {str(current.get("number")): current.get("hash")}

    def wish(command: FrozenJSON) -> list[str]:
        revision = str(command.get("revision") or "")
        rest = (str(command.get(field) or "") for field in ("verb", "step", "hold", "to"))
        return [str(hashes.get(revision, revision)), *rest]

    return wish(one) == wish(other)


def _unanswered(rollout: FrozenJSON) -> JSON | None:
    """Return the command that is written and that nobody has answered."""
    found = _standing(rollout)
    return None if found is None or _is_answered(rollout, found) else found


def _is_answered(rollout: FrozenJSON, command: FrozenJSON) -> bool:
    """Return whether it is the last that was answered; a bare verb has no id until the controller has seen it."""
    return bool(command.get("id")) and command["id"] == _last(rollout).get("id")


def _standing(rollout: FrozenJSON) -> JSON | None:
    """Return the command in the annotation; None when there is none that can be read."""
    text = str((rollout["metadata"].get("annotations") or {}).get(COMMAND_ANNOTATION) or "").strip()
    try:
        found = json.loads(text)
    except ValueError:
        return {"verb": text} if text.replace("-", "").isalpha() else None  # as kubectl writes it
    return found if isinstance(found, dict) and isinstance(found.get("verb"), str) else None


def _last(rollout: FrozenJSON) -> JSON:
    return (rollout.get("status") or {}).get("lastCommand") or {}


def _never_valid(rollout: FrozenJSON) -> str:
    """Return what is wrong with a spec that was never valid, or nothing: by a valid one it would be carried out."""
    status = rollout.get("status") or {}
    conditions = () if status.get("effectiveSpec") else status.get("conditions") or ()
    held = (each for each in conditions if each.get("type") == "InvalidSpec")
    return next((str(each.get("message")) for each in held if each.get("status") == "True"), "")
