"""Lists: selection, pages, and the continue token."""

import base64
import json

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.conversion import converted
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.list_options import check_list, check_readable
from rollouts.sandbox.apiserver.objects import clone, key_of
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.selectors import selection
from rollouts.sandbox.apiserver.store import Store

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You must start"
    " a new list without the continue parameter."
)


def selected(store: Store, call: Call) -> list[FrozenJSON]:
    """Return the stored objects that a list, watch or deletecollection is about."""
    target = call.target
    chosen = selection(call.request.query, call.resource.kind.plural, target.name)
    return [obj for obj in store.scan(call.resource, target.namespace) if chosen.matches(obj)]


def presented(obj: FrozenJSON, resource: Resource) -> JSON:
    """Return a copy of a stored object, as a client gets it."""
    return converted(clone(obj), resource)


def page(store: Store, call: Call) -> JSON:
    """
    Return the list object that a call asks for: labelSelector, fieldSelector, limit, continue.

    Raises:
        ApiError: 400 for a selector or token that makes no sense, 422 for such options, 410 for
            a revision that is forgotten, 504 for a future one.
    """
    resource, query = call.resource, call.request.query
    check_list(call)
    check_readable(store, call)
    found = selected(store, call)
    revision = str(store.revision)
    if query.get("continue"):
        revision, start = _read_token(query["continue"])
        if int(revision) < store.compacted:
            raise ApiError(410, _TOO_OLD)
        found = [obj for obj in found if key_of(obj) > start]
    listed: JSON = {
        "kind": resource.list_kind,
        "apiVersion": resource.kind.api_version,
        "metadata": {"resourceVersion": revision},
    }
    limit = int(call.number("limit") or 0)
    if query.get("resourceVersion") == "0":  # as from a cache, which has all of it at hand
        limit = 0
    if limit and len(found) > limit:
        listed["metadata"]["continue"] = _token(revision, found[limit - 1])
        listed["metadata"]["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    listed["items"] = [presented(obj, resource) for obj in found]
    if resource.custom is None:
        for item in listed["items"]:
            del item["apiVersion"], item["kind"]
    return listed


def _token(revision: str, last: FrozenJSON) -> str:
    raw = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key_of(last)})
    return base64.urlsafe_b64encode(raw.encode()).decode()


def _read_token(token: str) -> tuple[str, tuple[str, str]]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = decoded["start"]
        return str(decoded["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(400, "continue key is not valid") from error
