"""Answers: JSON bodies, and which form of an object the client asked for."""

import json
from typing import Any

from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import ApiError, TooBusy


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def answer(body: Any, status: int = 200, warnings: list[str] | None = None) -> web.Response:
    """Return a JSON response, with each warning in a Warning header of its own."""
    response = web.Response(text=dumps(body) + "\n", status=status, content_type="application/json")
    for warning in warnings or ():
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def refusal(error: ApiError) -> web.Response:
    if isinstance(error, TooBusy):
        return web.Response(
            text=f"{error.message}\n", status=error.code, headers={"Retry-After": "1"}
        )
    response = answer(error.status(), error.code)
    if "retryAfterSeconds" in error.details:
        response.headers["Retry-After"] = str(error.details["retryAfterSeconds"])
    return response


def wants_table(request: web.Request) -> bool:
    """
    Return whether the first acceptable form is a Table.

    Raises:
        ApiError: 406, no form that we have is acceptable.
    """
    accepted = request.headers.get("Accept", "*/*")
    for option in accepted.split(","):
        media, *parameters = [part.strip() for part in option.split(";")]
        settings = dict(part.partition("=")[::2] for part in parameters)
        if media in ("application/json", "*/*", "application/*", "application/yaml"):
            if "as" not in settings:
                return False
            if settings["as"] == "Table":
                return True
    raise ApiError(406, "only the following media types are accepted: application/json")


def created() -> JSON:
    """Return the Status that answers what is created and is no object, such as a Binding."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }


def success(plural: str, group: str, name: str, uid: str) -> JSON:
    """Return the Status that answers a completed deletion."""
    details = {"name": name, "group": group, "kind": plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
