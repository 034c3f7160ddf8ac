"""The steps that an attempt has entered, found again by their labels in a spec that was edited."""

from collections.abc import Sequence

from rollouts.model.step_labels import ENDED, PROMOTION

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


def resumes_at(past: Sequence[str], steps: Sequence[str]) -> int:
    """Return the step that follows the last one up to which nothing has changed."""
    same = 0
    for before, after in zip(past, steps, strict=False):
        if before != after:
            break
        same += 1
    return same


def found_step(past: Sequence[str], steps: Sequence[str]) -> int | None:
    """
    Return where in `steps` the last of those that were entered is now; None when that can't be known.

    What is in front of it has been passed, whatever it is now. Nothing may be there that was not
    entered: what is taken for passed would never be done. Where nothing has changed up to the
    current step, it is there or it is gone.
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
