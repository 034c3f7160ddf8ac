"""What a step says of itself: that it is done, what it waits for, or that it ends the release."""

from dataclasses import dataclass
from datetime import datetime

from rollouts.model.status import PauseReason


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    The step goes on: why, and when time alone may end it.

    `pause` is set when only a person, or better evidence, can end it; `leans` when evidence
    that leans against the release is what it waits over.
    """

    why: str
    until: datetime | None = None
    pause: PauseReason | None = None
    leans: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The step ends the release: an analysis could not say, and that means rollback here."""

    why: str


State = Done | Waiting | Refused
