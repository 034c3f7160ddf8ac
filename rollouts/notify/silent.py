"""A `Notifier` for those who want none."""

from rollouts.ports import Notice


class SilentNotifier:
    """Tells nobody."""

    async def notify(self, notice: Notice) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
