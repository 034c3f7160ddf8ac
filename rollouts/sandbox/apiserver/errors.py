"""The refusals of an API server, in its own words, as one exception with its HTTP status."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON

GENERIC_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object: where, which kind of wrong, and in words."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def as_json(self) -> JSON:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """What a request is refused with; `status()` is the body of the answer."""

    def __init__(
        self, code: int, message: str, *, reason: str = "", details: JSON | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or GENERIC_REASONS.get(code, "")
        self.details = details or {}

    def status(self) -> JSON:
        status: JSON = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if not self.reason:
            del status["reason"]
        if self.details:
            status["details"] = self.details
        return status


class TooBusy(ApiError):
    """No seat is free for the request (API Priority and Fairness): it is refused in plain text, unread."""

    def __init__(self) -> None:
        super().__init__(429, "Too many requests, please try again later.")


def denied(webhook: str, status: FrozenJSON) -> ApiError:
    """Return the refusal of an admission webhook that has answered with `status`; 400 when that has no code."""
    said = status.get("message")
    why = f": {said}" if said else " without explanation"
    error = ApiError(
        status.get("code", 400),
        f'admission webhook "{webhook}" denied the request{why}',
        details=status.get("details"),
    )
    error.reason = status.get("reason", "")
    return error


def webhook_failed(webhook: str, why: str) -> ApiError:
    """Return the refusal where an admission webhook fails whose failure is not ignored."""
    message = f'failed calling webhook "{webhook}": failed to call webhook: {why}'
    details = {"causes": [{"message": message}]}
    return ApiError(500, f"Internal error occurred: {message}", details=details)


def qualified(plural: str, group: str) -> str:
    """Return `deployments.apps`, or `pods` in the core group."""
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str) -> JSON:
    details = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in details.items() if value}


def not_found(plural: str, group: str, name: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, message, details=_details(plural, group, name))


def forbidden(plural: str, group: str, name: str, why: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    return ApiError(403, message, details=_details(plural, group, name))


def no_such_path() -> ApiError:
    return ApiError(404, "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, message, reason="AlreadyExists", details=_details(plural, group, name))


def conflict(plural: str, group: str, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, message, details=_details(plural, group, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """Return the 422 that names every field; `kind` is the kind's name, not its plural."""
    unique = list(dict.fromkeys(causes))
    texts = [str(cause) for cause in unique]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return ApiError(
        422,
        f'{qualified(kind, group)} "{name}" is invalid: {listed}',
        details=_details(kind, group, name) | {"causes": [cause.as_json() for cause in unique]},
    )


def expired(asked: int, oldest: int) -> ApiError:
    return ApiError(410, f"too old resource version: {asked} ({oldest})")


def shown(value: Any) -> str:
    """Return a value as the API server quotes it in `Invalid value: …`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
