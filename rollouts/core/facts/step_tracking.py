"""The steps that an attempt has entered, found again by their labels in a spec that was edited."""

from collections.abc import Sequence
from datetime import datetime

from rollouts.core.world import under_way
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.step_labels import ENDED, PROMOTION, entered_steps, step_labels

_ROUTES = ("setHeaderRoute", "setMirrorRoute")


def named_step(steps: Sequence[str], index: int) -> str:
    """Return a step as messages name it: `step 2/3 (setWeight 50)`, or `the promotion`."""
    if index >= len(steps):
        return f"the {PROMOTION}"
    return f"step {index + 1}/{len(steps)} ({steps[index]})"


def no_such_step(name: str) -> str:
    """Return the answer to a command that names what is no step."""
    return (
        f"the command names step {name}; give its number as messages show it, such as 2 for step 2/6, or"
        f" {PROMOTION}; without a step the current one is meant"
    )


def found_again(spec: RolloutSpec, status: RolloutStatus, now: datetime) -> RolloutStatus | None:
    """
    Return the status with its current step where it is in `spec`; None when that can't be known.

    What is in front of it has been passed, whatever it is now, and moves nothing. A status of
    before the steps were remembered is trusted by its index.
    """
    index, past, steps = status.current_step_index, status.entered_steps, step_labels(spec)
    if not under_way(status) or index is None:
        return status
    if not past and status.promoted != "Full":
        begun = index > 0 or status.weights.desired > 0
        return status.evolve(entered_steps=entered_steps(spec, index)) if begun else status
    found = _index(past, steps)
    if found is None:
        return None
    moved = status.evolve(current_step_index=found, entered_steps=entered_steps(spec, found))
    if status.promoted != "Full" and moved.entered_steps[-1] != past[-1]:
        moved = moved.evolve(promoted="")  # a person passed that step, and not what it is now
    if found < len(steps) and past[-1] == "pause" and steps[found] != "pause":
        # It had no clock until now; the time before the edit is not a part of it.
        return moved.evolve(step_started_at=now)
    return moved


def resumes_at(past: Sequence[str], steps: Sequence[str]) -> int:
    """Return the step that follows the last one up to which nothing has changed."""
    same = 0
    for before, after in zip(past, steps, strict=False):
        if before != after:
            break
        same += 1
    return same


def _index(past: Sequence[str], steps: Sequence[str]) -> int | None:
    """
    Return where the last of the steps that were entered is now.

    Nothing may be in front of it that was not entered: what is taken for passed would never
    be done. Where nothing has changed up to the current step, it is there or it is gone.
    """
    if not past or past[-1] == PROMOTION:
        return len(steps)
    passed = list(past[:-1])
    if list(steps[: len(passed)]) != passed:
        index = _moved(past, steps)
    elif len(steps) > len(passed) and _kind(steps[len(passed)]) == _kind(past[-1]):
        index = len(passed)
    else:
        return None
    if index is None or not _routes(steps[: index + 1]).items() <= _routes(past).items():
        return None
    return index


def _moved(past: Sequence[str], steps: Sequence[str]) -> int | None:
    """
    Return where the current step is, when those in front of it have changed; None if that is not sure.

    All that were entered are there, and new ones in front; or the first of them were removed.
    A gate that waits for a person is found by kinds too: nothing goes on from there by itself.
    """
    entered = list(past)
    size = len(entered)
    whole = [
        index
        for index in range(size - 1, len(steps))
        if list(steps[index + 1 - size : index + 1]) == entered
    ]
    if whole:
        return whole[0] if len(whole) == 1 else None
    fewer = range(min(size, len(steps)))
    found = {index for index in fewer if list(steps[: index + 1]) == entered[-index - 1 :]}
    found |= _gates(entered, steps)
    return found.pop() if len(found) == 1 else None


def _gates(past: Sequence[str], steps: Sequence[str]) -> set[int]:
    """Return which gates the current step may be, which is one, by the kinds of what led to it."""
    if past[-1] != "pause":
        return set()
    kinds = [_kind(each) for each in past]
    found = {
        index
        for index in range(min(len(past), len(steps)))
        if steps[index] == "pause"
        and [_kind(each) for each in steps[: index + 1]] == kinds[-index - 1 :]
    }
    whole = len(past) - 1
    return {whole} if whole in found else found


def _kind(words: str) -> str:
    return words.split(maxsplit=1)[0]


def _routes(steps: Sequence[str]) -> dict[str, str]:
    """Return the header and mirror routes that hold after these steps: none may open unentered."""
    holding: dict[str, str] = {}
    for each in steps:
        kind, _, rest = each.partition(" ")
        if kind in _ROUTES:
            name, what = rest.split()
            holding.pop(f"{kind} {name}", None)
            if what != ENDED:
                holding[f"{kind} {name}"] = what
    return holding
