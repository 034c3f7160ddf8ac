"""What is wrong in a template's containers: what the API server, or the kubelet, would refuse."""

from collections.abc import Iterator

from rollouts.cli.remarks import Remark, as_list, as_mapping
from rollouts.model.kinds import JSON, FrozenJSON

_CONTAINERS = "spec.template.spec.containers"
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_HIGHEST_PORT = 65535


def containers_of(template: FrozenJSON) -> list[JSON]:
    """Return the containers of a pod template."""
    return [
        as_mapping(each) for each in as_list(as_mapping(template.get("spec")).get("containers"))
    ]


def container_remarks(template: FrozenJSON) -> Iterator[Remark]:
    """Yield what can't work, container by container."""
    for index, container in enumerate(containers_of(template)):
        where = f"{_CONTAINERS}[{index}]"
        if container.get("image") == "":
            yield Remark("error", f"{where}.image", "is empty; the API server refuses such a pod")
        yield from _environment(container, where)
        yield from _ports(container, where)
        yield from _probe_ports(container, where)


def probe_remarks(template: FrozenJSON) -> Iterator[Remark]:
    """Yield a warning when nothing says whether a pod can answer."""
    if not any(container.get("readinessProbe") for container in containers_of(template)):
        yield Remark(
            "warning",
            f"{_CONTAINERS}[0]",
            "no container has a readinessProbe: traffic may reach a pod before it can answer",
        )


def _environment(container: JSON, where: str) -> Iterator[Remark]:
    """Yield values that look like text and are none: the API server refuses pods with them."""
    for number, variable in enumerate(as_list(container.get("env"))):
        value = as_mapping(variable).get("value", "")
        if not isinstance(value, str):
            yield Remark(
                "error",
                f"{where}.env[{number}].value",
                f'expected text, got {value!r}; put it in quotes: "…"',
            )


def _ports(container: JSON, where: str) -> Iterator[Remark]:
    for number, port in enumerate(as_list(container.get("ports"))):
        value = as_mapping(port).get("containerPort")
        if not _is_port(value):
            yield Remark(
                "error",
                f"{where}.ports[{number}].containerPort",
                f"expected a number from 1 to {_HIGHEST_PORT}, got {value!r}",
            )


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HIGHEST_PORT


def _probe_ports(container: JSON, where: str) -> Iterator[Remark]:
    """Yield the probes of a port by a name that the container does not have: they never succeed."""
    names = sorted(
        str(as_mapping(port)["name"])
        for port in as_list(container.get("ports"))
        if as_mapping(port).get("name")
    )
    for probe in _PROBES:
        for action in ("httpGet", "tcpSocket"):
            port = as_mapping(as_mapping(container.get(probe)).get(action)).get("port")
            if isinstance(port, str) and not port.isdecimal() and port not in names:
                known = f"it has {', '.join(names)}" if names else "it names none"
                yield Remark(
                    "error",
                    f"{where}.{probe}.{action}.port",
                    f"the container has no port {port} ({known}), so that the probe never succeeds",
                )
