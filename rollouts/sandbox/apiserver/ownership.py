"""Who owns which field of an object: metadata.managedFields."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.registry import Resource


@dataclass(frozen=True, slots=True)
class Writer:
    """
    Who writes, and how.

    `applied` says that the body's managedFields are final: server-side apply computed them.
    """

    manager: str
    subresource: str = ""
    dry_run: bool = False
    applied: bool = False


class Ownership:
    """Keeps managedFields true on every write that is no server-side apply."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def record(
        self, resource: Resource, obj: JSON, current: FrozenJSON | None, writer: Writer
    ) -> None:
        """Complete `obj`'s managedFields with what `writer` changes of `current`."""
