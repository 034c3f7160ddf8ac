"""The /scale subresource: one object, autoscaling/v1 Scale, for every kind that has replicas."""

from typing import Any

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError, Cause, conflict, invalid, shown
from rollouts.sandbox.apiserver.objects import clone, get_path, set_path
from rollouts.sandbox.apiserver.registry import Resource, ScalePaths
from rollouts.sandbox.apiserver.selectors import selector_string


def _paths(resource: Resource) -> ScalePaths:
    assert resource.scale is not None, "the server routes /scale only where there is one"
    return resource.scale


def scale_of(obj: FrozenJSON, resource: Resource) -> JSON:
    """
    Return the Scale of an object.

    Raises:
        ApiError: 500, the object has no replicas.
    """
    paths, meta = _paths(resource), obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: JSON = {"replicas": get_path(obj, paths.status, 0)}
    selector = get_path(obj, paths.selector) if paths.selector else None
    if selector:
        text = selector if isinstance(selector, str) else selector_string(selector)
        status["selector"] = text
    replicas = get_path(obj, paths.spec)
    if replicas is None:
        path = f".{paths.spec}"
        raise ApiError(
            500, f'Internal error occurred: the spec replicas field "{path}" does not exist'
        )
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def scaled(obj: FrozenJSON, resource: Resource, scale: Any) -> JSON:
    """
    Return a copy of an object with the replicas that a Scale wants.

    Raises:
        ApiError: 422, replicas is no number from 0; 409, the Scale is of an older version.
    """
    kind, name = resource.kind, obj["metadata"]["name"]
    wanted = get_path(scale, "spec.replicas", 0)
    if not isinstance(wanted, int) or wanted < 0:
        message = f"Invalid value: {shown(wanted)}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", name, [Cause("spec.replicas", message)])
    version = get_path(scale, "metadata.resourceVersion")
    if version and version != obj["metadata"]["resourceVersion"]:
        raise conflict(kind.plural, kind.group, name)
    if not isinstance(scale, dict):
        raise ApiError(400, "the body of the request is no object")
    copy: JSON = clone(obj)
    set_path(copy, _paths(resource).spec, wanted)
    return copy
