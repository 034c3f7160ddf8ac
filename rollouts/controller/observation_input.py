"""What a Rollout is observed by, beside the cluster: its spec, and the little of its status that counts."""

from dataclasses import dataclass
from typing import Self

from rollouts.core.world import split_of
from rollouts.model.route import Split
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


@dataclass(frozen=True, slots=True)
class ObservationInput:
    """Of the same objects, equal inputs give the same observation."""

    spec: RolloutSpec
    split: Split
    """Which header and mirror routes the routing objects are asked about."""
    services: tuple[str, ...]
    """The Services that are bound to a revision, as status remembers."""
    remembers: bool
    """There is a status: without one, as after a restore, what was bound is found by what it selects."""

    @classmethod
    def of(cls, spec: RolloutSpec, status: RolloutStatus) -> Self:
        remembers = status.current_revision is not None
        return cls(spec, split_of(spec, status), tuple(status.services), remembers)
