"""
What ingress-nginx counts of a canary and its stable twin.

Facts about its metrics: `ingress` and `service` are the main Ingress's for both arms; the
label `canary` is `<namespace>-<service>-<port>` for the canary and empty for stable;
`namespace` and `service` are `exported_namespace` and `exported_service` where Prometheus
was not told to honour labels; canary series stay, flat, after their canary is gone.
`request_duration_seconds` counts every request, `response_duration_seconds` leaves out
those that were retried.

Facts about where it shows them: its Helm chart and its manifests give the labels of `EXPORTER` to its Services;
the chart's `controller.metrics.enabled` turns the metrics on, and makes a Service whose port is named
`metrics`; `/metrics` is at port 10254 (`--healthz-port`) by default. Each series has the pod that shows it, as
`controller_pod`. An IngressClass says nothing of the pods that serve it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollouts.model.counter_metric import (
    CounterSeries,
    SeriesMeaning,
    any_of,
    bound_of,
    native_name,
    quoted,
    selector,
)
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.router import Exporter

EXPORTER = Exporter(
    namespace="ingress-nginx",
    labels={
        "app.kubernetes.io/name": "ingress-nginx",
        "app.kubernetes.io/component": "controller",
    },
    port_name="metrics",
    port=10254,
)
REQUESTS = "nginx_ingress_controller_request_duration_seconds_count"
BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"


@dataclass(frozen=True, slots=True)
class IngressMetric:
    """One metric of ingress-nginx, of the stable Ingresses' requests to the stable Service."""

    name: str
    namespace: str
    stable_service: str
    canary_service: str
    ingresses: tuple[str, ...]
    bounds: tuple[float, ...] = ()

    @property
    def series(self) -> CounterSeries:
        """Return how both arms' series are asked for."""
        return CounterSeries(
            name=self.name,
            selectors=tuple(self._selector(self.name, each) for each in ("", "exported_")),
            natives=tuple(
                self._selector(native_name(self.name), each) for each in ("", "exported_")
            ),
            bounds=self.bounds,
            canary_label="canary",
            canary_begins=f"{self.namespace}-{self.canary_service}-",
            hint="see whether Prometheus still scrapes ingress-nginx",
            absent=f"Prometheus has no {self.name} of Service {self.stable_service}:"
            " see that ingress-nginx has metrics on, and that Prometheus scrapes it",
        )

    def _selector(self, name: str, prefix: str) -> str:
        canary = f"{self.namespace}-{self.canary_service}"
        return selector(
            name,
            f"{prefix}namespace={quoted(self.namespace)}",
            f"{prefix}service={quoted(self.stable_service)}",
            f"ingress=~{quoted(any_of(self.ingresses))}",
            f"canary=~{quoted('|' + re.escape(canary) + '-.+')}",
        )

    def is_asked(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series is of these Ingresses' requests to the Service, under any spelling."""
        prefix = "exported_" if "exported_service" in labels else ""
        canary = labels.get("canary", "")
        return (
            labels.get("__name__") == self.name
            and labels.get(f"{prefix}namespace") == self.namespace
            and labels.get(f"{prefix}service") == self.stable_service
            and labels.get("ingress") in self.ingresses
            and (not canary or canary.startswith(f"{self.namespace}-{self.canary_service}-"))
        )

    def meaning(self, labels: Mapping[str, str]) -> SeriesMeaning:
        """Return what a series says: both arms come from the same process."""
        return SeriesMeaning(
            canary=bool(labels.get("canary")),
            failed=labels.get("status", "").startswith("5"),
            bound=bound_of(labels),
        )

    def process(self, labels: Mapping[str, str]) -> str:
        """Return what tells one ingress controller's process from others."""
        pod = labels.get("controller_pod")
        if pod:
            return f"pod {labels.get('controller_namespace', '')}/{pod}"
        instance = labels.get("instance")
        return f"instance {instance}" if instance else f"job {labels.get('job', '')}"


class IngressCounters:
    """What ingress-nginx counts of a Rollout whose spec names the nginx router."""

    def requests(self, key: Key, spec: RolloutSpec) -> IngressMetric:
        return ingress_metric(REQUESTS, key, spec)

    def durations(self, key: Key, spec: RolloutSpec) -> IngressMetric:
        return replace(ingress_metric(BUCKETS, key, spec), bounds=spec.latency_limits)


def ingress_metric(name: str, key: Key, spec: RolloutSpec) -> IngressMetric:
    """Return the metric of this name, of the Ingresses that the spec names."""
    return IngressMetric(
        name,
        key.namespace,
        spec.stable_service or "",
        spec.canary_service or "",
        tuple(spec.users_objects(INGRESS)),
    )
