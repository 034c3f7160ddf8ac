"""Which metric answers a criterion, by its source."""

from dataclasses import replace

from rollouts.analysis.app_counters import app_metric
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.model.counter_metric import BUCKET, Metric
from rollouts.model.criteria import Criterion
from rollouts.model.sources import is_counted_by_router
from rollouts.traffic.routers import counters_of


def metric_of(exposed: ExposedCanary, criterion: Criterion | None = None) -> Metric:
    """
    Return the metric for a criterion; without one, or for a query, that of all requests.

    Equal ones are read once.
    """
    if criterion is None or criterion.latency is None:
        return requests_of(exposed, criterion)
    key, spec, names = exposed.key, exposed.spec, exposed.spec.app_metrics
    if is_counted_by_router(spec, criterion):
        return counters_of(spec).durations(key, spec)
    found = app_metric(f"{names.durations}{BUCKET}", key, names, exposed.canary, exposed.stable)
    return replace(found, bounds=spec.latency_limits)


def requests_of(exposed: ExposedCanary, criterion: Criterion | None = None) -> Metric:
    """Return the metric of all requests, of a criterion's source."""
    key, spec, names = exposed.key, exposed.spec, exposed.spec.app_metrics
    if is_counted_by_router(spec, criterion):
        return counters_of(spec).requests(key, spec)
    return app_metric(names.requests, key, names, exposed.canary, exposed.stable)
