"""
How many replicas a metric asks for. Pure.

Source: "Algorithm details" of Horizontal Pod Autoscaling in the Kubernetes documentation:
desired = ceil(current × ratio), and nothing changes while the ratio is within a tolerance of 1.
Pods that are not ready, or of which nothing is known, hold a change back but never turn it
round: they are taken to use nothing when there should be more pods, and when there should be
fewer, those of which nothing is known are taken to use all that they asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class NoMetrics(Exception):
    """A metric says nothing now, in the words of a condition's message."""


@dataclass(frozen=True, slots=True)
class PodMetric:
    """
    One pod: what it uses and what it asked for, in the metric's unit.

    `usage` is None when nothing is known; an `unready` one does not count yet.
    """

    name: str
    usage: float | None
    request: float = 0.0
    unready: bool = False


@dataclass(frozen=True, slots=True)
class MetricTarget:
    """What pods should use on average: a number, or with `utilisation` percent of their request."""

    target: float
    utilisation: bool = False
    tolerance: float = 0.1

    def level(self, usages: Mapping[str, float], requests: Mapping[str, float]) -> float:
        """Return what these pods use on average, to compare with the target."""
        if not self.utilisation:
            return sum(usages.values()) / len(usages)
        asked = sum(requests[name] for name in usages)
        return math.floor(sum(usages.values()) * 100 / asked)

    def met(self, ratio: float) -> bool:
        return abs(1 - ratio) <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How many replicas, and the level that was found (None: of a metric without pods)."""

    replicas: int
    level: float


def by_pods(
    current: int, pod_metrics: Sequence[PodMetric], metric_target: MetricTarget
) -> Recommendation:
    """
    Return what the pods' own usage asks for.

    Raises:
        NoMetrics: nothing is known of any pod that is ready.
    """
    requests = {each.name: each.request for each in pod_metrics}
    usages = {
        each.name: each.usage for each in pod_metrics if each.usage is not None and not each.unready
    }
    if not usages:
        raise NoMetrics("did not receive metrics for any ready pods")
    level = metric_target.level(usages, requests)
    ratio = level / metric_target.target
    filled = _filled(usages, pod_metrics, metric_target, ratio)
    if len(filled) > len(usages):
        ratio = _held_back(ratio, metric_target.level(filled, requests) / metric_target.target)
    if metric_target.met(ratio):
        return Recommendation(current, level)
    wanted = math.ceil(ratio * len(filled))
    turned = (ratio < 1 and wanted > current) or (ratio > 1 and wanted < current)
    return Recommendation(current if turned and len(filled) > len(usages) else wanted, level)


def _filled(
    usages: Mapping[str, float],
    pod_metrics: Sequence[PodMetric],
    metric_target: MetricTarget,
    ratio: float,
) -> dict[str, float]:
    """Return the usages with what is assumed of the other pods."""
    filled = dict(usages)
    for each in pod_metrics:
        if each.usage is None and not each.unready:
            if ratio < 1:
                filled[each.name] = (
                    each.request if metric_target.utilisation else metric_target.target
                )
            elif ratio > 1:
                filled[each.name] = 0.0
        elif each.unready and ratio > 1:
            filled[each.name] = 0.0
    return filled


def _held_back(ratio: float, with_others: float) -> float:
    """Return the ratio that counts the other pods, 1 when they would turn the change round."""
    turned = (ratio < 1 < with_others) or (with_others < 1 < ratio)
    return 1.0 if turned else with_others


def by_value(current: int, ready: int, total: float, metric_target: MetricTarget) -> Recommendation:
    """Return what one number for all pods asks for, of which `ready` serve now."""
    ratio = total / metric_target.target
    if current and metric_target.met(ratio):
        return Recommendation(current, total)
    return Recommendation(math.ceil(ratio * (ready if current else 1)), total)


def by_average(present: int, total: float, metric_target: MetricTarget) -> Recommendation:
    """Return what one number, to be shared by the `present` pods, asks for."""
    share = total / present if present else total
    if present and metric_target.met(share / metric_target.target):
        return Recommendation(present, share)
    return Recommendation(math.ceil(total / metric_target.target), share)
