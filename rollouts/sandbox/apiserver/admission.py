"""What every write passes before it is stored: defaults, validation, and the kinds that define kinds."""

from typing import TYPE_CHECKING

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.registry import Resource

if TYPE_CHECKING:
    from rollouts.sandbox.apiserver.store import Store


class Admission:
    """The gate in front of the store."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def admit(
        self, resource: Resource, obj: JSON, current: FrozenJSON | None, subresource: str = ""
    ) -> None:
        """
        Complete `obj` with defaults, in place, and refuse it when it is invalid.

        Raises:
            ApiError: 422, with a cause per field.
        """

    def admitted(self, resource: Resource, obj: FrozenJSON) -> None:
        """Follow what has been stored."""

    def removed(self, resource: Resource, obj: FrozenJSON) -> None:
        """Follow what has been removed."""
