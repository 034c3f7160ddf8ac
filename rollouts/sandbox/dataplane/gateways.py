"""
Which routes hang on which Gateways of ours, and under which hosts.

Pure. A Gateway is ours when its class names our controller. Of its listeners those of
protocol HTTP count; all of them are served at the data plane's one address, whatever port
they name. A route is attached when a listener allows its kind and namespace, and their
hostnames meet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.crds import HTTP_ROUTE
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot

CONTROLLER = "rollouts.dev/sandbox"
ANY_HOST = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition's status, its reason and the reason in words."""

    ok: bool
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What became of one parentRef: with which hosts the Gateway serves the route, if it does."""

    parent: JSON
    gateway: tuple[str, str]
    accepted: Verdict
    hosts: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()


class Gateways:
    """Our Gateways as of one moment."""

    def __init__(self, seen: RoutingSnapshot) -> None:
        classes = {each["metadata"]["name"] for each in seen.gateway_classes if is_our_class(each)}
        self.ours = {
            _key(each): each
            for each in seen.gateways
            if (each.get("spec") or {}).get("gatewayClassName") in classes
        }
        self._labels = {
            each["metadata"]["name"]: each["metadata"].get("labels") or {}
            for each in seen.namespaces
        }

    def attach(self, route: JSON) -> list[Attachment]:
        """Return an attachment for each parentRef that names a Gateway of ours."""
        parents = (route.get("spec") or {}).get("parentRefs") or ()
        return [
            self._attachment(route, parent, gateway)
            for parent in parents
            if parent.get("kind", "Gateway") == "Gateway"
            and (gateway := self.ours.get(_named(parent, route)))
        ]

    def _attachment(self, route: JSON, parent: JSON, gateway: JSON) -> Attachment:
        def refused(reason: str, message: str) -> Attachment:
            return Attachment(
                parent, _key(gateway), Verdict(ok=False, reason=reason, message=message)
            )

        listeners = [each for each in http_listeners(gateway) if _is_named(each, parent)]
        if not listeners:
            return refused("NoMatchingParent", "no HTTP listener has that name and port")
        allowed = [each for each in listeners if self._allows(each, gateway, route)]
        if not allowed:
            return refused("NotAllowedByListeners", "no listener allows this kind and namespace")
        wanted = (route.get("spec") or {}).get("hostnames") or ()
        found = {each["name"]: meeting_hosts(each.get("hostname"), wanted) for each in allowed}
        hosts = tuple(dict.fromkeys(host for each in found.values() for host in each))
        if not hosts:
            return refused("NoMatchingListenerHostname", "no listener has one of the hostnames")
        names = tuple(name for name, hosts in found.items() if hosts)
        accepted = Verdict(ok=True, reason="Accepted", message="the route is served")
        return Attachment(parent, _key(gateway), accepted, hosts, names)

    def _allows(self, listener: JSON, gateway: JSON, route: JSON) -> bool:
        allowed = listener.get("allowedRoutes") or {}
        kinds = [each.get("kind") for each in allowed.get("kinds") or ()]
        if kinds and route.get("kind", HTTP_ROUTE.name) not in kinds:
            return False
        namespaces = allowed.get("namespaces") or {}
        of_route, of_gateway = _key(route)[0], _key(gateway)[0]
        if namespaces.get("from") == "All":
            return True
        if namespaces.get("from") == "Selector":
            wanted: JSON = (namespaces.get("selector") or {}).get("matchLabels") or {}
            return wanted.items() <= self._labels.get(of_route, {}).items()
        return of_route == of_gateway


def is_our_class(gateway_class: FrozenJSON) -> bool:
    return (gateway_class.get("spec") or {}).get("controllerName") == CONTROLLER


def http_listeners(gateway: JSON) -> list[JSON]:
    """Return the listeners that are served."""
    return [
        each for each in gateway["spec"].get("listeners") or () if each.get("protocol") == "HTTP"
    ]


def meeting_hosts(listener: str | None, wanted: Iterable[str]) -> Sequence[str]:
    """Return the hosts that a listener and a route have in common; `ANY_HOST` is every host."""
    routes = [each.lower() for each in wanted] or [ANY_HOST]
    own = (listener or ANY_HOST).lower()
    return [host for each in routes if (host := _meet(own, each)) is not None]


def _meet(one: str, other: str) -> str | None:
    """Return the narrower of two hosts when the wider one covers it."""
    for wide, narrow in ((one, other), (other, one)):
        if wide in (ANY_HOST, narrow) or (wide.startswith("*.") and narrow.endswith(wide[1:])):
            return narrow
    return None


def _is_named(listener: JSON, parent: JSON) -> bool:
    return parent.get("sectionName") in (None, listener["name"]) and parent.get("port") in (
        None,
        listener["port"],
    )


def _named(parent: JSON, route: JSON) -> tuple[str, str]:
    return (parent.get("namespace") or _key(route)[0], parent["name"])


def _key(obj: JSON) -> tuple[str, str]:
    return (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
