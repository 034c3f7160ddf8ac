"""
Where a router's data plane shows what it counts: the pods behind its Services.

Found in the caches of Services and EndpointSlices, which are watched anyway: no pod of another namespace is
watched, and nothing is asked for. Whose word it is matters, since a page can have a release rolled back: only
Services in a namespace are believed that the controller is told of, or that the data plane has as a rule. Nobody
becomes a data plane by a label.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.controller.metrics_pages import MOST_PODS, Endpoint
from rollouts.controller.services import SERVICE_NAME_LABEL
from rollouts.model.kinds import ENDPOINT_SLICE, JSON, SERVICE, FrozenJSON, Ref
from rollouts.ports import MetricsPage, Reads
from rollouts.traffic.router import Exporter
from rollouts.traffic.routers import exporter_of

_FAMILIES = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True)
class RouterPlace:
    """Where a router's data plane is: a namespace, and the Service with its metrics; without one, those of its labels."""

    namespace: str
    service: str = ""

    @classmethod
    def parse(cls, text: str) -> "RouterPlace":
        """
        Return what NAMESPACE or NAMESPACE/SERVICE names.

        Raises:
            ValueError: it is neither.
        """
        namespace, slash, service = text.partition("/")
        if not namespace or (slash and not service) or "/" in service:
            raise ValueError(f"expected NAMESPACE or NAMESPACE/SERVICE, got {text!r}")
        return cls(namespace, service)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}" if self.service else self.namespace


def with_router_pages(
    cluster: Reads, exposed: ExposedCanary, places: Iterable[RouterPlace] = ()
) -> ExposedCanary:
    """Return the exposed with the pages of the data plane that counts it, or with why there are none."""
    exporter = exporter_of(exposed.spec)
    if exporter is None:
        return replace(exposed, router_pages=(), why_router_unread="")
    places = tuple(places) or (RouterPlace(exporter.namespace),)
    ports: dict[str, int] = {}
    for service in _services(cluster, exporter, places):
        for address, port in _addresses(cluster, exporter, service):
            if port or address not in ports:
                ports[address] = port or ports.get(address, 0)
    pages = tuple(
        _page(exporter, address, port or exporter.port) for address, port in ports.items()
    )
    sample = sorted(pages, key=_in_sample)[:MOST_PODS]
    why = "" if pages else _why_none(exporter, places)
    return replace(exposed, router_pages=tuple(sample), why_router_unread=why)


def _services(
    cluster: Reads, exporter: Exporter, places: Iterable[RouterPlace]
) -> Iterator[FrozenJSON]:
    for place in places:
        if not place.service:
            yield from cluster.select(SERVICE, place.namespace, exporter.labels)
        elif found := cluster.get(Ref(SERVICE, place.namespace, place.service)):
            yield found


def _addresses(
    cluster: Reads, exporter: Exporter, service: FrozenJSON
) -> Iterator[tuple[str, int]]:
    """Yield the addresses of the pods that serve, and the port of their metrics; 0: the Service names none."""
    metadata = service["metadata"]
    of_service = {SERVICE_NAME_LABEL: metadata["name"]}
    for found in cluster.select(ENDPOINT_SLICE, metadata["namespace"], of_service):
        if found.get("addressType", _FAMILIES[0]) not in _FAMILIES:
            continue
        port = _port(exporter, found)
        for endpoint in found.get("endpoints") or ():
            conditions, addresses = (
                endpoint.get("conditions") or {},
                endpoint.get("addresses") or (),
            )
            if addresses and conditions.get("serving", conditions.get("ready")) is not False:
                yield str(addresses[0]), port


def _port(exporter: Exporter, found: JSON) -> int:
    numbers = (
        each.get("port")
        for each in found.get("ports") or ()
        if each.get("name") == exporter.port_name and each.get("protocol", "TCP") == "TCP"
    )
    return next((number for number in numbers if isinstance(number, int)), 0)


def _page(exporter: Exporter, address: str, port: int) -> MetricsPage:
    url = Endpoint("http", port, exporter.path).url(address)
    return MetricsPage(url, {"instance": url.removeprefix("http://").removesuffix(exporter.path)})


def _why_none(exporter: Exporter, places: Iterable[RouterPlace]) -> str:
    labels = ",".join(f"{key}={text}" for key, text in exporter.labels.items())
    where = " or ".join(
        f"Service {place}" if place.service else f"a Service with {labels} in namespace {place}"
        for place in places
    )
    return (
        f"the router's pods are not read: the controller sees no pods behind {where}; name the Service in"
        " --readings-router, and watch its namespace too if --namespace is given"
    )


def _in_sample(page: MetricsPage) -> bytes:
    return hashlib.sha256(page.url.encode()).digest()
