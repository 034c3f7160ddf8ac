"""What each metric of a HorizontalPodAutoscaler says now, and how many replicas it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.model.kinds import JSON, POD, FrozenJSON
from rollouts.model.moments import read_time
from rollouts.model.quantities import parse_quantity, quantity_of
from rollouts.sandbox.apiserver.objects import get_path
from rollouts.sandbox.apiserver.selectors import selector_string
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.autoscaling.external import MetricValues, promql
from rollouts.sandbox.autoscaling.recommendation import (
    MetricTarget,
    NoMetrics,
    PodMetric,
    Recommendation,
    by_average,
    by_pods,
    by_value,
)
from rollouts.sandbox.autoscaling.targets import Target
from rollouts.sandbox.autoscaling.usage import CpuUsage
from rollouts.sandbox.workloads.objects import condition, is_terminating, is_true


@dataclass(frozen=True, slots=True)
class Timing:
    """
    How an autoscaler looks at the world, with the names that its real one's flags have.

    A real one's sync period is 15 s, and it ignores the CPU of pods that have just started
    for up to 5 minutes, and that of those not ready since their start for 30 s.
    """

    sync_seconds: float = 1.0
    tolerance: float = 0.1
    cpu_window_seconds: float = 5.0
    cpu_initialization_seconds: float = 300.0
    initial_readiness_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ReplicaProposal:
    """What one metric asks for: its name in words, and its part of status.currentMetrics."""

    replicas: int
    name: str
    status: JSON


class MetricUnavailable(Exception):
    """A metric that says nothing; `reason` is the condition's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ReplicaCalculator:
    """Measures metrics of the kinds Resource (cpu) and External."""

    def __init__(
        self, store: Store, metric_values: MetricValues, cpu: CpuUsage, timing: Timing
    ) -> None:
        self._store = store
        self._metric_values = metric_values
        self._cpu = cpu
        self._timing = timing

    def forget_gone(self) -> None:
        """Drop what is known of pods that are no more."""
        pods = self._store.scan(self._store.registry.of(POD))
        self._cpu.forget_others({pod["metadata"]["uid"] for pod in pods})

    async def measure(self, metric: FrozenJSON, target: Target) -> ReplicaProposal:
        """
        Return what a metric says of a target.

        Raises:
            MetricUnavailable: it says nothing now.
        """
        kind = metric["type"]
        try:
            if kind == "Resource":
                return self._resource(metric["resource"], target)
            if kind == "External":
                return await self._external(metric["external"], target)
        except NoMetrics as error:
            raise MetricUnavailable(f"FailedGet{kind}Metric", str(error)) from error
        raise MetricUnavailable("InvalidMetricSourceType", f'unknown metric source type "{kind}"')

    # -- resources ----------------------------------------------------------------------------

    def _resource(self, source: FrozenJSON, target: Target) -> ReplicaProposal:
        name, wanted = source["name"], source["target"]
        pods = target.pods(self._store)
        if name != "cpu":
            raise NoMetrics(f"unable to get metrics for resource {name}: only cpu is measured here")
        if not pods:
            raise NoMetrics("no pods returned by selector while calculating replica count")
        utilisation = wanted["type"] == "Utilization"
        pod_metrics = [each for pod in pods if (each := self._pod_metric(pod, asked=utilisation))]
        limit = wanted["averageUtilization"] if utilisation else _number(wanted["averageValue"])
        metric_target = MetricTarget(limit, utilisation, self._timing.tolerance)
        found = by_pods(target.wanted, pod_metrics, metric_target)
        known = [each.usage for each in pod_metrics if each.usage is not None and not each.unready]
        current: JSON = {"averageValue": quantity_of(sum(known) / len(known))}
        if utilisation:
            current["averageUtilization"] = int(found.level)
        kind = "utilization (percentage of request)" if utilisation else "usage"
        status = {"type": "Resource", "resource": {"name": name, "current": current}}
        return ReplicaProposal(found.replicas, f"{name} resource {kind}", status)

    def _pod_metric(self, pod: FrozenJSON, *, asked: bool) -> PodMetric | None:
        """Return what is known of a pod's CPU; None for one that does not count at all."""
        phase, name = get_path(pod, "status.phase"), pod["metadata"]["name"]
        usage = self._cpu.cores(pod)
        if is_terminating(pod) or phase in ("Failed", "Succeeded"):
            return None
        request = _cpu_request(pod) if asked else 0.0
        if phase == "Pending":
            return PodMetric(name, None, request, unready=True)
        return PodMetric(name, usage, request, unready=usage is not None and self._unready(pod))

    def _unready(self, pod: FrozenJSON) -> bool:
        """Return whether the pod's CPU says nothing yet: it is starting."""
        found, began = condition(pod, "Ready"), get_path(pod, "status.startTime")
        if found is None or began is None:
            return True
        now, since, born = (
            self._store.now(),
            read_time(found["lastTransitionTime"]),
            read_time(began),
        )
        ready = found["status"] == "True"
        if now - born < timedelta(seconds=self._timing.cpu_initialization_seconds):
            return not ready or self._is_fresh(since, now)
        patience = timedelta(seconds=self._timing.initial_readiness_seconds)
        return not ready and since - born < patience

    def _is_fresh(self, since: datetime, now: datetime) -> bool:
        return now - since < timedelta(seconds=self._timing.cpu_window_seconds)

    # -- external -----------------------------------------------------------------------------

    async def _external(self, source: FrozenJSON, target: Target) -> ReplicaProposal:
        metric, wanted = source["metric"], source["target"]
        name = f"external metric {metric['name']}({selector_string(metric.get('selector'))})"
        values = await self._metric_values.ask(promql(self._store, target.namespace, metric))
        if not values:
            raise NoMetrics(f"no metrics returned from external metrics API for {metric['name']}")
        found, field = self._asked(wanted, sum(values), target)
        current = {field: quantity_of(found.level)}
        status = {"type": "External", "external": {"metric": metric, "current": current}}
        return ReplicaProposal(found.replicas, name, status)

    def _asked(
        self, wanted: Mapping[str, Any], total: float, target: Target
    ) -> tuple[Recommendation, str]:
        if wanted["type"] == "AverageValue":
            metric_target = MetricTarget(
                _number(wanted["averageValue"]), tolerance=self._timing.tolerance
            )
            return by_average(target.present, total, metric_target), "averageValue"
        metric_target = MetricTarget(_number(wanted["value"]), tolerance=self._timing.tolerance)
        pods = target.pods(self._store)
        ready = sum(is_true(pod, "Ready") and not is_terminating(pod) for pod in pods)
        return by_value(target.wanted, ready, total, metric_target), "value"


def _number(quantity: object) -> float:
    found = parse_quantity(quantity)
    if found is None:
        raise NoMetrics(f"{quantity!r} is no quantity")
    return float(found)


def _cpu_request(pod: FrozenJSON) -> float:
    """Return what a pod's containers ask for; a limit counts where no request is given."""
    total = 0.0
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.get("cpu")
        if asked is None:
            name = pod["metadata"]["name"]
            raise NoMetrics(
                f"missing request for cpu in container {container['name']} of Pod {name}"
            )
        total += _number(asked)
    return total
