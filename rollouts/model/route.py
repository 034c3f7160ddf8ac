"""What the routing objects say now, whichever router wrote them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something that is in the way: a condition's reason, and a sentence with the way out.

    A trap that does not stop a release (`blocking` is False) is only reported.
    """

    reason: str
    message: str
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """
    The routing objects, as one.

    `weight` is what all of them say (0 when none exists), or None when they differ or some
    are absent; `highest` is the most that any of them may be sending to the canary now.
    `intact` is False when someone changed what we wrote.
    """

    exists: bool = False
    weight: int | None = 0
    highest: int = 0
    intact: bool = True
    problems: tuple[Problem, ...] = ()

    @property
    def obstacles(self) -> tuple[Problem, ...]:
        """The problems that no weight may be raised over."""
        return tuple(problem for problem in self.problems if problem.blocking)
