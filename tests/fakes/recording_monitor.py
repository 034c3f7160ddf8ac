"""What every stand-in for a reconciler's monitor does: it knows whom it follows, and its last round."""

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.model.evidence import MeasurementRound
from rollouts.model.rollout_key import Key


class RecordingMonitor:
    def __init__(self) -> None:
        self.targets: dict[Key, ExposedCanary] = {}
        self._rounds: dict[Key, MeasurementRound] = {}

    def follow(self, target: ExposedCanary) -> None:
        self.targets[target.key] = target

    def forget(self, key: Key) -> None:
        self.targets.pop(key, None)
        self._rounds.pop(key, None)

    def latest(self, key: Key) -> MeasurementRound | None:
        return self._rounds.get(key)
