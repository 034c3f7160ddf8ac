"""
A Service's port, the end of every route, and the addresses behind it: ready endpoints from EndpointSlices.

Pure. An endpoint counts when it is ready, or does not say; terminating ones have `ready: false`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rollouts.model.kinds import JSON

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """A Service's port, as an Ingress names it: by number or by name."""

    namespace: str
    service: str
    port: str

    def __str__(self) -> str:
        return f"{self.namespace}-{self.service}-{self.port}"


class Endpoints:
    """Services and EndpointSlices as of one moment, indexed for `addresses`."""

    def __init__(self, services: Iterable[JSON], slices: Iterable[JSON]) -> None:
        self._services = {_name(each): each for each in services}
        self._slices: dict[tuple[str, str], list[JSON]] = {}
        for each in slices:
            meta = each["metadata"]
            service = (meta.get("labels") or {}).get(SERVICE_NAME_LABEL, "")
            self._slices.setdefault((meta.get("namespace", ""), service), []).append(each)

    def addresses(self, backend: Backend) -> list[str]:
        """Return `address:port` of each ready endpoint, sorted; none when the Service or port is unknown."""
        key = (backend.namespace, backend.service)
        port_name = _port_name(self._services.get(key), backend.port)
        if port_name is None:
            return []
        return sorted(
            {peer for each in self._slices.get(key, ()) for peer in _peers(each, port_name)}
        )

    def has(self, namespace: str, service: str) -> bool:
        """Return whether there is such a Service."""
        return (namespace, service) in self._services

    def has_port(self, backend: Backend) -> bool:
        """Return whether the Service has the port."""
        return (
            _port_name(self._services.get((backend.namespace, backend.service)), backend.port)
            is not None
        )

    def port_number(self, backend: Backend) -> str:
        """Return the port's number; of an unknown Service or port, what the backend names."""
        service = self._services.get((backend.namespace, backend.service))
        return next(
            (
                str(each.get("port"))
                for each in _ports(service)
                if backend.port in (each.get("name"), str(each.get("port")))
            ),
            backend.port,
        )


def _name(item: JSON) -> tuple[str, str]:
    return (item["metadata"].get("namespace", ""), item["metadata"]["name"])


def _port_name(service: JSON | None, port: str) -> str | None:
    for each in _ports(service):
        if port in (each.get("name"), str(each.get("port"))):
            return str(each.get("name") or "")
    return None


def _ports(service: JSON | None) -> list[JSON]:
    spec: Mapping[str, object] = (service or {}).get("spec") or {}
    ports = spec.get("ports")
    return ports if isinstance(ports, list) else []


def _peers(endpoint_slice: JSON, port_name: str) -> Iterator[str]:
    numbers = [
        each["port"]
        for each in endpoint_slice.get("ports") or ()
        if (each.get("name") or "") == port_name and each.get("port")
    ]
    for endpoint in endpoint_slice.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        for address in endpoint.get("addresses") or ():
            host = f"[{address}]" if ":" in address else address
            yield from (f"{host}:{number}" for number in numbers)
