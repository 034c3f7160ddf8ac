"""
The example of docs/from-a-request-to-a-verdict.md, through the real modules.

Only the world is made up: users, an nginx that counts, two Prometheus that scrape it, and a
cluster in memory. The monitor, the judge, the decision and the writes are the real ones.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from rollouts.analysis.exposed_canary import ExposedCanary, exposed_canary
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.notifications import Notifications
from rollouts.controller.reconcile import Reconciler
from rollouts.model.evidence import MeasurementRound
from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.rollout_key import Key
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.ports import Series
from rollouts.traffic.nginx.counters import REQUESTS
from tests.fakes.control_loop import KEY, ControlLoop
from tests.fakes.kubernetes import canary_weight, rollout
from tests.fakes.metrics import FakeMetrics
from tests.unit.analysis.harness import ARM, settle

TICK_SECONDS = 0.1
EVERY_SECONDS = 5.0
STEPS: list[JSON] = [{"setWeight": 25}, {"pause": {}}]
ERRORS = {"name": "errors", "errorRate": {"max": "1%"}}
FIRST_FAILURE_SECONDS = 12.4
NGINX_RESTARTS_SECONDS = 18.0
PHASE_SECONDS = {"prometheus-0": 1.0, "prometheus-1": 3.5}
"""When each of the pair scrapes, after the exposure and every 5 s."""


@dataclass(frozen=True)
class Read:
    """One question for raw samples, and the answer."""

    selector: str
    until: datetime
    window_seconds: float
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Station:
    """What was known after one round, and what came of it."""

    seconds: float
    """After the exposure, as every time of the example."""
    reads: tuple[Read, ...]
    measured: MeasurementRound
    weights: tuple[int, int]
    """Before the decision, and after it."""


class Pair(FakeMetrics):
    """Two Prometheus that scrape one nginx, seen through one API; it notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[Read] = []
        self.nginx: Counter[tuple[str, str]] = Counter()
        """What nginx has counted, by arm and status."""

    def scraped_by(self, replica: str, at: datetime) -> None:
        facts = {"job": "nginx", "instance": "10.0.0.7:10254", "prometheus_replica": replica}
        route = {"ingress": "checkout", "namespace": "shop", "service": "checkout"}
        self.values = {}
        self.count("up", 1, **facts)
        for (arm, status), value in self.nginx.items():
            self.count(REQUESTS, value, canary=ARM[arm], status=status, **facts, **route)
        self.scrape(at)

    async def samples(
        self, selector: str, *, until: datetime, window_seconds: float
    ) -> tuple[Series, ...]:
        found = await super().samples(selector, until=until, window_seconds=window_seconds)
        self.reads.append(Read(selector, until, window_seconds, found))
        return found


class Example:
    """The release of the page, up to weight 0."""

    def __init__(self) -> None:
        self.loop, self.pair = ControlLoop(), Pair()
        self.stations: list[Station] = []
        self.samples: list[tuple[float, str, int, int]] = []
        """When which Prometheus scraped what of the canary: 200, and 500."""
        self._measured = False
        self._begun_at: datetime | None = None
        self.target: ExposedCanary
        self.monitor = self._new_monitor()
        self.loop.reconciler = Reconciler(
            self.loop.cluster,
            self.loop.clock,
            self.monitor,
            Notifications(self.loop.told),
            ControllerMetrics(),
            quiet_seconds=2 * EVERY_SECONDS,
        )

    def _new_monitor(self) -> Monitor:
        clock, every = self.loop.clock, EVERY_SECONDS
        return Monitor(
            self.pair.sources,
            clock,
            ControllerMetrics(),
            self._on_measured,
            interval_seconds=every,
        )

    def _on_measured(self, _: Key) -> None:
        self._measured = True

    async def measured_anew(self) -> MeasurementRound:
        """Return what a controller measures that has begun after the rollback, and knows nothing."""
        monitor = self._new_monitor()
        monitor.follow(self.target)
        await settle()
        latest = monitor.latest(KEY)
        await monitor.close()
        assert latest is not None
        return latest

    @property
    def seconds(self) -> float:
        """Seconds since the exposure, before it of the first deploy, to a tenth."""
        since = self._begun_at or self.loop.clock.now()
        return round((self.loop.clock.now() - since).total_seconds(), 1)

    @property
    def weight(self) -> int:
        return canary_weight(self.loop.cluster) or 0

    async def run(self) -> None:
        """Deploy a good version, release a bad one, and go on to weight 0."""
        self.loop.cluster.put(ROLLOUT, rollout(STEPS, successCriteria=[ERRORS]))
        self._begun_at = self.loop.clock.now()
        await self._pass(60.0)
        self.loop.release("shop:2")
        await self.loop.round()
        assert self.weight == 25
        self._begun_at = self.loop.clock.now()
        while self.weight:
            await self._pass(TICK_SECONDS)
            assert self.seconds < 120
        await self.monitor.close()

    async def _pass(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_SECONDS)):
            self.loop.clock.move(TICK_SECONDS)
            if self.weight and self.seconds == NGINX_RESTARTS_SECONDS:
                self.pair.nginx.clear()
            self._serve()
            for replica, phase in PHASE_SECONDS.items():
                if round((self.seconds - phase) % EVERY_SECONDS, 1) in (0.0, EVERY_SECONDS):
                    self.pair.scraped_by(replica, self.loop.clock.now())
                    if self.weight:
                        good, failed = (self.pair.nginx["canary", each] for each in ("200", "500"))
                        self.samples.append((self.seconds, replica, good, failed))
            await settle()
            if self._measured or not self.weight:
                await self._reconcile()

    def _serve(self) -> None:
        """Answer three requests, and one more with the canary: from a moment on it fails every tenth."""
        self.pair.nginx["stable", "200"] += 3
        if not self.weight:
            return
        since = round((self.seconds - FIRST_FAILURE_SECONDS) / TICK_SECONDS)
        fails = since >= 0 and since % 10 == 0
        self.pair.nginx["canary", "500" if fails else "200"] += 1

    async def _reconcile(self) -> None:
        before, self._measured = self.weight, False
        latest = self.monitor.latest(KEY)
        status = RolloutStatus.model_validate(self.loop.status)
        spec = parse_rollout(self.loop.rollout)
        target = exposed_canary(KEY, spec, status)
        if target is not None:
            self.target = target
        await self.loop.round()
        if latest is None:
            return
        reads, self.pair.reads = tuple(self.pair.reads), []
        self.stations.append(Station(self.seconds, reads, latest, (before, self.weight)))
