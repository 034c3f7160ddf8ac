"""Observations that are compared with the cluster each time."""

from rollouts.controller.observation_input import ObservationInput
from rollouts.controller.observations import Observations
from rollouts.controller.observe import observe
from rollouts.core.world import Observed
from rollouts.model.kinds import FrozenJSON
from rollouts.ports import Reads


class ComparedObservations(Observations):
    """Fails where what is remembered is not what would be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.compared = 0

    def observe(
        self, cluster: Reads, rollout: FrozenJSON, inputs: ObservationInput, *, quiet_seconds: float
    ) -> Observed:
        seen = super().observe(cluster, rollout, inputs, quiet_seconds=quiet_seconds)
        assert seen == observe(cluster, rollout, inputs, quiet_seconds=quiet_seconds)
        self.compared += 1
        return seen
