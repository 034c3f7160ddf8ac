"""
The error tree, named by what the reader of an error has to do.

    RolloutsError
    ├── RetryLater       try the same again, after `after_seconds`
    │   ├── Conflict     somebody wrote first: observe again, then decide again
    │   └── Unavailable  the other side did not answer, or answered nonsense
    │       ├── TooSlow  it did not answer in time: ask for less, or later
    │       ├── TooLarge its answer has more than we can hold: ask for less
    │       └── Outdated what is known may be of a lost future: write nothing decided by it
    └── Permanent        trying again changes nothing; somebody has to act
        ├── InvalidSpec  the user's object is wrong; carries field, reason and way out
        ├── NotFound     the object named is not there
        ├── Forbidden    a permission is missing; carries which
        ├── Unauthorized the credentials are not accepted: log in again, or renew the token
        └── UsageError   a command was called wrongly
"""

from dataclasses import dataclass

MOST_ERRORS_TOLD = 10
"""So many errors of an object are told in one sentence: it goes into status several times."""


class RolloutsError(Exception):
    """The root: what we raise on purpose. Anything else is a bug of ours."""


class RetryLater(RolloutsError):
    """The same may succeed later; `after_seconds` is None when the usual back-off will do."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Conflict(RetryLater):
    """The object has changed since it was read (HTTP 409)."""


class Unavailable(RetryLater):
    """The API server or a metrics provider did not answer, or not in its protocol."""


class TooLarge(Unavailable):
    """The answer has more than we can hold; one to a smaller question may have less."""


class TooSlow(Unavailable):
    """There was no answer in time; to a smaller question there may be one."""


class Outdated(Unavailable):
    """What was decided may rest on what a restored backup has lost: nothing else of it may be written."""


class Permanent(RolloutsError):
    """Trying again changes nothing until somebody acts."""


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong in an object: `field` is its path, such as spec.replicas."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidSpec(Permanent):
    """An object of the user's breaks the schema or a rule; `errors` names every field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        told = "; ".join(str(error) for error in errors[:MOST_ERRORS_TOLD])
        more = len(errors) - MOST_ERRORS_TOLD
        super().__init__(f"{told}; and {more} more" if more > 0 else told)
        self.errors = errors


class NotFound(Permanent):
    """The object is not there."""


class Forbidden(Permanent):
    """The API server refuses: a permission is missing."""


class Unauthorized(Permanent):
    """The API server does not accept the credentials (HTTP 401), so that no permission would help."""


class UsageError(Permanent):
    """A verb was called in a way it does not take."""
