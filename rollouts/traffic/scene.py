"""What a router sees: the Rollout, and the routing objects of its namespace."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.model.spec import RolloutSpec


@dataclass(frozen=True, slots=True)
class Scene:
    """One Rollout's surroundings, as the caches show them."""

    spec: RolloutSpec
    rollout: FrozenJSON
    objects: Mapping[Kind, Mapping[str, JSON]] = field(default_factory=dict)
    """By kind and name; of the Rollout's namespace."""
    served: Mapping[Kind, str] = field(default_factory=dict)
    """The version that is served, of the kinds that come with a CRD; absent: not installed."""

    def of(self, kind: Kind) -> Mapping[str, JSON]:
        """Return the objects of one kind, by name."""
        return self.objects.get(kind, {})
