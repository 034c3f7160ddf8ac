"""
What the data plane says in the status of the objects that it serves, as their controllers do.

Written only after nginx has taken what the object says, and only when it would change:
an Ingress gets our address; a GatewayClass is Accepted; a Gateway is Accepted and
Programmed; a route has, for each parentRef to a Gateway of ours, Accepted and ResolvedRefs
of its generation. What other controllers say of a route's parents stays.
"""

from collections.abc import Iterable, Iterator, Sequence

import structlog

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.builtins import INGRESS
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.etcd import utc_now
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS, GRPC_ROUTE, HTTP_ROUTE
from rollouts.sandbox.dataplane.endpoints import Endpoints
from rollouts.sandbox.dataplane.gateways import (
    CONTROLLER,
    Attachment,
    Gateways,
    Verdict,
    http_listeners,
    is_our_class,
)
from rollouts.sandbox.dataplane.ingresses import IngressSettings, is_ours
from rollouts.sandbox.dataplane.route_rules import targets, unsupported
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot

log = structlog.get_logger(__name__)

_SUPPORTED = [
    {"name": each}
    for each in (
        "GRPCRoute",
        "Gateway",
        "HTTPRoute",
        "HTTPRouteBackendRequestHeaderModification",
        "HTTPRouteHostRewrite",
        "HTTPRouteMethodMatching",
        "HTTPRoutePathRedirect",
        "HTTPRoutePathRewrite",
        "HTTPRoutePortRedirect",
        "HTTPRouteQueryParamMatching",
        "HTTPRouteRequestMirror",
        "HTTPRouteRequestPercentageMirror",
        "HTTPRouteResponseHeaderModification",
        "HTTPRouteSchemeRedirect",
    )
]
"""The features that are served, as the Gateway API calls them."""
_ROUTE_KINDS = [{"group": HTTP_ROUTE.group, "kind": kind.name} for kind in (HTTP_ROUTE, GRPC_ROUTE)]


class Statuses:
    """Writes into `cluster`; `address` is where everything is served."""

    def __init__(self, cluster: Cluster, address: str, settings: IngressSettings) -> None:
        self._cluster = cluster
        self._address = address
        self._settings = settings

    async def publish(self, seen: RoutingSnapshot) -> None:
        """
        Say what holds for the objects as they were seen.

        Raises:
            Unavailable: the API server does not answer.
        """
        for ingress in seen.ingresses:
            if is_ours(ingress, self._settings):
                addresses = {"ingress": [{"ip": self._address}]}
                await self._write(INGRESS, ingress, {"loadBalancer": addresses})
        for each in seen.gateway_classes:
            if is_our_class(each):
                said = self._conditions(each, {"Accepted": _yes("Accepted")}, each.get("status"))
                await self._write(
                    GATEWAY_CLASS, each, {"conditions": said, "supportedFeatures": _SUPPORTED}
                )
        gateways, endpoints = Gateways(seen), Endpoints(seen.services, seen.slices)
        attached: list[Attachment] = []
        for kind, routes in ((HTTP_ROUTE, seen.http_routes), (GRPC_ROUTE, seen.grpc_routes)):
            for route in routes:
                found = gateways.attach(route)
                attached += found
                await self._route(kind, route, found, resolved(route, endpoints))
        for gateway in gateways.ours.values():
            await self._gateway(gateway, attached)

    async def _route(
        self, kind: Kind, route: JSON, found: Sequence[Attachment], references: Verdict
    ) -> None:
        before: list[JSON] = (route.get("status") or {}).get("parents") or []
        others = [each for each in before if each["controllerName"] != CONTROLLER]
        unknown = unsupported(route)
        refusal = Verdict(
            ok=False, reason="UnsupportedValue", message=f"filters not known here: {unknown}"
        )
        ours = [
            {
                "parentRef": each.parent,
                "controllerName": CONTROLLER,
                "conditions": self._conditions(
                    route,
                    {
                        "Accepted": refusal if unknown and each.accepted.ok else each.accepted,
                        "ResolvedRefs": references,
                    },
                    _said_of(each.parent, before),
                ),
            }
            for each in found
        ]
        if ours or len(others) < len(before):
            await self._write(kind, route, {"parents": others + ours})

    async def _gateway(self, gateway: JSON, attached: Iterable[Attachment]) -> None:
        before: JSON = gateway.get("status") or {}
        key = (gateway["metadata"].get("namespace", ""), gateway["metadata"]["name"])
        here = [each for each in attached if each.gateway == key and each.accepted.ok]
        listeners = [
            self._listener(gateway, each, sum(each["name"] in one.listeners for one in here))
            for each in gateway["spec"].get("listeners") or ()
        ]
        verdicts = {"Accepted": _yes("Accepted"), "Programmed": _yes("Programmed")}
        status = {
            "addresses": [{"type": "IPAddress", "value": self._address}],
            "conditions": self._conditions(gateway, verdicts, before),
            "listeners": listeners,
        }
        await self._write(GATEWAY, gateway, status)

    def _listener(self, gateway: JSON, listener: JSON, routes: int) -> JSON:
        if listener in http_listeners(gateway):
            accepted, programmed = _yes("Accepted"), _yes("Programmed")
        else:
            why = f"{listener.get('protocol')} is not served here"
            accepted = Verdict(ok=False, reason="UnsupportedProtocol", message=why)
            programmed = Verdict(ok=False, reason="Invalid", message=why)
        verdicts = {
            "Accepted": accepted,
            "Programmed": programmed,
            "ResolvedRefs": _yes("ResolvedRefs"),
        }
        listed = (gateway.get("status") or {}).get("listeners") or ()
        before = next((each for each in listed if each["name"] == listener["name"]), None)
        return {
            "name": listener["name"],
            "supportedKinds": _ROUTE_KINDS,
            "attachedRoutes": routes,
            "conditions": self._conditions(gateway, verdicts, before),
        }

    def _conditions(
        self, obj: JSON, verdicts: dict[str, Verdict], before: JSON | None
    ) -> list[JSON]:
        """Return conditions of the object's generation; a time stays while the status does."""
        was = {each["type"]: each for each in (before or {}).get("conditions") or ()}
        now = timestamp(utc_now())
        return [
            {
                "type": kind,
                "status": str(verdict.ok),
                "reason": verdict.reason,
                "message": verdict.message,
                "observedGeneration": obj["metadata"].get("generation", 0),
                "lastTransitionTime": was[kind]["lastTransitionTime"]
                if kind in was and was[kind]["status"] == str(verdict.ok)
                else now,
            }
            for kind, verdict in verdicts.items()
        ]

    async def _write(self, kind: Kind, obj: JSON, status: JSON) -> None:
        version, meta = self._cluster.served(kind), obj["metadata"]
        if version is None or _holds(obj.get("status") or {}, status):
            return
        namespace, name = meta.get("namespace", ""), meta["name"]
        try:
            await self._cluster.patch(version, namespace, name, {"status": status}, "status")
        except ApiError as error:
            if error.code != 404:  # it went meanwhile: nothing to say it to
                log.warning("status refused", kind=kind.name, name=name, reason=error.message)


def resolved(route: JSON, endpoints: Endpoints) -> Verdict:
    """Return whether all that a route refers to is there; of several reasons, the first."""
    broken = [each.resolved for each in targets(route, endpoints) if not each.resolved.ok]
    return broken[0] if broken else _yes("ResolvedRefs")


def _said_of(parent: FrozenJSON, listed: Iterable[JSON]) -> JSON | None:
    ours: Iterator[JSON] = (each for each in listed if each["controllerName"] == CONTROLLER)
    return next((each for each in ours if each["parentRef"] == parent), None)


def _yes(reason: str) -> Verdict:
    return Verdict(ok=True, reason=reason)


def _holds(status: FrozenJSON, wanted: FrozenJSON) -> bool:
    return all(status.get(name) == value for name, value in wanted.items())
