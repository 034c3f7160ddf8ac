"""An object in the version that was asked for: custom resources change their name tag, events their fields."""

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import NEW_EVENT
from rollouts.sandbox.apiserver.registry import Resource

_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_EVENT_FIELDS = {new: old for old, new in _EVENT_FIELDS.items()}


def converted(obj: JSON, resource: Resource) -> JSON:
    """Return a stored object, which is the caller's own, as `resource` serves it."""
    if obj.get("apiVersion") == resource.kind.api_version:
        return obj
    if resource.kind == NEW_EVENT:
        obj = {_EVENT_FIELDS.get(key, key): value for key, value in obj.items()}
    obj["apiVersion"] = resource.kind.api_version
    return obj


def stored_form(obj: JSON, resource: Resource) -> JSON:
    """Return an object, which is the caller's own, as it is kept."""
    if resource.kind == NEW_EVENT:
        obj = {_CORE_EVENT_FIELDS.get(key, key): value for key, value in obj.items()}
    obj["apiVersion"] = resource.storage.api_version
    return obj
