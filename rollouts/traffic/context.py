"""What a router sees: the Rollout, and the routing objects of its namespace."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rollouts.model.kinds import JSON, FrozenJSON, Kind, Ref
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.spec import RolloutSpec
from rollouts.model.truncation import some_of

R = TypeVar("R", bound=RouterSpec)


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """One Rollout's surroundings, as the caches show them."""

    spec: RolloutSpec
    rollout: FrozenJSON
    objects: Mapping[Kind, Mapping[str, JSON]] = field(default_factory=dict)
    """By kind and name; of the Rollout's namespace, where a kind has namespaces."""
    served: Mapping[Kind, str] = field(default_factory=dict)
    """The version that is served, of the kinds that come with a CRD; absent: not installed."""
    unreadable: Mapping[Ref, str] = field(default_factory=dict)
    """Why an object is not what its kind says; of such a one nothing but its metadata is in `objects`."""
    refused: Mapping[Kind, str] = field(default_factory=dict)
    """Why the objects of a kind can't be seen, of those that the controller may not read."""

    def settings_of(self, router: type[R]) -> R:
        """
        Return what the spec says to a router that it names.

        Raises:
            LookupError: it does not name it.
        """
        found = self.spec.router(router)
        if found is None:
            raise LookupError(f"the spec does not name {router.field}")
        return found

    def names(self, router: type[RouterSpec]) -> bool:
        """Return whether the spec names a router."""
        return self.spec.router(router) is not None

    def of(self, kind: Kind) -> Mapping[str, JSON]:
        """Return the objects of one kind, by name."""
        return self.objects.get(kind, {})


def leads_to(services: Iterable[str]) -> str:
    """Return to which Services a route or Ingress leads, in words."""
    known = some_of(set(services))
    return f"it leads to {known}" if known else "it leads to no Service"
