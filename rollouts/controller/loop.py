"""
All of the controller, running: changes in, reconciles out, until it is told to stop.

One Rollout that is invalid, or whose reconcile raises, never disturbs another.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

from rollouts.analysis.monitor import Monitor
from rollouts.backoff import Backoff
from rollouts.controller.apply import Failure
from rollouts.controller.index import Index
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.notifications import Notifications
from rollouts.controller.queue import WorkQueue
from rollouts.controller.reconcile import Reconciler
from rollouts.controller.settings import ControllerSettings
from rollouts.errors import Conflict, Permanent, RetryLater, RolloutsError
from rollouts.model.kinds import ROLLOUT
from rollouts.model.rollout_key import Key
from rollouts.ports import Clock, Cluster, MetricSources, Notifier

log = structlog.get_logger(__name__)

RETREAT_SECONDS = 2.0
"""The longest that a write which takes traffic from a bad canary waits for its next try."""
STOP_SECONDS = 15.0
"""
How long what is in hand may take when we are to stop: a pod is given half a minute to end.

A write may take longer, and whoever is killed meanwhile does not give back its Lease.
"""


async def concurrently(writes: Iterable[Coroutine[Any, Any, Failure]]) -> list[Failure]:
    """Carry out all of them at the same time; return what came of each when all are over, whatever became of others."""
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    for each in outcomes:
        if isinstance(each, BaseException) and not isinstance(each, RolloutsError):
            raise each  # a bug of ours
    return [each for each in outcomes if each is None or isinstance(each, RolloutsError)]


class Controller:
    """A controller over the four ports. Its caches are filled when `run` is called."""

    def __init__(
        self,
        cluster: Cluster,
        sources: MetricSources,
        notifier: Notifier,
        clock: Clock,
        settings: ControllerSettings,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self.metrics = ControllerMetrics(clock.now)
        self._cluster = cluster
        self._workers = settings.workers
        self._queue = WorkQueue(backoff, self._is_urgent)
        self._index = Index(cluster)
        self._notifications = Notifications(notifier)
        self._monitor = Monitor(
            sources,
            clock,
            self.metrics,
            self._queue.add,
            interval_seconds=settings.interval_seconds,
            replica_labels=settings.prometheus_replica_labels,
        )
        self._reconciler = Reconciler(
            cluster,
            clock,
            self._monitor,
            self._notifications,
            self.metrics,
            settings.quiet_seconds,
            concurrently,
            reads_pages=sources.pages is not None,
            router_places=settings.readings_router,
        )
        self.metrics.watch(lambda: len(self._queue), self._phases)

    async def run(self, stop: asyncio.Event, patience_seconds: float = STOP_SECONDS) -> None:
        """Work until `stop` is set; then finish what is in hand, within so many seconds, and return."""
        feeding = asyncio.create_task(self._feed(), name="changes")
        working = asyncio.create_task(
            self._queue.work(self._handle, self._workers), name="reconciles"
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([feeding, working, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._queue.close()
            feeding.cancel()
            stopping.cancel()
            await asyncio.gather(feeding, stopping, return_exceptions=True)
            await asyncio.wait([working], timeout=patience_seconds)
            working.cancel()  # whoever comes next carries on from any write
            await asyncio.gather(working, return_exceptions=True)
            await self._monitor.close()
            await self._notifications.close()
        for task in (feeding, working):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _is_urgent(self, key: Key) -> bool:
        """Return whether it must not wait for others; it waits where that can't be told."""
        try:
            return self._reconciler.is_urgent(key)
        except Exception:
            log.exception("priority not known", rollout=str(key))
            return False

    async def _feed(self) -> None:
        async for ref in self._cluster.changes():
            for key in self._index.rollouts(ref):
                self._queue.add(key)
            await asyncio.sleep(0)  # the first changes are all that there is: let others work

    async def _handle(self, key: Key) -> None:
        """Reconcile one Rollout; whatever happens stays with it."""
        with self.metrics.reconcile_seconds.time():
            outcome = await self._reconcile(key)
        self.metrics.reconciles.labels(outcome).inc()

    async def _reconcile(self, key: Key) -> str:
        try:
            result = await self._reconciler.reconcile(key)
        except Conflict as error:
            # The newer object is on its way through the watch, and brings the key back at once.
            self._retry(key)
            log.debug("conflict, observing again", rollout=str(key), problem=str(error))
            return "conflict"
        except RetryLater as error:
            delay = self._retry(key, error.after_seconds)
            log.warning("reconcile delayed", rollout=str(key), seconds=delay, problem=str(error))
            return "retry"
        except Permanent as error:
            delay = self._retry(key)
            log.error("reconcile refused", rollout=str(key), seconds=delay, problem=str(error))
            return "permanent"
        except Exception:
            delay = self._retry(key)
            log.exception("reconcile failed", rollout=str(key), seconds=delay)
            return "bug"
        self._queue.forget(key)
        if result.requeue_after_seconds is not None:
            self._queue.add_after(key, result.requeue_after_seconds)
        return "done"

    def _retry(self, key: Key, at_least_seconds: float | None = None) -> float:
        """
        Have it tried again after a back-off.

        That is short while traffic has to go back, and does not put off what is due before its end,
        such as the next step: only something else was refused.
        """
        most = RETREAT_SECONDS if self._reconciler.is_retreating(key) else math.inf
        due = self._reconciler.due_seconds.get(key, math.inf)
        return self._queue.retry(key, at_least_seconds, min(most, due))

    def _phases(self) -> Counter[str]:
        return Counter(
            str((rollout.get("status") or {}).get("phase") or "Progressing")
            for rollout in self._cluster.select(ROLLOUT, "")
        )
