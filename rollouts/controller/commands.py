"""The command annotation: `{"id", "verb", "revision", "step", "by", "at"}`, or the bare verb."""

import hashlib
import json
import re
from datetime import datetime

from rollouts.core.facts import no_such_step
from rollouts.core.plan.actions import NameCommand
from rollouts.core.world import Command
from rollouts.model.kinds import COMMAND_ANNOTATION, FrozenJSON
from rollouts.model.moments import format_time
from rollouts.model.truncation import sendable

_VERB = re.compile(r"[a-z][a-z-]{0,62}")
_MOST_DIGITS = 10
_WORDS = ("id", "verb", "revision", "step", "hold", "by", "reason", "to", "at")
_WAY_OUT = 'give a verb, such as promote, or {"verb": "promote"}'
LONGEST_WORD = 1024
"""
So many characters of a word of a command are read. It is repeated in status, in history and in an
event, and status that is too large for etcd would never be written.
"""


def annotation(rollout: FrozenJSON) -> str:
    """Return the text of the command annotation, empty when there is none."""
    annotations = rollout["metadata"].get("annotations") or {}
    return str(annotations.get(COMMAND_ANNOTATION) or "").strip()


def read_command(rollout: FrozenJSON) -> tuple[Command | None, str]:
    """
    Return the command that the annotation gives, and why it can't be understood.

    One that can't be read at all gets an id that follows from its text, so that it is refused
    once. Only of a promote is the step looked at: nothing is in the way of an abort.
    """
    text = annotation(rollout)
    if not text:
        return None, ""
    if _VERB.fullmatch(text):
        return Command(id="", verb=text), ""
    given, unreadable = _parsed(text)
    if unreadable:
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return Command(id=f"unreadable-{digest}", verb="?"), unreadable
    words = {name: str(given.get(name) or "") for name in _WORDS if name != "at"}
    if words["verb"] == "promote" and not _is_step(given.get("step")):
        step = json.dumps(given["step"])[:80]
        return Command(**words), no_such_step(step)
    return Command(**words), ""


def _is_step(value: object) -> bool:
    """Return whether a step is named, or none is; whether there is one of that name is seen later."""
    if isinstance(value, str) and value.isdecimal():
        return len(value) < _MOST_DIGITS and int(value) >= 1
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= 1
    return value is None or isinstance(value, str)


def named(rollout: FrozenJSON, action: NameCommand, at: datetime) -> str:
    """Return the annotation with what it lacks, and everything that it says already."""
    given, _ = _parsed(annotation(rollout))
    command = {
        "id": action.id,
        "verb": action.verb,
        "revision": given.get("revision") or action.revision or None,
        "step": given.get("step"),
        "hold": given.get("hold"),
        "by": given.get("by") or "kubectl",
        "reason": given.get("reason"),
        "to": given.get("to"),
        "at": given.get("at") or format_time(at),
    }
    return json.dumps({key: value for key, value in command.items() if value is not None})


def _parsed(text: str) -> tuple[FrozenJSON, str]:
    """Return what the words of a command are, and why it can't be understood."""
    try:
        given = json.loads(text)
        read = isinstance(given, dict) and {
            name: _word(given[name]) for name in _WORDS if name in given
        }
    except (ValueError, RecursionError):  # the latter where it is too deep
        return {}, f"{COMMAND_ANNOTATION} holds neither a verb nor JSON: {text[:80]!r}; {_WAY_OUT}"
    if read is False:
        return (
            {},
            f"{COMMAND_ANNOTATION} holds JSON that is not an object: {text[:80]!r}; {_WAY_OUT}",
        )
    verb = read.get("verb")
    if not isinstance(verb, str) or not _VERB.fullmatch(verb):
        return {}, f"{COMMAND_ANNOTATION} holds no verb: {text[:80]!r}; {_WAY_OUT}"
    return read, ""


def _word(value: object) -> object:
    """
    Return a word of a command as one that can be repeated: it is short, and half a surrogate is `?`.

    An API server would keep another character in its place, so that an id would never be known again.
    """
    text = value if isinstance(value, str) else json.dumps(value)
    text = sendable(text)
    if len(text) > LONGEST_WORD:
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return f"{text[: LONGEST_WORD - 13]}…{digest}"  # two long ids are two
    return text if isinstance(value, str | dict | list) else value
