"""Faults that a test orders: refused writes, requests that get no answer."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from rollouts.sandbox.apiserver.errors import ApiError, TooBusy
from rollouts.sandbox.apiserver.requests import Target

_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_MESSAGES = {
    409: "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
    500: "an error on the server has prevented the request from succeeding",
    503: "the server is currently unable to handle the request",
}


@dataclass(slots=True)
class _Fault:
    plural: str
    verbs: tuple[str, ...]
    error: ApiError
    left: int


class Faults:
    """
    What goes wrong next. Nothing does until a test says so.

    A plural of "" means every kind.
    """

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._flowing = asyncio.Event()
        self._flowing.set()

    def fail_writes(self, plural: str, *, count: int = 1, code: int = 409) -> None:
        """Answer the next `count` writes of a kind with an error, and do not carry them out."""
        self.refuse_writes(plural, _error(code), count=count)

    def refuse_writes(self, plural: str, error: ApiError, *, count: int = 1) -> None:
        """Answer the next `count` writes of a kind with an error that says why, and do not carry them out."""
        self._faults.append(_Fault(plural, _WRITES, error, count))

    def fail(self, verb: str, plural: str = "", *, count: int = 1, code: int = 500) -> None:
        """Answer the next `count` requests with a verb with an error."""
        self._faults.append(_Fault(plural, (verb,), _error(code), count))

    def hang(self) -> None:
        """Answer nothing from now on, until `resume`."""
        self._flowing.clear()

    def resume(self) -> None:
        """Answer again, what has been waiting too."""
        self._flowing.set()

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()
        self.resume()

    async def strike(self, verb: str, target: Target) -> None:
        """
        Let a request meet its fault, if there is one for it.

        Raises:
            ApiError: the refusal that was ordered.
        """
        await self._flowing.wait()
        for fault in self._faults:
            if verb in fault.verbs and fault.plural in ("", target.plural):
                fault.left -= 1
                if not fault.left:
                    self._faults.remove(fault)
                raise fault.error


def _error(code: int) -> ApiError:
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return TooBusy()
    return ApiError(code, _MESSAGES.get(code, "ordered by a test"))
