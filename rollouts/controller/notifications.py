"""Telling people, beside the work: nothing ever waits for it, and it may fail."""

import asyncio

import structlog

from rollouts.errors import RolloutsError
from rollouts.ports import Notice, Notifier

log = structlog.get_logger(__name__)

TOLD = frozenset(
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
IN_FLIGHT = 64
PATIENCE_SECONDS = 60.0


class Notices:
    """Sends each notice in a task of its own; more than `IN_FLIGHT` at once are dropped, and logged."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, notice: Notice) -> None:
        """Begin to tell people, if it is something for them."""
        if notice.reason not in TOLD:
            return
        if len(self._tasks) >= IN_FLIGHT:
            log.warning("notice dropped", rollout=notice.rollout, reason=notice.reason)
            return
        task = asyncio.create_task(self._send(notice))
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

    async def _send(self, notice: Notice) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._notifier.notify(notice)
        except (RolloutsError, TimeoutError) as error:
            log.warning(
                "notice not delivered",
                rollout=notice.rollout,
                reason=notice.reason,
                problem=str(error) or "the receiver took too long",
            )
        except Exception:
            log.exception("notifier failed", rollout=notice.rollout, reason=notice.reason)
