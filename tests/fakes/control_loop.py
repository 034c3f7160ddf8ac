"""A control loop over one Rollout: a cluster, a reconciler, and hands on its clock and its monitor."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from rollouts.controller.metrics import ControllerMetrics, verb_and_kind
from rollouts.controller.notifications import Notifications
from rollouts.controller.reconcile import Reconciler
from rollouts.errors import Conflict, RolloutsError
from rollouts.model.evidence import Counts, Measurement, MeasurementRound
from rollouts.model.kinds import JSON, ROLLOUT, SERVICE, Ref
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Notification
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import FakeCluster
from tests.fakes.kubernetes import Kubernetes, ingress, rollout, service, template
from tests.fakes.reconcile_reasons import ReconcileReasons
from tests.fakes.recording_monitor import RecordingMonitor

KEY = Key("shop", "checkout")
STEPS = [
    {"setWeight": 25},
    {"pause": {"duration": 10}},
    {"setWeight": 50},
    {"pause": {"duration": 10}},
]
CRITERIA = [{"name": "errors", "errorRate": {"max": "1%"}}]


class FakeMonitor(RecordingMonitor):
    """Measures, in every round, as many canary requests as a test wants, and as many failures."""

    def __init__(self, clock: ManualClock, requests: int = 1000, failures: int = 0) -> None:
        super().__init__()
        self.clock = clock
        self.requests, self.failures = requests, failures
        self.error = ""
        self.served_percent = 25.0

    def twin(self, clock: ManualClock) -> "FakeMonitor":
        """Return a monitor that has measured the same, by another clock."""
        made = FakeMonitor(clock, self.requests, self.failures)
        made.error, made.targets, made._rounds = self.error, dict(self.targets), dict(self._rounds)
        made.served_percent = self.served_percent
        return made

    def scrape_interval_seconds(self, key: Key) -> float:
        """Scrapes are a second apart."""
        return 1.0

    def measure(self) -> bool:
        """Measure all; return whether there was anything to measure."""
        at = self.clock.now()
        for key, target in self.targets.items():
            canary = Counts(self.requests, self.failures)
            value = self.failures / self.requests if self.requests else None
            found = Measurement(at=at, canary=canary, value=value, error=self.error)
            names = [criterion.name for criterion in target.spec.success_criteria]
            measured = dict.fromkeys(names, found)
            self._rounds[key] = MeasurementRound(
                at,
                target.exposed_at,
                measured,
                {criterion.name: criterion for criterion in target.spec.success_criteria},
                canary,
                served_percent=self.served_percent,
            )
        return bool(self.targets)


class Told:
    def __init__(self) -> None:
        self.notifications: list[Notification] = []

    async def notify(self, notification: Notification) -> None:
        self.notifications.append(notification)

    async def close(self) -> None:
        pass


class ControlLoop:
    """One Rollout and all that it needs; `run` lets time pass until nothing happens any more."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cluster = FakeCluster(self.clock.now)
        self.kubernetes = Kubernetes(self.cluster)
        self.monitor = FakeMonitor(self.clock)
        self.told = Told()
        self._reasons = ReconcileReasons()
        self._passes_time = False
        self.cluster.put(SERVICE, service())
        self.cluster.put(INGRESS, ingress())
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> Reconciler:
        return Reconciler(
            self.cluster,
            self.clock,
            self.monitor,
            Notifications(self.told),
            ControllerMetrics(self.clock.now),
            quiet_seconds=2,
        )

    def twin(self) -> Self:
        """Return a control loop in the same state, with a controller that has just begun; it goes its own way."""
        made = copy.copy(self)
        made.clock = ManualClock(self.clock.now())
        made.cluster = self.cluster.twin(made.clock.now)
        made.kubernetes = copy.copy(self.kubernetes)
        made.kubernetes.cluster = made.cluster
        made.monitor = self.monitor.twin(made.clock)
        made.told = Told()
        made._reasons = ReconcileReasons()
        made.reconciler = made.new_reconciler()
        return made

    @property
    def rollout(self) -> JSON:
        found = self.cluster.get(KEY.ref)
        assert found is not None
        return found

    @property
    def status(self) -> JSON:
        return dict(self.rollout.get("status") or {})

    def apply(self, **changes: Any) -> None:
        self.cluster.put(ROLLOUT, rollout(STEPS, **({"successCriteria": CRITERIA} | changes)))

    def release(self, image: str) -> None:
        self.cluster.edit(KEY.ref, {"spec": {"template": template(image)}})

    def edit(self, patch: JSON) -> None:
        self.cluster.edit(KEY.ref, patch)

    def command(self, text: str | None) -> None:
        self.edit({"metadata": {"annotations": {"rollouts.dev/command": text}}})

    async def round(self) -> float | None:
        """Let the cluster act and reconcile until nothing changes; return the requeue."""
        for _ in range(50):
            self.kubernetes.settle()
            seen = (id(self.reconciler), self.cluster.told)
            if self._passes_time and not self._reasons.has_one(seen, self.clock.now()):
                return self._reasons.requeue_after_seconds
            before = len(self.cluster.writes)
            self._reasons.begin()
            try:
                outcome = await self.reconciler.reconcile(KEY)
            except Conflict:
                continue
            idle = len(self.cluster.writes) == before
            after = outcome.requeue_after_seconds
            self._reasons.end(seen, self.clock.now(), after, idle=idle)
            if idle:
                return after
        raise AssertionError("it never settles")

    async def run(self, seconds: float = 120.0, tick: float = 1.0) -> None:
        """Let time pass in ticks, with a round of measurements in each."""
        await self._pass(seconds, tick)
        await self.round()

    async def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        for _ in range(int(seconds)):
            if condition():
                return
            await self._pass(1.0, 1.0)
            await self.round_if_needed()
        raise AssertionError(f"never came: {self.status}")

    async def _pass(self, seconds: float, tick: float) -> None:
        passed = 0.0
        while passed < seconds:
            await self.round_if_needed()
            self.clock.move(tick)
            passed += tick
            self.measure()

    def measure(self) -> None:
        if self.monitor.measure():
            self.measured()

    def measured(self) -> None:
        """Have the controller look at a round of measurements."""
        self._reasons.was_measured = True

    async def round_if_needed(self) -> None:
        """Do as `round`, but for reconciles that have no reason: of those only some are done."""
        self._passes_time = True
        try:
            await self.round()
        finally:
            self._passes_time = False

    async def deployed(self, **changes: Any) -> "ControlLoop":
        """Deploy the first version."""
        self.apply(**changes)
        await self.until(lambda: self.status.get("phase") == "Healthy")
        return self

    def writes(self) -> Counter[tuple[str, str]]:
        return Counter(verb_and_kind(write) for write in self.cluster.writes)

    def reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.status["history"]]

    def fail_next(self, error: RolloutsError) -> None:
        self.cluster.failures.append(error)

    def get(self, ref: Ref) -> JSON | None:
        return self.cluster.get(ref)
