"""The controller's own metrics, as `/metrics` shows them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollouts.controller.release_metrics import ReleaseMetrics
from rollouts.model.kinds import EVENT
from rollouts.model.status import Phase
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record, Write

OUTCOMES = ("done", "conflict", "retry", "permanent", "bug")
"""How a reconcile may end."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ControllerMetrics:
    """Counts what one controller does; two in one process do not disturb each other."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.registry = CollectorRegistry()
        self.releases = ReleaseMetrics(self.registry, now)
        self.reconciles = Counter(
            "rollouts_reconciles",
            f"Reconciles, by how they ended: {', '.join(OUTCOMES)}",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in OUTCOMES:
            self.reconciles.labels(
                outcome
            )  # a series that begins with 1 never increased, for Prometheus
        self.reconcile_seconds = Histogram(
            "rollouts_reconcile_seconds",
            "How long a reconcile took",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._measurement_seconds = Histogram(
            "rollouts_measurement_seconds",
            "How long it took to measure the success criteria once",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._measurement_errors = Counter(
            "rollouts_measurement_errors", "Measurements without an answer", registry=self.registry
        )
        self.leading = Gauge(
            "rollouts_is_leader", "1 while this controller may write", registry=self.registry
        )
        self._writes = Counter(
            "rollouts_writes",
            "Writes decided on; the API server is spared those that change nothing",
            ["verb", "kind"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "rollouts_decisions", "Decisions put on record", ["reason"], registry=self.registry
        )
        self._rollbacks = Counter("rollouts_rollbacks", "Rollbacks", registry=self.registry)

    def measured(self, seconds: float, errors: int) -> None:
        self._measurement_seconds.observe(seconds)
        self._measurement_errors.inc(errors)

    def wrote(self, write: Write) -> None:
        self._writes.labels(*verb_and_kind(write)).inc()

    def decided(self, reason: str) -> None:
        self._decisions.labels(reason).inc()
        if reason == "RolledBack":
            self._rollbacks.inc()

    def watch(
        self, queue_depth: Callable[[], int], phases: Callable[[], Mapping[str, int]]
    ) -> None:
        """Show, whenever somebody asks, how many keys wait and how many Rollouts are in each phase."""
        depth = Gauge(
            "rollouts_queue_depth", "Rollouts that wait for a worker", registry=self.registry
        )
        depth.set_function(queue_depth)
        self.registry.register(_Phases(phases))

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Phases(Collector):
    def __init__(self, phases: Callable[[], Mapping[str, int]]) -> None:
        self._phases = phases

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield self._family()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = self._family()
        counts = self._phases()
        for phase in get_args(Phase):
            family.add_metric([phase], counts.get(phase, 0))
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily("rollouts", "Rollouts, by phase", labels=["phase"])


def verb_and_kind(write: Write) -> tuple[str, str]:
    """Return what a write is called in counts."""
    match write:
        case Create(kind, _):
            return "create", kind.name
        case Apply(kind, _):
            return "apply", kind.name
        case Patch(ref, _, subresource):
            return "patch", f"{ref.kind.name}/{subresource}" if subresource else ref.kind.name
        case Delete(ref, _):
            return "delete", ref.kind.name
        case Evict(ref):
            return "evict", ref.kind.name
        case Record():
            return "record", EVENT.name
