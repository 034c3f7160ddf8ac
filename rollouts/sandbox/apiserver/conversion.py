"""An object in the version that was asked for: custom resources change their name tag, events their fields."""

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.builtins import NEW_EVENT
from rollouts.sandbox.apiserver.registry import Registry, Resource
from rollouts.sandbox.apiserver.schema import pruned

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
    elif resource.custom is not None:
        pruned(obj, resource.custom.schema)
    obj["apiVersion"] = resource.kind.api_version
    return obj


def as_served(obj: JSON, kind: Kind, registry: Registry) -> JSON:
    """Return a stored object in the version of `kind`; as it is kept, while that is not served."""
    resource = registry.served(kind)
    return converted(obj, resource) if resource else obj


def stored_form(obj: JSON, resource: Resource) -> JSON:
    """Return an object, which is the caller's own, as it is kept."""
    if resource.kind == NEW_EVENT:
        obj = {_CORE_EVENT_FIELDS.get(key, key): value for key, value in obj.items()}
    custom = resource.custom
    obj["apiVersion"] = custom.stored_api_version if custom else resource.storage.api_version
    return obj
