"""
What an API server's refusals mean to us, as the error tree says it.

A refusal is a Kubernetes `Status` object (or, from a proxy in between, any text).
"""

from collections.abc import Mapping
from typing import Any

from rollouts.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidSpec,
    NotFound,
    Permanent,
    RetryLater,
    RolloutsError,
    Unauthorized,
    Unavailable,
)
from rollouts.model.truncation import truncated


class Expired(RetryLater):
    """
    The API server knows nothing of the resourceVersion: list again.

    It is older than what it remembers (HTTP 410), or, after a restore from a backup, younger
    than anything it has (HTTP 504 with the cause ResourceVersionTooLarge). A watch from such a
    one is silent: not even a bookmark comes.
    """


def api_error(
    status: int, answer: Mapping[str, Any], *, asked: str, after_seconds: float | None = None
) -> RolloutsError:
    """
    Return the error for an HTTP `status` that is no success.

    `answer` is the Status object, or empty when the answer was none; `asked` says in words
    what was requested, and `after_seconds` how long Retry-After asks to wait.
    """
    reason = truncated(str(answer.get("message") or f"the server answered HTTP {status}"))
    message = f"{asked}: {reason}"
    if status == 409:
        return Conflict(message)
    if status == 410 or "ResourceVersionTooLarge" in _cause_types(answer):
        return Expired(message)
    if status == 429 and "DisruptionBudget" in _cause_types(answer):
        said = [truncated(str(cause.get("message") or "")) for cause in _causes(answer)]
        return RetryLater(" ".join([reason, *filter(None, said)]))
    if status == 429 or status >= 500:
        asked_for = _after_seconds(answer) if after_seconds is None else after_seconds
        return Unavailable(message, after_seconds=asked_for)
    if status == 404:
        return NotFound(message)
    if status == 401:
        return Unauthorized(f"{asked}: the API server does not accept the credentials ({reason})")
    if status == 403:
        return Forbidden(f"{asked}: a permission is missing: {reason}")
    if status == 422:
        return InvalidSpec(_field_errors(answer, asked, reason))
    return Permanent(message)


def is_unreachable(error: Exception) -> bool:
    """Return whether an error says that nobody is there; who asks to wait is."""
    return isinstance(error, Unavailable) and error.after_seconds is None


def _after_seconds(answer: Mapping[str, Any]) -> float | None:
    """Return how long the Status asks to wait, which is a whole number; 0 is what it is without one."""
    said = _details(answer).get("retryAfterSeconds")
    return float(said) if isinstance(said, int) and said > 0 else None


def _field_errors(answer: Mapping[str, Any], asked: str, reason: str) -> tuple[FieldError, ...]:
    errors = tuple(
        FieldError(
            truncated(str(cause.get("field") or asked)),
            truncated(str(cause.get("message") or reason)),
        )
        for cause in _causes(answer)
    )
    return errors or (FieldError(asked, reason),)


def _cause_types(answer: Mapping[str, Any]) -> list[Any]:
    return [cause.get("reason") or cause.get("type") for cause in _causes(answer)]


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    causes = _details(answer).get("causes")
    return [each for each in causes if isinstance(each, dict)] if isinstance(causes, list) else []


def _details(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, dict) else {}
