"""Which versions may become stable, whatever they do: those that people have had a hand in."""

from collections.abc import Iterable

from rollouts.controller.commands import read_command
from rollouts.core.next.commands import PROMOTES
from rollouts.core.world import under_way
from rollouts.model.kinds import FrozenJSON
from rollouts.model.status import RolloutStatus


class Pardons:
    def __init__(self) -> None:
        self.released = ""
        """The version that the template has by now."""
        self._versions: set[str] = set()

    def give(self, versions: Iterable[str]) -> None:
        self._versions.update(versions)

    def at_first_sight(self, rollout: FrozenJSON, status: RolloutStatus) -> None:
        """Pardon what a promote comes with that names no revision, and is read while nothing is under way."""
        command, _ = read_command(rollout)
        if command is None or command.verb not in PROMOTES or command.revision:
            return
        is_answered = status.last_command is not None and status.last_command.id == command.id
        if not is_answered and not under_way(status):
            self._versions.add(self.released)

    def is_for(self, version: str | None) -> bool:
        return version in self._versions
