"""What the releases that go on now are like, each by its namespace and name, as `/metrics` shows them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollouts.core.world import Settled, stage_of
from rollouts.model.rollout_key import Key
from rollouts.model.status import CriterionStatus, Outcome, RolloutStatus

RELEASE_OUTCOMES: tuple[str, ...] = get_args(Outcome)
_SECONDS = (30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
_WHOSE = ("rollout_namespace", "rollout")
"""Not `namespace`: that is what a scrape says of the controller's own pod, and ours would have to give way."""


class ReleaseMetrics(Collector):
    """
    Says of each Rollout where something goes on what was decided last, and counts what has ended.

    One that is settled and Healthy has no series: a fleet of thousands costs a scrape what its
    releases do. Numbers are those of the last decision, which may be newer than those of status.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._now = now
        self._seen: dict[Key, RolloutStatus] = {}
        self._ended = Counter(
            "rollouts_releases",
            f"Releases that are over, by how they ended: {', '.join(RELEASE_OUTCOMES)}",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "rollouts_release_seconds",
            "How long a release took, by how it ended",
            ["outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        for outcome in RELEASE_OUTCOMES:
            # A series that begins with 1 never increased, for Prometheus.
            self._ended.labels(outcome)
            self._seconds.labels(outcome)
        registry.register(self)

    def decided(self, key: Key, status: RolloutStatus) -> None:
        """Take what was decided of a Rollout; it is forgotten once it is settled and Healthy."""
        if isinstance(stage_of(status), Settled) and status.phase == "Healthy":
            self.forget(key)
        else:
            self._seen[key] = status

    def ended(self, before: RolloutStatus, after: RolloutStatus) -> None:
        """Count the releases that the second status remembers as over, and the first does not."""
        known = {each.object_name("") for each in before.unrecorded}
        for record in after.unrecorded:
            if record.object_name("") not in known:
                self._ended.labels(record.outcome).inc()
                took = record.ended_at - record.started_at
                self._seconds.labels(record.outcome).observe(took.total_seconds())

    def forget(self, key: Key) -> None:
        """Say nothing of a Rollout any more."""
        self._seen.pop(key, None)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name what there may be, so that nothing else takes the names."""
        yield from _Families().all()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is so now."""
        families, now = _Families(), self._now()
        for key, status in self._seen.items():
            families.add(key, status, now)
        yield from families.all()


class _Families:
    """The gauges of one scrape."""

    def __init__(self) -> None:
        self._phase = _gauge("phase", "1 for the phase that a Rollout is in", "phase")
        self._weight = _gauge(
            "weight_percent",
            "Percent of the traffic that the canary shall have, and has, as far as routes confirm it",
            "of",
        )
        self._step = _gauge("step", "The step that a release is in, counted from 1")
        self._age = _gauge("age_seconds", "How long ago a release began")
        self._requests = _gauge(
            "canary_requests", "Requests that the canary has answered, all and failed", "which"
        )
        self._value = _gauge("criterion_value", "What a criterion has measured", "criterion")
        self._limit = _gauge("criterion_limit", "What a criterion allows", "criterion")
        self._counted = _gauge(
            "criterion_requests",
            "What a criterion counts: all requests of an arm, and those that failed it",
            *("criterion", "arm", "which"),
        )
        self._verdict = _gauge(
            "criterion_verdict", "1 for the verdict of a criterion", "criterion", "verdict"
        )
        self._evidence_age = _gauge(
            "evidence_age_seconds", "How long ago a criterion was measured", "criterion"
        )

    def all(self) -> Iterator[GaugeMetricFamily]:
        yield from (self._phase, self._weight, self._step, self._age, self._requests)
        yield from (self._value, self._limit, self._counted, self._verdict, self._evidence_age)

    def add(self, key: Key, status: RolloutStatus, now: datetime) -> None:
        whose = (key.namespace, key.name)
        self._phase.add_metric([*whose, status.phase], 1)
        if isinstance(stage_of(status), Settled):
            return
        self._weight.add_metric([*whose, "desired"], status.weights.desired)
        self._weight.add_metric([*whose, "applied"], status.weights.applied)
        if status.current_step_index is not None:
            self._step.add_metric(whose, status.current_step_index + 1)
        if status.started_at is not None:
            self._age.add_metric(whose, (now - status.started_at).total_seconds())
        seen = status.exposure
        self._requests.add_metric([*whose, "failed"], seen.canary_failures)
        self._requests.add_metric([*whose, "all"], seen.canary_requests)
        for each in status.criteria:
            self._add_criterion(whose, each, now)

    def _add_criterion(
        self, whose: tuple[str, str], criterion: CriterionStatus, now: datetime
    ) -> None:
        labels = [*whose, criterion.name]
        self._verdict.add_metric([*labels, criterion.verdict], 1)
        if criterion.value is not None:
            self._value.add_metric(labels, criterion.value)
        if criterion.limit is not None:
            self._limit.add_metric(labels, criterion.limit)
        for arm, every, failed in (
            ("canary", criterion.requests, criterion.failures),
            ("stable", criterion.stable_requests, criterion.stable_failures),
        ):
            self._counted.add_metric([*labels, arm, "all"], every)
            self._counted.add_metric([*labels, arm, "failed"], failed)
        if criterion.checked_at is not None:
            age = (now - criterion.checked_at).total_seconds()
            self._evidence_age.add_metric(labels, max(0.0, age))


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"rollouts_release_{name}", text, labels=[*_WHOSE, *labels])
