"""A harness for measurements: counters that the test scrapes and a clock that it moves."""

import asyncio
from dataclasses import replace
from typing import Any

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.monitor import Monitor
from rollouts.analysis.round_schedule import RoundSchedule
from rollouts.controller.metrics import ControllerMetrics
from rollouts.model.evidence import Measurement, MeasurementRound
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision
from rollouts.model.validation import parse_rollout
from rollouts.traffic.nginx.counters import BUCKETS, REQUESTS
from tests.fakes.clock import ManualClock
from tests.fakes.kubernetes import rollout
from tests.fakes.metrics import FakeMetrics

KEY = Key("shop", "checkout")
ARM = {"canary": "shop-checkout-canary-80", "stable": ""}
ERRORS = {"name": "errors", "errorRate": {"max": "1%"}}
P90 = {"name": "p90", "latency": {"quantile": 0.9, "max": "400ms"}}
QUERY = {
    "name": "sales",
    "query": {"promql": 'sales{hash="{{ canary.hash }}",n="{{namespace}}"}', "min": 1},
}


class OnTheBeat(RoundSchedule):
    """Looks every interval since the exposure, whatever is scraped: what is counted is what a test is about."""

    def next_at(self, beat: float) -> float:
        return beat


class MonitorOnTheBeat(Monitor):
    round_schedule = OnTheBeat


class ScrapedMonitor:
    """A monitor over counters that are scraped every 5 s, and what its rounds say; it looks every 15 s."""

    clock: ManualClock
    metrics: FakeMetrics
    monitor: Monitor

    async def wait(self, seconds: float, *, scraping: bool = True) -> None:
        for _ in range(int(seconds / 5)):
            self.clock.move(5)
            if scraping:
                self.metrics.scrape(self.clock.now())
            await settle()

    @property
    def latest(self) -> MeasurementRound:
        latest = self.monitor.latest(KEY)
        assert latest is not None
        return latest

    def measured(self, name: str = "errors") -> Measurement:
        return self.latest.measurements[name]


class Harness(ScrapedMonitor):
    """Counters of nginx, scraped every 5 s, and what the rounds say."""

    kind: type[Monitor] = MonitorOnTheBeat

    def __init__(self, *criteria: dict[str, Any], exported: bool = False) -> None:
        self.clock = ManualClock()
        self.metrics = FakeMetrics()
        self.exported = exported
        self.rounds: list[Key] = []
        self.telemetry = ControllerMetrics()
        self.monitor = self.new_monitor()
        self.criteria = criteria
        self.target = ExposedCanary(
            KEY,
            parse_rollout(rollout([{"setWeight": 25}], successCriteria=list(criteria))),
            self.clock.now(),
            None,
            Revision(number=2, hash="canaryhash"),
            Revision(number=1, hash="stablehash"),
        )
        self.metrics.count("up", job="nginx", instance="a")

    def new_monitor(self) -> Monitor:
        return self.kind(
            self.metrics.sources,
            self.clock,
            self.telemetry,
            self.rounds.append,
            interval_seconds=15,
        )

    def serve(self, arm: str, requests: int = 1, status: str = "200", **labels: str) -> None:
        prefix = "exported_" if self.exported else ""
        facts = {
            "job": "nginx",
            "instance": "a",
            "ingress": "checkout",
            f"{prefix}namespace": "shop",
            f"{prefix}service": "checkout",
            "canary": ARM[arm],
            "status": status,
        }
        if self.exported:
            facts |= {"namespace": "monitoring", "service": "nginx-metrics"}
        self.metrics.count(REQUESTS, requests, **{**facts, **labels})

    def slow(self, arm: str, requests: int, seconds: float) -> None:
        for bound in (0.1, 0.5, 1.0, float("inf")):
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            self.serve_bucket(arm, requests if seconds <= bound else 0, le)

    def serve_bucket(self, arm: str, requests: int, le: str, **labels: str) -> None:
        facts = {"job": "nginx", "ingress": "checkout", "namespace": "shop", "le": le}
        facts |= {"service": "checkout", "canary": ARM[arm], "status": "200"}
        self.metrics.count(BUCKETS, requests, **{**facts, **labels})

    def expose(self) -> None:
        self.target = replace(self.target, exposed_at=self.clock.now())
        self.monitor.follow(self.target)


async def serving(harness: Harness, seconds: int, status: str = "200", **labels: str) -> None:
    """Let time pass in which the canary answers every tenth of the requests."""
    for _ in range(seconds // 5):
        harness.serve("canary", 10, status, **labels)
        harness.serve("stable", 90, **labels)
        await harness.wait(5)


async def settle() -> None:
    """Let every task go on until all of them wait: nothing else is ready to run then."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0)
