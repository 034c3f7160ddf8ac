"""What is wrong in a template's containers: what the API server, or the kubelet, would refuse."""

import re
from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.quantities import is_quantity
from rollouts.model.unchecked_json import elements, mapping

_CONTAINERS = "spec.template.spec.containers"
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_HIGHEST_PORT = 65535
_CONTAINER_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(?=.{0,63}$)([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


def containers_of(template: FrozenJSON) -> list[FrozenJSON]:
    """Return the containers of a pod template."""
    return [mapping(each) for each in elements(mapping(template.get("spec")).get("containers"))]


def container_findings(template: FrozenJSON) -> Iterator[Finding]:
    """Yield what can't work, container by container."""
    for index, container in enumerate(containers_of(template)):
        where = f"{_CONTAINERS}[{index}]"
        yield from _name(container, where)
        yield from _quantities(container, where)
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


def label_findings(labels: object, where: str) -> Iterator[Finding]:
    """Yield the labels whose values no API server takes."""
    for key, value in mapping(labels).items():
        if not isinstance(value, str):
            yield _not_text(value, f"{where}.{key}")
        elif not _LABEL_VALUE.fullmatch(value):
            text = f"{value!r} is no value of a label: it has up to 63 letters, digits, and -, _ or . between them"
            yield Finding("error", "", text, f"{where}.{key}")


def _name(container: FrozenJSON, where: str) -> Iterator[Finding]:
    name = container.get("name")
    if isinstance(name, str) and not _CONTAINER_NAME.fullmatch(name):
        text = f"{name!r} is no name of a container: it has up to 63 small letters, digits, and - between them"
        yield Finding("error", "", text, f"{where}.name")


def _quantities(container: FrozenJSON, where: str) -> Iterator[Finding]:
    resources = mapping(container.get("resources"))
    for part in ("requests", "limits"):
        for name, value in mapping(resources.get(part)).items():
            if isinstance(value, str) and not is_quantity(value):
                text = f"{value!r} is no quantity, such as 250m, 1 or 64Mi"
                yield Finding("error", "", text, f"{where}.resources.{part}.{name}")


def _environment(container: FrozenJSON, where: str) -> Iterator[Finding]:
    """Yield values that look like text and are none: the API server refuses pods with them."""
    for number, variable in enumerate(elements(container.get("env"))):
        value = mapping(variable).get("value", "")
        if not isinstance(value, str):
            yield _not_text(value, f"{where}.env[{number}].value")


def _not_text(value: object, field: str) -> Finding:
    return Finding("error", "", f'expected text, got {value!r}; put it in quotes: "…"', field)


def _ports(container: FrozenJSON, where: str) -> Iterator[Finding]:
    for number, port in enumerate(elements(container.get("ports"))):
        value = mapping(port).get("containerPort")
        if not _is_port(value):
            yield _no_port(value, f"{where}.ports[{number}].containerPort")


def _no_port(value: object, field: str) -> Finding:
    return Finding(
        "error", "", f"expected a number from 1 to {_HIGHEST_PORT}, got {value!r}", field
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
            if isinstance(port, int) and not _is_port(port):
                yield _no_port(port, f"{where}.{probe}.{action}.port")
            if isinstance(port, str) and not port.isdecimal() and port not in names:
                known = f"it has {', '.join(names)}" if names else "it names none"
                yield Finding(
                    "error",
                    "",
                    (
                        f"the container has no port {port} ({known}), so that the probe never succeeds;"
                        " correct the probe's port, or name the port"
                    ),
                    f"{where}.{probe}.{action}.port",
                )
