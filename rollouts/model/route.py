"""What the routing objects say now, whichever router wrote them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is in the way: a condition's reason, and a sentence with the way out."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Route:
    """
    The routing objects, as one.

    `weight` is what all of them say (0 when none exists), or None when they differ or some
    are absent; `highest` is the most that any of them may be sending to the canary now.
    `intact` is False when someone changed what we wrote.
    """

    exists: bool = False
    weight: int | None = None
    highest: int = 0
    intact: bool = True
    problems: tuple[Problem, ...] = ()
