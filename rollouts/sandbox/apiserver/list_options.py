"""Which resourceVersions a list or a watch may ask for, and how it may ask for them."""

from collections.abc import Iterator

from rollouts.sandbox.apiserver.errors import ApiError, Cause, invalid, shown
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.store import Store

EXACT, NOT_OLDER = "Exact", "NotOlderThan"


def check_list(call: Call) -> None:
    """Raise the 422 that a list gets whose options contradict each other."""
    _refuse(list(_wrong_of_list(call)))


def check_watch(call: Call) -> None:
    """Raise the 422 that a watch gets whose options contradict each other."""
    _refuse(list(_wrong_of_watch(call)))


def _wrong_of_list(call: Call) -> Iterator[Cause]:
    match, version = call.asks("resourceVersionMatch"), call.asks("resourceVersion")
    if match and not version:
        yield _forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match and call.asks("continue"):
        yield _forbidden("resourceVersionMatch is forbidden when continue is provided")
    if match not in ("", EXACT, NOT_OLDER):
        yield _unsupported(match, [EXACT, NOT_OLDER, ""])
    if match == EXACT and version == "0":
        yield _forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if call.asks("sendInitialEvents"):
        yield _forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents")


def _wrong_of_watch(call: Call) -> Iterator[Cause]:
    match, initial = call.asks("resourceVersionMatch"), call.asks("sendInitialEvents")
    if initial and match != NOT_OLDER:
        yield _forbidden(f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER}")
    if match and not initial:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        yield _forbidden(why)
    if match not in ("", NOT_OLDER):
        yield _unsupported(match, [NOT_OLDER])


def _forbidden(why: str, field: str = "resourceVersionMatch") -> Cause:
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def _unsupported(match: str, choices: list[str]) -> Cause:
    listed = ", ".join(map(shown, choices))
    message = f"Unsupported value: {shown(match)}: supported values: {listed}"
    return Cause("resourceVersionMatch", message, "FieldValueNotSupported")


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)


def revision_of(asked: str) -> int:
    """
    Return a resourceVersion parameter as a number, 0 when absent.

    Raises:
        ApiError: 400 when it is no number.
    """
    if not asked:
        return 0
    if not asked.isdigit():
        raise ApiError(
            400, f'resourceVersion: Invalid value: "{asked}": strconv.ParseUint: invalid syntax'
        )
    return int(asked)


def check_readable(store: Store, call: Call) -> None:
    """
    Let a list pass whose revision can be answered for.

    Raises:
        ApiError: 504 when it has not happened yet; 410 when it was asked for exactly and is past:
            that is forgotten here as soon as something new happens.
    """
    revision = revision_of(call.asks("resourceVersion"))
    if revision > store.revision:
        message = f"Timeout: Too large resource version: {revision}, current: {store.revision}"
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        raise ApiError(504, message, details={"causes": causes, "retryAfterSeconds": 1})
    if call.asks("resourceVersionMatch") == EXACT and revision < store.revision:
        raise ApiError(410, "The resourceVersion for the provided list is too old.")
