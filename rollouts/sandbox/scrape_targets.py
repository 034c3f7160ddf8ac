"""
Which pods Prometheus scrapes: those annotated `prometheus.io/scrape: "true"`, and, unless they are annotated
otherwise, those with a port named `metrics` and those of Rollouts: without their metrics nothing is
judged where no router counts.

`prometheus.io/port` and `prometheus.io/path` are honoured; without a port it is the one named
`metrics`, or else the first containerPort. Each series gets the labels `namespace`, `pod` and, for a Rollout's pod,
its revision's hash as `revision` and `rollouts_pod_template_hash`.
"""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from rollouts.model.kinds import HASH_LABEL, JSON, POD, FrozenJSON
from rollouts.sandbox.cluster import Objects
from rollouts.sandbox.network import PodNetwork

_ANNOTATION = "prometheus.io"
_PORT = "metrics"


def scrape_targets(pods: Iterable[FrozenJSON], network: PodNetwork) -> list[JSON]:
    """Return Prometheus' file_sd groups for the pods that run and want to be scraped."""
    return [target for pod in pods if (target := _target(pod, network))]


class ScrapeTargets:
    """Keeps `path` equal to what `scrape_targets` says of a cluster's pods."""

    def __init__(self, objects: Objects, network: PodNetwork, path: Path) -> None:
        self._objects = objects
        self._network = network
        self._path = path
        self._written = ""

    async def run(self) -> None:
        """Write now and after every change that matters, until cancelled."""
        self.write()
        changes = self._objects.changes(POD)
        async with contextlib.aclosing(changes):
            async for _change in changes:
                self.write()

    def write(self) -> None:
        """Replace the file, in one step, when its content would change."""
        content = json.dumps(scrape_targets(self._objects.select(POD), self._network), indent=1)
        if content != self._written:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(".draft")
            draft.write_text(content)
            draft.replace(self._path)
            self._written = content


def _target(pod: FrozenJSON, network: PodNetwork) -> JSON | None:
    meta, status = pod["metadata"], pod.get("status") or {}
    annotations = meta.get("annotations") or {}
    ports = _ports(pod)
    revision = (meta.get("labels") or {}).get(HASH_LABEL)
    wish = annotations.get(f"{_ANNOTATION}/scrape", "true" if _PORT in ports or revision else "")
    first = next(iter(ports.values()), None)
    port = annotations.get(f"{_ANNOTATION}/port") or ports.get(_PORT, first)
    if wish != "true" or not port:
        return None
    address = network.reached(status.get("podIP") or "")
    if status.get("phase") != "Running" or address is None:
        return None
    labels = {"namespace": meta.get("namespace", ""), "pod": meta["name"]}
    if revision:
        labels |= {"revision": revision, "rollouts_pod_template_hash": revision}
    if path := annotations.get(f"{_ANNOTATION}/path"):
        labels["__metrics_path__"] = path
    return {"targets": [f"{address}:{port}"], "labels": labels}


def _ports(pod: FrozenJSON) -> dict[str, int]:
    """Return the containers' ports in their order; one without a name by its number."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    ports = [port for each in containers for port in each.get("ports") or ()]
    return {port.get("name") or str(port["containerPort"]): port["containerPort"] for port in ports}
