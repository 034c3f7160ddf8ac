"""Why nothing was counted of a canary: no traffic, no such metric, or nobody who scrapes it."""

from rollouts.analysis.app_counters import AppMetric
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters
from rollouts.model.counter_metric import label, quoted, selector


def why_no_data(
    counters: ExposureCounters, requests: ExposureCounters, exposed: ExposedCanary
) -> str:
    """
    Return why `counters` have counted nothing of the canary, in words.

    Nothing when they have, or when nobody can tell. `requests` counts all requests of the same
    source; it may be the same.
    """
    metric, total = counters.metric, counters.windows.total
    if total.counts(canary=True):
        return ""
    if isinstance(metric, AppMetric):
        return _of_pods(metric, counters, requests, exposed)
    if metric.series.absent and not total.counters:
        return f"no request has reached the canary yet; {metric.series.absent}"
    return ""


def _of_pods(
    metric: AppMetric,
    counters: ExposureCounters,
    requests: ExposureCounters,
    exposed: ExposedCanary,
) -> str:
    """
    Return it of the pods' own metrics.

    A counter with labels has no series before its first request. So it is asked whether the
    pods are scraped, and whether stable's have such a metric.
    """
    canary = f"revision {metric.canary.revision}'s pods"
    asked = selector(metric.name, f"{label(metric.pod_label)}=~{quoted(metric.canary.pattern)}")
    known, scraped = counters.windows.total.knows, counters.scrapes.was_scraped
    if not known(canary=True) and not scraped(canary=True):
        beside = f", those of revision {exposed.stable.number} are" if scraped(canary=False) else ""
        return (
            f"{canary} have not been scraped by Prometheus{beside}; see whether a PodMonitor or scrape job"
            " selects the canary's"
        )
    if requests.windows.total.counts(canary=True):
        return f"{canary} count requests, and have no {asked}: see spec.appMetrics.durations"
    if known(canary=True) or known(canary=False):
        why = ": a preview gets no live traffic" if _is_preview(exposed) else ""
        return f"no request has reached {canary} ({asked}){why}"
    return (
        f"{canary} are scraped, and have no {asked}: no request has reached them,"
        " or the app calls it otherwise (spec.appMetrics)"
    )


def _is_preview(exposed: ExposedCanary) -> bool:
    return exposed.spec.blue_green is not None and exposed.weight_percent == 0
