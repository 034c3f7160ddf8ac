"""
One reconcile: observe, decide, apply, write status, tell.

The contract of `Reconciler.reconcile`:

- it returns: all is as it was decided to be; look again after `requeue_after_seconds`, if given;
- `Conflict`: somebody wrote first; observe again;
- `RetryLater`, `Permanent`: something did not succeed, which status says where it can be
  written, and all else was done; again after a back-off;
- anything else is a bug, and for the caller the same.

It may be cut off between any two writes, and the next one carries on: status is the only
memory, and what was moved forward was written down before it was done.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

import structlog

from rollouts.analysis.evidence import weigh
from rollouts.analysis.exposed_canary import ExposedCanary, exposed_canary
from rollouts.controller import queue_priority, workload, workload_writes
from rollouts.controller.apply import ENDS_ALL, Applier, RunWrites, sequentially
from rollouts.controller.effective_spec import find_effective_spec, observe_effective
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.metrics_pages import with_pages
from rollouts.controller.notifications import Notifications
from rollouts.controller.observations import Observations
from rollouts.controller.parse_cache import ParseCache
from rollouts.controller.router_pages import RouterPlace, with_router_pages
from rollouts.controller.status_store import (
    is_new_error,
    status_patch,
    under_last_valid_spec,
    with_invalid_spec,
    without_invalid_spec,
)
from rollouts.core.decide import decide
from rollouts.core.effective_spec import EffectiveSpec
from rollouts.core.plan.actions import (
    Action,
    Decision,
    DeleteRecord,
    KeepRecord,
    NameCommand,
    SetFinalizers,
)
from rollouts.core.refused_writes import with_refusals, without_refused
from rollouts.core.status_writes import due_at, worth_writing
from rollouts.core.world import Event
from rollouts.errors import InvalidSpec, Permanent, RetryLater, RolloutsError
from rollouts.model.evidence import MeasurementRound
from rollouts.model.kinds import FrozenJSON
from rollouts.model.rollout_key import Key
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.ports import Clock, Cluster, Notification, Patch, Record, Write
from rollouts.traffic.ownership import is_terminating

log = structlog.get_logger(__name__)

INTERVALS_WHEN_UNKNOWN = 4
"""So many times longer counters are waited for as long as nothing tells how far apart scrapes are."""
LAST_ACTIONS = (NameCommand, SetFinalizers)
"""These actions come after all others: they change the Rollout that the status is bound to, or end it."""
OF_RECORDS = (KeepRecord, DeleteRecord)
RECORDS_AGAIN = timedelta(minutes=10)
"""After so long they are tried again in a namespace where they are refused: permissions may be older than we are."""
PROGRESS = frozenset({"RolloutStarted", "WeightSet", "RouteSet", "Switched"})
"""The reasons of Events that may come later, with what follows: nobody has to do anything about them."""
MOST_REFUSALS_TOLD = 3
"""So many refusals of one reconcile are put into words: as a rule all of them have one cause."""


class CanaryMonitor(Protocol):
    """What measures the canaries, as a reconcile uses it."""

    def follow(self, exposed: ExposedCanary) -> None:
        """Measure this canary from now on, or know what has changed about it."""
        ...

    def forget(self, key: Key) -> None:
        """Measure it no more."""
        ...

    def latest(self, key: Key) -> MeasurementRound | None:
        """Return the last round of measurements of it, if there was one."""
        ...

    def scrape_interval_seconds(self, key: Key) -> float:
        """Return how far apart the scrapes of what is measured are; 0 as long as nobody can know."""
        ...


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What a reconcile that succeeded leaves to do: look again after this, or only on a change."""

    requeue_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that was refused, and by what."""

    action: Action
    error: RolloutsError


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings one Rollout at a time nearer to what it should be."""

    cluster: Cluster
    clock: Clock
    monitor: CanaryMonitor
    notifications: Notifications
    metrics: ControllerMetrics
    quiet_seconds: float
    run_writes: RunWrites = sequentially
    """How writes are made that don't wait for each other."""
    scrape_interval_seconds: dict[Key, float] = field(default_factory=dict)
    """How far apart the scrapes of each were measured to be, for as long as we run."""
    reads_pages: bool = False
    """Whether metrics are read from the pods that show them, between two scrapes."""
    router_places: tuple[RouterPlace, ...] = ()
    """Where routers' data planes are; none: where they are as a rule."""
    due_seconds: dict[Key, float] = field(default_factory=dict)
    """How soon each is to be looked at again, of those whose last reconcile was refused something."""
    records_refused_at: dict[str, datetime] = field(default_factory=dict)
    """When a record was refused, by namespace: it waits in status, and nothing else waits for it."""
    parse_cache: ParseCache = field(default_factory=ParseCache)
    observations: Observations = field(default_factory=Observations)

    async def reconcile(self, key: Key) -> ReconcileResult:
        """
        Do what is to be done about `key` now; see the module.

        Raises:
            RolloutsError: something did not succeed.
        """
        self.due_seconds.pop(key, None)
        rollout = self.cluster.get(key.ref)
        if rollout is None or workload.is_finalized(rollout):
            self.monitor.forget(key)
            self.parse_cache.forget(key)
            self.observations.forget(key)
            self.scrape_interval_seconds.pop(key, None)
            self.metrics.releases.forget(key)
            return ReconcileResult()
        now = self._now()
        status = self.parse_cache.status(rollout)
        if status is None:
            log.warning("status unreadable, starting from what the Service selects", rollout=key)
            status = RolloutStatus()
        try:
            written = self.parse_cache.spec(rollout)
            effective = find_effective_spec(self.cluster, rollout, written, status, now)
        except InvalidSpec as error:
            self.monitor.forget(key)
            if is_terminating(rollout) and workload.never_had_revision(
                self.cluster, rollout, status
            ):
                return await self._remove_finalizers(key)
            return await self._report_invalid_spec(rollout, status, str(error), now)
        decision = self._decide(rollout, status, effective, now)
        self.metrics.releases.decided(key, decision.status)
        applier = Applier(
            self.cluster, self.clock, self._write, rollout, effective.spec, self.run_writes
        )
        last = [action for action in decision.actions if isinstance(action, LAST_ACTIONS)]
        first = [action for action in decision.actions if not isinstance(action, LAST_ACTIONS)]
        refused = await self._carry_out(applier, first)
        named_first = [each for each in last if _comes_before_status(each)]
        if named_first and not await self._carry_out(applier, named_first):
            return ReconcileResult(
                0.0
            )  # status is bound to the Rollout as it was before it was named
        decision = without_refused(status, decision, [each.action for each in refused])
        try:
            outcome = await self._settle(rollout, status, decision, refused, now)
        except RolloutsError:
            self._follow(exposed_canary(key, effective.spec, effective.status), key)
            raise
        self._follow(exposed_canary(key, effective.spec, decision.status), key)
        if outcome.requeue_after_seconds is None:
            self.observations.forget(key)  # only what has changed will bring it back
        refused += await self._carry_out(applier, last)
        if refused:
            if outcome.requeue_after_seconds is not None:
                self.due_seconds[key] = outcome.requeue_after_seconds
            raise min((each.error for each in refused), key=_asks_to_wait)
        return outcome

    def _follow(self, exposed: ExposedCanary | None, key: Key) -> None:
        """Have the canary measured that status has, if it has one."""
        if exposed is None:
            self.monitor.forget(key)
            return
        if self.reads_pages:
            exposed = with_pages(self.cluster, exposed)
            exposed = with_router_pages(self.cluster, exposed, self.router_places)
        self.monitor.follow(exposed)

    def _decide(
        self, rollout: FrozenJSON, before: RolloutStatus, effective: EffectiveSpec, now: datetime
    ) -> Decision:
        """Decide by the effective spec; with an invalid spec, say so besides."""
        key = Key.of(rollout)
        status, hold, latest = (
            without_invalid_spec(effective.status),
            effective.hold,
            self.monitor.latest(key),
        )
        quiet_seconds = self._quiet_seconds(key, effective.spec, status)
        seen = observe_effective(
            self.observations, self.cluster, rollout, effective, quiet_seconds=quiet_seconds
        )
        evidence = weigh(effective.spec, status, latest)
        decision = decide(effective.spec, status, seen, evidence, now, hold=hold)
        if hold is None or hold.reason != "InvalidSpec":
            return decision
        told = under_last_valid_spec(before, decision.status, hold.why, now)
        said = (_invalid_spec_event(hold.why),) if is_new_error(before, hold.why) else ()
        return replace(decision, status=told, events=(*decision.events, *said))

    def _quiet_seconds(self, key: Key, spec: RolloutSpec, status: RolloutStatus) -> float:
        """
        Return how long a canary's counters may still move after its last request.

        The interval between scrapes is what was measured last, also by a controller before this one; as
        long as nothing was, it is taken to be that of other Rollouts, or else four intervals: by
        default a minute, which is Prometheus' own.
        """
        if not spec.success_criteria:
            return self.quiet_seconds  # nobody counts
        before = self.scrape_interval_seconds.get(key, status.exposure.scrape_interval_seconds)
        measured = self.monitor.scrape_interval_seconds(key) or before
        if measured:
            self.scrape_interval_seconds[key] = measured
        usual = measured or max(self.scrape_interval_seconds.values(), default=0.0)
        return (
            max(self.quiet_seconds, 2 * usual)
            if usual
            else INTERVALS_WHEN_UNKNOWN * self.quiet_seconds
        )

    def is_retreating(self, key: Key) -> bool:
        """Return whether a retreat of it is not over yet."""
        rollout = self.cluster.get(key.ref)
        status = self.parse_cache.status(rollout) if rollout is not None else None
        return status is not None and queue_priority.is_retreating(status)

    def is_urgent(self, key: Key) -> bool:
        """Return whether it must not wait for others: its traffic has to go back."""
        rollout = self.cluster.get(key.ref)
        if rollout is None:
            return False
        return queue_priority.is_urgent(rollout, self.parse_cache, self.monitor.latest(key))

    async def _carry_out(self, applier: Applier, actions: Iterable[Action]) -> list[Refusal]:
        """
        Carry out the actions, each whatever became of the others; return what was refused.

        Raises:
            Conflict, Outdated: nothing must be written about a state that is not so.
        """
        key, refused = Key.of(applier.rollout), list[Refusal]()
        for action in actions:
            of_records = isinstance(action, OF_RECORDS)
            if of_records and self._records_wait(key.namespace):
                continue
            try:
                await applier.carry_out(action)
            except ENDS_ALL:
                raise
            except RolloutsError as error:
                what = type(action).__name__
                log.warning("write refused", rollout=str(key), action=what, problem=str(error))
                if of_records and isinstance(error, Permanent):
                    self.records_refused_at[key.namespace] = self._now()
                else:
                    refused.append(Refusal(action, error))
        return refused

    def _records_wait(self, namespace: str) -> bool:
        refused_at = self.records_refused_at.get(namespace)
        return refused_at is not None and self._now() < refused_at + RECORDS_AGAIN

    async def _settle(
        self,
        rollout: FrozenJSON,
        before: RolloutStatus,
        decision: Decision,
        refused: Iterable[Refusal],
        now: datetime,
    ) -> ReconcileResult:
        """Write status if it is worth a write, and tell what happened."""
        after, events = decision.status, decision.events
        texts = _refusal_texts(refused)
        for text, waits in texts.items():
            if text not in before.message and not waits:
                events = (*events, Event("Warning", "WriteFailed", text))
        after = with_refusals(after, texts)
        requeue = decision.requeue_after_seconds
        if worth_writing(before, after, now):
            await self._write_status(rollout, after, now)
            self.metrics.releases.ended(before, after)
            await self._announce(rollout, events, now)
        elif (due := due_at(before, after, now)) is not None:
            wait = (due - now).total_seconds()
            requeue = wait if requeue is None else min(requeue, wait)
        return ReconcileResult(requeue)

    async def _remove_finalizers(self, key: Key) -> ReconcileResult:
        """Let a Rollout be deleted that has nothing to give back, because it never began."""
        for write in workload_writes.finalizers(self.cluster, key.ref, ()):
            await self._write(write)
        return ReconcileResult()

    async def _report_invalid_spec(
        self, rollout: FrozenJSON, before: RolloutStatus, why: str, now: datetime
    ) -> ReconcileResult:
        """Write what is wrong with the spec into status, and do nothing else until it changes."""
        after = with_invalid_spec(rollout, before, why, now)
        self.metrics.releases.decided(Key.of(rollout), after)
        if worth_writing(before, after, now):
            await self._write_status(rollout, after, now)
            await self._announce(rollout, (_invalid_spec_event(why),), now)
            return ReconcileResult()
        due = due_at(before, after, now)
        return ReconcileResult((due - now).total_seconds() if due is not None else None)

    async def _write_status(
        self, rollout: FrozenJSON, status: RolloutStatus, now: datetime
    ) -> None:
        body = status_patch(rollout, status.evolve(refreshed_at=now))
        await self._write(Patch(Key.of(rollout).ref, body, "status"))

    async def _announce(
        self, rollout: FrozenJSON, events: tuple[Event, ...], now: datetime
    ) -> None:
        """Say it in the log, to people, and as Events; none of which can fail a reconcile."""
        key = Key.of(rollout)
        for each in events:
            log.info("decided", rollout=str(key), reason=each.reason, message=each.message)
            self.metrics.decided(each.reason)
            self.notifications.send(Notification(str(key), each.reason, each.message, now))
        for each in events:
            try:
                may_wait = each.reason in PROGRESS
                await self._write(Record(rollout, each.type, each.reason, each.message, may_wait))
            except RolloutsError as error:
                log.warning(
                    "event not recorded", rollout=str(key), reason=each.reason, problem=str(error)
                )

    async def _write(self, write: Write) -> None:
        await self.cluster.write(write)
        self.metrics.wrote(write)

    def _now(self) -> datetime:
        """Return the present in milliseconds, as status keeps it."""
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _comes_before_status(action: Action) -> bool:
    return isinstance(action, NameCommand) and action.before_status


def _refusal_texts(refused: Iterable[Refusal]) -> dict[str, bool]:
    """Return the words of what was refused first, and whether it only waits: then nothing is wrong."""
    # A PodDisruptionBudget, for one, says that a pod may not go yet.
    texts = {str(each.error): type(each.error) is RetryLater for each in refused}
    return dict(islice(texts.items(), MOST_REFUSALS_TOLD))


def _asks_to_wait(error: RolloutsError) -> float:
    """Return how many seconds a refusal asks to wait before the next try."""
    return (error.after_seconds or 0.0) if isinstance(error, RetryLater) else 0.0


def _invalid_spec_event(why: str) -> Event:
    return Event("Warning", "InvalidSpec", why)
