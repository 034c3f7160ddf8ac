"""What every stand-in for the monitor of a reconciler does: it knows whom it follows, and its last look."""

from rollouts.analysis.target import Target
from rollouts.model.evidence import Look
from rollouts.model.keys import Key


class Following:
    def __init__(self) -> None:
        self.targets: dict[Key, Target] = {}
        self._looks: dict[Key, Look] = {}

    def follow(self, target: Target) -> None:
        self.targets[target.key] = target

    def forget(self, key: Key) -> None:
        self.targets.pop(key, None)
        self._looks.pop(key, None)

    def latest(self, key: Key) -> Look | None:
        return self._looks.get(key)
