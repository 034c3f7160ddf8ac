"""
What TrafficSplits mean to a mesh: a request for the root Service goes to one of the backends.

Pure. The rules, as Linkerd has them (its SMI extension and its proxy):

- A backend of weight 0 is as good as not listed; when that leaves none, the root Service
  itself is asked, as if there were no TrafficSplit.
- A backend that is listed with a weight gets its share, whether it is there or not: without
  the Service or without endpoints, that share is answered with 503.
- A backend is asked at the port the root was asked at. Splits are not followed from
  backend to backend, and `matches` is not looked at.

Of two TrafficSplits for one root Service, the older counts. Weights are integers, or in
v1alpha1 quantities: "900m".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rollouts.model.kinds import JSON
from rollouts.model.quantities import parse_quantity
from rollouts.sandbox.dataplane.endpoints import Backend, Endpoints
from rollouts.sandbox.dataplane.snapshot import age


@dataclass(frozen=True, slots=True)
class Share:
    """A backend, and its weight in relation to the others'."""

    backend: Backend
    weight: int


class Splits:
    """The TrafficSplits as of one moment, indexed for `shares`."""

    def __init__(self, traffic_splits: Iterable[JSON], endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._by_root: dict[tuple[str, str], JSON] = {}
        for split in sorted(traffic_splits, key=age):
            root = _service(split.get("spec") or {})
            self._by_root.setdefault((split["metadata"].get("namespace", ""), root), split)

    def shares(self, backend: Backend) -> list[Share]:
        """Return who gets the requests for a backend; none means: the backend itself."""
        split = self._by_root.get((backend.namespace, backend.service))
        if split is None:
            return []
        port = self._endpoints.port_number(backend)
        return [
            Share(Backend(backend.namespace, _service(each), port), weight)
            for each in split["spec"].get("backends") or ()
            if (weight := milli(each.get("weight", 0))) > 0
        ]


def milli(weight: object) -> int:
    """Return a weight in thousandths: 1 and "1000m" are 1000. What is no quantity is 0."""
    found = parse_quantity(weight)
    return int(found * 1000) if found is not None and found > 0 else 0


def _service(named: JSON) -> str:
    """Return the Service's name; it may be written as a name of the cluster's DNS."""
    return str(named.get("service", "")).split(".")[0]
