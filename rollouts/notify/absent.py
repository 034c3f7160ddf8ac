"""A `Notifier` for those who want none."""

from rollouts.ports import Notification


class NoNotifier:
    """Tells nobody."""

    async def notify(self, notification: Notification) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
