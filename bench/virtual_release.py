"""
One release in virtual time, through the real code: the reconciler, the monitor, the judges.

Only the world is made up: an in-memory cluster whose pods are ready after some seconds, and
traffic whose requests are split by the weight that the canary Ingress says at that moment. Equal
seeds give equal releases.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bench.outcomes import Ending, ReleaseOutcome, WeightTrace
from bench.virtual_clock import VirtualClock
from bench.virtual_traffic import EXPORTER, Arrivals, VirtualTraffic
from rollouts.analysis.monitor import Monitor
from rollouts.controller.metrics import ControllerMetrics
from rollouts.controller.notifications import Notifications
from rollouts.controller.reconcile import Reconciler
from rollouts.errors import Conflict
from rollouts.model.kinds import ENDPOINT_SLICE, JSON, ROLLOUT, SERVICE, Kind
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.notify.absent import NoNotifier
from tests.fakes.cluster import FakeCluster
from tests.fakes.kubernetes import Kubernetes, canary_weight, ingress, rollout, service, template
from tests.fakes.metrics import FakeMetrics
from tests.fakes.pages import FakePages

KEY = Key("shop", "checkout")
SETTLES_WITHIN = 50
"""So many reconciles one event takes at most."""
SOON = 0.01
"""The least time that passes between two reconciles that were asked for by the clock."""
STARTS_WITHIN_SECONDS = (1.0, 6.0)
"""How long new pods take, so that measurements and pauses do not keep step."""


@dataclass(frozen=True)
class Setting:
    """How a version is released, and how it is watched."""

    weights: tuple[int, ...] = (10, 50)
    pause_seconds: float = 20.0
    """After each weight."""
    scrape_seconds: float = 5.0
    interval_seconds: float = 5.0
    limit: float = 0.01
    """The most of the requests that may fail."""
    patience_seconds: float = 900.0
    """After so long it is said how far the release has come."""
    arrivals: Arrivals = "even"
    readings_per_second: float = 0.0
    """How many pages may be read in a second; 0: what is known is what was scraped."""

    def rollout(self) -> JSON:
        """Return the Rollout of the first version."""
        pause = {"pause": {"duration": self.pause_seconds}}
        steps = [step for weight in self.weights for step in ({"setWeight": weight}, pause)]
        errors = {"name": "errors", "errorRate": {"max": self.limit}}
        return rollout(steps, replicas=2, successCriteria=[errors])


class VirtualRelease:
    """One Rollout, which releases one version that fails a fraction `fails` of its requests."""

    def __init__(self, setting: Setting, rate: float, fails: float, seed: str) -> None:
        draw = random.Random(seed)
        self._setting = setting
        self._clock = VirtualClock()
        self._cluster = FakeCluster(self._clock.now)
        self._kubernetes = Kubernetes(self._cluster)
        self._metrics = FakeMetrics()
        self._traffic = VirtualTraffic(self._metrics, draw, rate, fails, setting.arrivals)
        self._scrape_at = self._clock.after(draw.uniform(SOON, setting.scrape_seconds))
        self._ready_after_seconds = draw.uniform(*STARTS_WITHIN_SECONDS)
        self._ready_at: datetime | None = None
        self._wake_at: datetime | None = None
        self._measured = False
        telemetry, every = ControllerMetrics(), setting.interval_seconds
        sources, per_second = self._metrics.sources, setting.readings_per_second
        if per_second:
            pages = FakePages(self._metrics)
            sources = replace(sources, pages=pages, readings_per_second=per_second)
        self._monitor = Monitor(
            sources, self._clock, telemetry, self._on_measured, interval_seconds=every
        )
        notifications = Notifications(NoNotifier())
        self._reconciler = Reconciler(
            self._cluster,
            self._clock,
            self._monitor,
            notifications,
            telemetry,
            quiet_seconds=2 * every,
            reads_pages=per_second > 0,
        )
        self._failed = 0
        self._course = WeightTrace()

    async def run(self) -> ReleaseOutcome:
        """Deploy the first version, release the second, and say what became of it."""
        self._cluster.put(SERVICE, service())
        self._cluster.put(INGRESS, ingress())
        for kind, body in data_plane():
            self._cluster.put(kind, body)
        self._cluster.put(ROLLOUT, self._setting.rollout())
        await self._pass(max(60.0, 2 * self._setting.scrape_seconds))
        assert self._status.get("phase") == "Healthy", self._status
        self._cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        self._ready_at = self._clock.after(self._ready_after_seconds)
        try:
            await self._pass(self._setting.patience_seconds)
        finally:
            await self._monitor.close()
        return self._course.outcome(self._ending(), self._failed, self._clock.now().timestamp())

    # Time.

    async def _pass(self, seconds: float) -> None:
        """Let time pass, from event to event, or until a release is over."""
        end = self._clock.after(seconds)
        await self._reconcile()
        while self._clock.now() < end and not self._over:
            moments = (self._scrape_at, self._ready_at, self._wake_at, self._clock.next_at, end)
            await self._leap(min(each for each in moments if each is not None))

    async def _leap(self, to: datetime) -> None:
        self._failed += self._traffic.come((to - self._clock.now()).total_seconds(), self._weight)
        if to == self._scrape_at:
            self._metrics.scrape(to)
            self._scrape_at = to + timedelta(seconds=self._setting.scrape_seconds)
        self._measured = False
        await self._clock.advance(to)
        due = [each for each in (self._wake_at, self._ready_at) if each is not None and each <= to]
        if self._ready_at in due:
            self._ready_at = None
        if self._measured or due:
            await self._reconcile()

    async def _reconcile(self) -> None:
        """Let the cluster act and reconcile until nothing changes any more."""
        for _ in range(SETTLES_WITHIN):
            if self._ready_at is None:
                self._kubernetes.settle()
            before = len(self._cluster.writes)
            try:
                outcome = await self._reconciler.reconcile(KEY)
            except Conflict:
                continue
            self._course.note(self._weight, self._clock.now().timestamp())
            if len(self._cluster.writes) == before:
                after = outcome.requeue_after_seconds
                self._wake_at = None if after is None else self._clock.after(max(SOON, after))
                await self._clock.settle()
                return
        raise AssertionError(f"it never settles: {self._status}")

    def _on_measured(self, _: Key) -> None:
        self._measured = True

    # What is to be seen.

    @property
    def _status(self) -> dict[str, Any]:
        found = self._cluster.get(KEY.ref) or {}
        return found.get("status") or {}

    @property
    def _weight(self) -> int:
        return canary_weight(self._cluster) or 0

    @property
    def _is_promoted(self) -> bool:
        return self._course.has_begun and _hash(self._status, "stableRevision") == _hash(
            self._status, "currentRevision"
        )

    @property
    def _over(self) -> bool:
        return self._is_promoted or (bool(self._status.get("abort")) and self._weight == 0)

    def _ending(self) -> Ending:
        if self._status.get("abort"):
            return "rolled back"
        if self._is_promoted:
            return "promoted"
        return "waits for a person" if self._status.get("phase") == "Paused" else "under way"


def data_plane() -> list[tuple[Kind, JSON]]:
    """Return what leads to the page of the ingress controller."""
    metadata: JSON = {"name": "edge", "namespace": "ingress-nginx"}
    labels = {
        "app.kubernetes.io/name": "ingress-nginx",
        "app.kubernetes.io/component": "controller",
    }
    address, _, port = EXPORTER["instance"].rpartition(":")
    endpoints = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "metrics", "port": int(port)}],
    }
    of_service = {"kubernetes.io/service-name": metadata["name"]}
    return [
        (SERVICE, {"metadata": {**metadata, "labels": labels}, "spec": {}}),
        (ENDPOINT_SLICE, {"metadata": {**metadata, "labels": of_service}, **endpoints}),
    ]


def _hash(status: dict[str, Any], revision: str) -> str:
    return str((status.get(revision) or {}).get("hash", ""))
