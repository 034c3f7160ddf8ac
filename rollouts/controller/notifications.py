"""Telling people, beside the work: nothing ever waits for it, and it may fail."""

import asyncio

import structlog

from rollouts.errors import RolloutsError
from rollouts.ports import Notification, Notifier

log = structlog.get_logger(__name__)

NOTIFIED_REASONS = frozenset(
    {
        "BackToStable",
        "Blocked",
        "FirstDeploy",
        "Inconclusive",
        "InvalidSpec",
        "MetricsUnavailable",
        "Paused",
        "Promoted",
        "RolledBack",
        "RolloutStarted",
        "StableDown",
        "StepsChanged",
        "StrategyChanged",
    }
)
"""The reasons that people are told of; the others are in events and history."""
MOST_IN_FLIGHT = 64
PATIENCE_SECONDS = 60.0
_SILENT = (
    f"the receiver did not answer within {PATIENCE_SECONDS:g} s; see --notify-webhook, and whether the receiver"
    " runs"
)


class Notifications:
    """Sends each notification in a task of its own; more than `MOST_IN_FLIGHT` at once are dropped, and logged."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, notification: Notification) -> None:
        """Begin to tell people, if it is something for them."""
        if notification.reason not in NOTIFIED_REASONS:
            return
        if len(self._tasks) >= MOST_IN_FLIGHT:
            log.warning(
                "notification dropped", rollout=notification.rollout, reason=notification.reason
            )
            return
        task = asyncio.create_task(self._send(notification))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, patience_seconds: float = 5.0) -> None:
        """Wait a little for what is being sent, and give up on the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._notifier.close()

    async def _send(self, notification: Notification) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._notifier.notify(notification)
        except (RolloutsError, TimeoutError) as error:
            log.warning(
                "notification not delivered",
                rollout=notification.rollout,
                reason=notification.reason,
                problem=str(error) or _SILENT,
            )
        except Exception:
            log.exception(
                "notifier failed", rollout=notification.rollout, reason=notification.reason
            )
