"""What an autoscaler scales: any object of any kind that has a /scale subresource."""

from dataclasses import dataclass

from rollouts.model.kinds import JSON, POD, FrozenJSON
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.scale import scale_of, scaled
from rollouts.sandbox.apiserver.selectors import label_selector
from rollouts.sandbox.apiserver.store import Store


class NoTarget(Exception):
    """There is nothing to scale, in the words of a condition's message."""


@dataclass(frozen=True, slots=True)
class Target:
    """An object as its /scale shows it: the size that is wanted, what there is, and its pods."""

    resource: Resource
    namespace: str
    name: str
    wanted: int
    present: int
    selector: str

    def pods(self, store: Store) -> list[JSON]:
        """Return the pods that the selector names."""
        matches = label_selector(self.selector)
        return [pod for pod in store.select(POD, self.namespace) if matches(pod)]

    def resize(self, store: Store, replicas: int) -> None:
        """
        Set the size that is wanted, through /scale.

        Raises:
            ApiError: it is refused.
        """
        found = store.stored(self.resource, self.namespace, self.name)
        wish = {"spec": {"replicas": replicas}}
        current = store.get(self.resource.kind, self.namespace, self.name) or found
        store.replace(self.resource.kind, scaled(current, self.resource, wish), "scale")


def target_of(store: Store, namespace: str, reference: FrozenJSON) -> Target:
    """
    Return what a scaleTargetRef names.

    Raises:
        NoTarget: there is no such kind, it has no /scale, or there is no such object.
    """
    name, kind = reference["name"], reference["kind"]
    resource = resource_of(store, reference)
    if resource is None:
        version = reference.get("apiVersion", "")
        raise NoTarget(f'no matches for kind "{kind}" in version "{version}" with a scale')
    try:
        scale = scale_of(store.stored(resource, namespace, name), resource)
    except ApiError as error:
        raise NoTarget(error.message) from error
    return Target(
        resource,
        namespace,
        name,
        get_path(scale, "spec.replicas", 0),
        get_path(scale, "status.replicas", 0),
        get_path(scale, "status.selector", ""),
    )


def resource_of(store: Store, reference: FrozenJSON) -> Resource | None:
    """Return the kind that a reference names, at its version or else another, if it can be scaled."""
    group, _, version = reference.get("apiVersion", "").rpartition("/")
    found = [
        resource
        for resource in store.registry
        if resource.kind.group == group
        and resource.kind.name == reference["kind"]
        and resource.scale is not None
    ]
    exact = (resource for resource in found if resource.kind.version == version)
    return next(exact, found[0] if found else None)
