"""
Which pods of a canary can be read, and where their metrics are.

As whoever scrapes is told it: by the annotations `prometheus.io/scrape`, `port`, `path` and `scheme` of the
pod's template, or by a port that is named `metrics`. Nothing is asked for: what a pod says of itself is in
the caches.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rollouts.analysis.app_counters import pods_of
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.controller.objects import time_of
from rollouts.controller.observe import is_ready
from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, FrozenJSON, Kind
from rollouts.model.truncation import truncated
from rollouts.model.unchecked_json import mapping
from rollouts.ports import MetricsPage, Reads

MOST_PODS = 50
"""So many pods of a release are read at most: of more, a sample by their names."""
_ANNOTATION = "prometheus.io/"
_PORT = "metrics"
_PATH = re.compile(r"/[!-~]*")
_LARGEST_PORT = 65535
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where each pod of a template shows its metrics."""

    scheme: str
    port: int
    path: str

    def url(self, address: str) -> str:
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def with_pages(cluster: Reads, exposed: ExposedCanary) -> ExposedCanary:
    """Return the exposed with the pages of the canary's pods, or with why there are none."""
    key, names = exposed.key, exposed.spec.app_metrics
    prefix = pods_of(key.name, exposed.canary).prefix
    pods = [pod for pod in _with_hash(cluster, POD, exposed) if _name(pod).startswith(prefix)]
    served = [
        each
        for each in pods
        if is_ready(each) and _address(each) and not each.get("spec", {}).get("hostNetwork")
    ]
    templates = (
        each["spec"].get("template") or {}
        for each in _with_hash(cluster, REPLICA_SET, exposed)
        if f"{_name(each)}-".startswith(prefix)
    )
    try:
        endpoint = endpoint_of(next(templates, {}))
    except ValueError as error:
        return replace(exposed, pages=(), pods=len(served), why_unread=str(error))
    pages = tuple(
        MetricsPage(
            endpoint.url(_address(pod)),
            {names.namespace_label: key.namespace, names.pod_label: _name(pod)},
            time_of(pod["metadata"].get("creationTimestamp")),
        )
        for pod in sorted(served, key=_in_sample)[:MOST_PODS]
    )
    return replace(exposed, pages=pages, pods=len(served), why_unread="")


def endpoint_of(template: FrozenJSON) -> Endpoint:
    """
    Return where the pods of a template show their metrics.

    Raises:
        ValueError: they do not, or can't be read there; with the reason and the way out.
    """
    annotations = mapping(mapping(template.get("metadata")).get("annotations"))
    told = {key.removeprefix(_ANNOTATION): str(text) for key, text in annotations.items()}
    spec = mapping(template.get("spec"))
    ports = dict(_ports(spec))
    if told.get("scrape", "true" if _PORT in ports else "") != "true":
        raise ValueError(
            "the pods are not read: annotate the template with prometheus.io/scrape, or name its port metrics"
        )
    if spec.get("hostNetwork"):
        raise ValueError("the pods are not read: they are in their node's network (hostNetwork)")
    return Endpoint(_scheme(told), _port(told, ports), _path(told))


def _port(told: Mapping[str, str], ports: Mapping[str, int]) -> int:
    text = told.get("port", "")
    if text:
        if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _LARGEST_PORT):
            raise ValueError(f"prometheus.io/port is no port: {truncated(text, _LONGEST)!r}")
        return int(text)
    if _PORT in ports:
        return ports[_PORT]
    if len(ports) != 1:
        raise ValueError(
            "the pods are not read: say in prometheus.io/port which of their ports has the metrics"
        )
    return next(iter(ports.values()))


def _path(told: Mapping[str, str]) -> str:
    path = told.get("path", "/metrics")
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"prometheus.io/path has to begin with / and be plain text: {truncated(path, _LONGEST)!r}"
        )
    return path


def _scheme(told: Mapping[str, str]) -> str:
    scheme = told.get("scheme", "http")
    if scheme not in ("http", "https"):
        raise ValueError(
            f"prometheus.io/scheme has to be http or https: {truncated(scheme, _LONGEST)!r}"
        )
    return scheme


def _ports(spec: FrozenJSON) -> Iterator[tuple[str, int]]:
    """Yield the containers' TCP ports by name, those without one by their number."""
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            number = port.get("containerPort")
            if isinstance(number, int) and port.get("protocol", "TCP") == "TCP":
                yield str(port.get("name") or number), number


def _with_hash(cluster: Reads, kind: Kind, exposed: ExposedCanary) -> list[JSON]:
    return cluster.select(kind, exposed.key.namespace, {HASH_LABEL: exposed.canary.hash})


def _name(found: FrozenJSON) -> str:
    return str(found["metadata"]["name"])


def _address(pod: FrozenJSON) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


def _in_sample(pod: FrozenJSON) -> bytes:
    """Return by what a sample is drawn: it has nothing to do with how a pod does, and stays the same."""
    return hashlib.sha256(_name(pod).encode()).digest()
