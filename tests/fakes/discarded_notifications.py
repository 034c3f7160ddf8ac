"""Notifications that reach nobody."""

from rollouts.controller.notifications import Notifications
from rollouts.ports import Notification


class DiscardedNotifications(Notifications):
    """Tells nobody."""

    def send(self, notification: Notification) -> None:
        pass
