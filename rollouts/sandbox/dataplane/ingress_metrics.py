"""
ingress-nginx's metrics, with its names, labels and buckets.

Facts, from ingress-nginx's `internal/ingress/metric/collectors/socket.go` and `monitor.lua`:

- `namespace`, `ingress` and `service` name the *main* Ingress, for both arms; `canary` is
  "" for the stable one and `<namespace>-<service>-<port>` of the canary's backend.
- The upstream's times come as a list after a retry; such a request counts in `requests` and
  `request_duration_seconds`, and not in the `connect`, `header` and `response` durations.
- A series stays, flat, after its canary is gone.

One difference: Ingresses without a host are counted (with `host="_"`), where ingress-nginx
leaves them out unless it is told otherwise.

Beside them is one counter of the sandbox's own, `sandbox_requests_total`: every request, that
of an HTTPRoute too, by `route` (`<kind>/<namespace>/<name>`), by the `backend` that it ended at
(`<namespace>-<service>-<port>`, after a TrafficSplit) and by `status`.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PREFIX = "nginx_ingress_controller_"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OWN_COUNTER = "sandbox_requests_total"
OWN_LABELS = ("route", "backend", "status")
CONSTANT_LABELS = (
    ("controller_class", "k8s.io/ingress-nginx"),
    ("controller_namespace", "ingress-nginx"),
    ("controller_pod", "ingress-nginx-controller"),
)
LABELS = ("canary", "host", "ingress", "method", "namespace", "path", "service", "status")
# Field of the access log → metric and what it says.
DURATIONS = {
    "request_time": ("request_duration_seconds", "The request processing time"),
    "connect_time": ("connect_duration_seconds", "The time spent connecting to the upstream"),
    "header_time": ("header_duration_seconds", "The time until the upstream's first header"),
    "response_time": ("response_duration_seconds", "The time spent receiving the response"),
}


@dataclass(slots=True)
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    sum: float = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(BUCKETS, value)] += 1
        self.sum += value


class IngressMetrics:
    """What nginx has served so far, as series. Knows no I/O."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, ...], int] = {}
        self._ends: dict[tuple[str, ...], int] = {}
        self._durations: dict[str, dict[tuple[str, ...], _Histogram]] = {
            name: {} for name in DURATIONS
        }

    def count(self, entry: Mapping[str, str]) -> None:
        """Count one line of the access log; a request that a Gateway's route has is not ingress-nginx's."""
        route = entry.get("route") or f"Ingress/{entry.get('namespace')}/{entry.get('ingress')}"
        ends = (route, entry.get("backend", ""), entry.get("status", ""))
        self._ends[ends] = self._ends.get(ends, 0) + 1
        if entry.get("route"):
            return
        labels = tuple(entry.get(name, "") for name in LABELS)
        self._requests[labels] = self._requests.get(labels, 0) + 1
        for name, series in self._durations.items():
            seconds = _seconds(entry.get(name, ""))
            if seconds is not None:
                series.setdefault(labels, _Histogram()).observe(seconds)

    def render(self) -> str:
        """Return everything in Prometheus' text format (version 0.0.4)."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        name = f"{PREFIX}requests"
        yield f"# HELP {name} The total number of client requests"
        yield f"# TYPE {name} counter"
        for labels, count in self._requests.items():
            yield f"{name}{{{_render(labels)}}} {count}"
        for key, (suffix, meaning) in DURATIONS.items():
            name = f"{PREFIX}{suffix}"
            yield f"# HELP {name} {meaning}"
            yield f"# TYPE {name} histogram"
            for labels, histogram in self._durations[key].items():
                yield from _histogram_lines(name, _render(labels), histogram)
        yield from _own_lines(self._ends)


def _own_lines(ends: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    yield f"# HELP {OWN_COUNTER} Requests by the route that had them and the Service that answered"
    yield f"# TYPE {OWN_COUNTER} counter"
    for values, count in ends.items():
        pairs = zip(OWN_LABELS, values, strict=True)
        rendered = ",".join(f'{name}="{_escape(value)}"' for name, value in pairs)
        yield f"{OWN_COUNTER}{{{rendered}}} {count}"


def _histogram_lines(name: str, labels: str, histogram: _Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip((*map(_bound, BUCKETS), "+Inf"), histogram.buckets, strict=True):
        total += count
        yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
    yield f"{name}_sum{{{labels}}} {histogram.sum:.6f}"
    yield f"{name}_count{{{labels}}} {total}"


def _bound(value: float) -> str:
    """Return a bucket's `le` as Go's client writes it: 1, not 1.0."""
    return f"{value:g}"


def _render(values: tuple[str, ...]) -> str:
    pairs = (*CONSTANT_LABELS, *zip(LABELS, values, strict=True))
    return ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(pairs))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _seconds(text: str) -> float | None:
    """Return the number; None for "", "-" and the lists that retries leave."""
    try:
        return float(text)
    except ValueError:
        return None
