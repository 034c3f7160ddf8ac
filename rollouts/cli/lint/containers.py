"""What is wrong in a template's containers: what the API server, or the kubelet, would refuse."""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.unchecked_json import elements, mapping

_CONTAINERS = "spec.template.spec.containers"
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_HIGHEST_PORT = 65535


def containers_of(template: FrozenJSON) -> list[FrozenJSON]:
    """Return the containers of a pod template."""
    return [mapping(each) for each in elements(mapping(template.get("spec")).get("containers"))]


def container_findings(template: FrozenJSON) -> Iterator[Finding]:
    """Yield what can't work, container by container."""
    for index, container in enumerate(containers_of(template)):
        where = f"{_CONTAINERS}[{index}]"
        if container.get("image") == "":
            yield Finding(
                "error",
                "",
                "is empty, and the API server refuses such a pod; name an image",
                f"{where}.image",
            )
        yield from _environment(container, where)
        yield from _ports(container, where)
        yield from _probe_ports(container, where)


def _environment(container: FrozenJSON, where: str) -> Iterator[Finding]:
    """Yield values that look like text and are none: the API server refuses pods with them."""
    for number, variable in enumerate(elements(container.get("env"))):
        value = mapping(variable).get("value", "")
        if not isinstance(value, str):
            yield Finding(
                "error",
                "",
                f'expected text, got {value!r}; put it in quotes: "…"',
                f"{where}.env[{number}].value",
            )


def _ports(container: FrozenJSON, where: str) -> Iterator[Finding]:
    for number, port in enumerate(elements(container.get("ports"))):
        value = mapping(port).get("containerPort")
        if not _is_port(value):
            yield Finding(
                "error",
                "",
                f"expected a number from 1 to {_HIGHEST_PORT}, got {value!r}",
                f"{where}.ports[{number}].containerPort",
            )


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HIGHEST_PORT


def _probe_ports(container: FrozenJSON, where: str) -> Iterator[Finding]:
    """Yield the probes of a port by a name that the container does not have: they never succeed."""
    names = sorted(
        str(mapping(port)["name"])
        for port in elements(container.get("ports"))
        if mapping(port).get("name")
    )
    for probe in _PROBES:
        for action in ("httpGet", "tcpSocket"):
            port = mapping(mapping(container.get(probe)).get(action)).get("port")
            if isinstance(port, str) and not port.isdecimal() and port not in names:
                known = f"it has {', '.join(names)}" if names else "it names none"
                yield Finding(
                    "error",
                    "",
                    f"the container has no port {port} ({known}), so that the probe never succeeds",
                    f"{where}.{probe}.{action}.port",
                )
