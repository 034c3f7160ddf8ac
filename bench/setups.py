"""
The setups that are compared: a strategy, the routers that split the traffic, and
by which streams the split is seen.

Every setup stops where somebody has to promote. There the split is measured, and `Stop` says
what it has to be.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from bench.manifests import (
    NAME,
    OWN_ERRORS,
    SOON,
    Body,
    adopting,
    deployment,
    ingress,
    metadata,
    rollout,
    service,
)
from bench.traffic import Stream
from rollouts.model.kinds import JSON
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Target

WEIGHTS = (25, 50)
PODS = 4
"""So that whole pods can be these weights."""
HEADER, HEADER_VALUE = "X-Canary", "please"
NGINX: JSON = {"nginx": {"stableIngresses": [NAME]}}
HELD: JSON = {"pause": {}}


@dataclass(frozen=True)
class Stop:
    """The step at which a release is held, and the new version's percentage of each stream."""

    step: int
    percent: Mapping[str, int]

    @property
    def exposed(self) -> bool:
        """Whether users reach the new version here."""
        return any(self.percent.values())


@dataclass(frozen=True)
class Setup:
    """
    All that one app needs: `before` exists, and serves, when `rollout` comes.

    `adopted` says that the template is a Deployment's.
    """

    before: Sequence[Body]
    rollout: Body
    streams: Sequence[Stream]
    stops: Sequence[Stop]
    adopted: bool = False


@dataclass(frozen=True)
class Place:
    """Where an app lives, and where it is asked."""

    namespace: str
    ingress_url: str
    gateway_url: str

    @classmethod
    def of(cls, sandbox: Sandbox, namespace: str) -> "Place":
        return cls(namespace, sandbox.ingress_url, sandbox.gateway_url)

    @property
    def host(self) -> str:
        return f"{self.namespace}.example"

    def by_ingress(self, name: str = "ingress", **target: Any) -> Stream:
        return Stream(name, Target(self.ingress_url, **{"host": self.host, **target}))

    def by_gateway(self, **target: Any) -> Stream:
        return Stream("gateway", Target(self.gateway_url, self.host, **target))


@dataclass(frozen=True)
class _Canary:
    """A canary with two weights; `fields` are the strategy's."""

    routing: JSON | None
    fields: JSON = field(default_factory=dict)
    first: Sequence[JSON] = ()

    def strategy(self) -> JSON:
        weights = [step for weight in WEIGHTS for step in ({"setWeight": weight}, HELD)]
        canary = {"steps": [*self.first, *weights], **SOON, **self.fields}
        if self.routing is not None:
            canary |= {"stableService": NAME, "trafficRouting": self.routing}
        return {"canary": canary}

    def stops(self, streams: Sequence[Stream]) -> list[Stop]:
        """Return the pauses after the weights, which all streams have."""
        begin = len(self.first) + 1
        return [
            Stop(begin + 2 * number, {stream.name: weight for stream in streams})
            for number, weight in enumerate(WEIGHTS)
        ]

    def setup(self, place: Place, routes: Sequence[Body], streams: Sequence[Stream]) -> Setup:
        before = [service(place.namespace), *routes]
        body = rollout(place.namespace, self.strategy(), replicas=PODS)
        return Setup(before, body, streams, self.stops(streams))


def _route(place: Place, rule: JSON) -> JSON:
    parents = [{"name": "sandbox", "namespace": "default"}]
    backends = [{"name": NAME, "port": 80}]
    rules = [{**rule, "backendRefs": backends}]
    spec = {"parentRefs": parents, "hostnames": [place.host], "rules": rules}
    return {"metadata": metadata(place.namespace), "spec": spec}


def nginx(place: Place) -> Setup:
    return _Canary(NGINX).setup(place, [ingress(place.namespace, place.host)], [place.by_ingress()])


def nginx_dynamic(place: Place) -> Setup:
    canary = _Canary(NGINX, {"dynamicStableScale": True})
    return canary.setup(place, [ingress(place.namespace, place.host)], [place.by_ingress()])


def nginx_header(place: Place) -> Setup:
    """Return a canary that those with a header reach first, and all of them always."""
    match = [{"headerName": HEADER, "headerValue": {"exact": HEADER_VALUE}}]
    canary = _Canary(NGINX, first=[{"setHeaderRoute": {"name": "testers", "match": match}}, HELD])
    everyone, testers = (
        place.by_ingress(),
        place.by_ingress("with header", headers={HEADER: HEADER_VALUE}),
    )
    setup = canary.setup(place, [ingress(place.namespace, place.host)], [everyone, testers])
    stops = [Stop(1, {everyone.name: 0}), *setup.stops]
    stops = [Stop(each.step, {**each.percent, testers.name: 100}) for each in stops]
    return Setup(setup.before, setup.rollout, setup.streams, stops)


def two_ingresses(place: Place) -> Setup:
    other = f"other.{place.host}"
    routes = [
        ingress(place.namespace, place.host),
        ingress(place.namespace, other, "other"),
    ]
    canary = _Canary({"nginx": {"stableIngresses": [NAME, "other"]}})
    return canary.setup(place, routes, [place.by_ingress(), place.by_ingress("other", host=other)])


def smi(place: Place) -> Setup:
    canary = _Canary({"smi": {"rootService": NAME}})
    return canary.setup(place, [ingress(place.namespace, place.host)], [place.by_ingress()])


def http_route(place: Place) -> Setup:
    canary = _Canary({"gatewayAPI": {"httpRoutes": [NAME]}})
    return canary.setup(place, [(HTTP_ROUTE, _route(place, {}))], [place.by_gateway()])


def grpc_route(place: Place) -> Setup:
    """Return a canary behind a GRPCRoute, asked by what nginx never asks twice: POST."""
    matches = [{"method": {"service": "shop.Cart", "method": "Add"}}]
    body = _route(place, {"matches": matches})
    canary = _Canary({"gatewayAPI": {"grpcRoutes": [NAME]}})
    stream = place.by_gateway(path="/shop.Cart/Add", method="POST")
    return canary.setup(place, [(GRPC_ROUTE, body)], [stream])


def nginx_and_http_route(place: Place) -> Setup:
    canary = _Canary({**NGINX, "gatewayAPI": {"httpRoutes": [NAME]}})
    routes = [ingress(place.namespace, place.host), (HTTP_ROUTE, _route(place, {}))]
    return canary.setup(place, routes, [place.by_ingress(), place.by_gateway()])


def by_replicas(place: Place) -> Setup:
    canary = _Canary(None)
    return canary.setup(place, [ingress(place.namespace, place.host)], [place.by_ingress()])


def blue_green(place: Place) -> Setup:
    """Return a switch after a look at the preview, and a bake that somebody ends."""
    fields = {"activeService": NAME, "previewService": f"{NAME}-preview"}
    bake = {"autoPromotionEnabled": False, "postPromotionAnalysis": {"duration": "10m"}}
    body = rollout(place.namespace, {"blueGreen": {**fields, **bake, **SOON}})
    before = [service(place.namespace), ingress(place.namespace, place.host)]
    stream = place.by_ingress()
    stops = [Stop(1, {stream.name: 0}), Stop(3, {stream.name: 100})]
    return Setup(before, body, [stream], stops)


def adopted(place: Place) -> Setup:
    """Return a canary of a Deployment that serves already."""
    canary, stream = _Canary(NGINX), place.by_ingress()
    before = [
        service(place.namespace),
        ingress(place.namespace, place.host),
        deployment(place.namespace, PODS),
    ]
    body = adopting(place.namespace, canary.strategy(), PODS)
    return Setup(before, body, [stream], canary.stops([stream]), adopted=True)


def judged_by_its_own_counters(setup: Setup) -> Setup:
    """Return a setup for a data plane that has no counters of a canary, as all but ingress-nginx."""
    kind, body = deepcopy(setup.rollout)
    body["spec"]["successCriteria"] = [OWN_ERRORS]
    return replace(setup, rollout=(kind, body))


SMI, GRPC = "canary, SMI TrafficSplit", "canary, GRPCRoute"
NOT_ON_TRAEFIK = (SMI, GRPC)
"""It knows no TrafficSplit, and speaks HTTP/2 to what a GRPCRoute leads to, which the demo app does not."""
SETUPS: Mapping[str, Callable[[Place], Setup]] = {
    "canary, nginx": nginx,
    "canary, nginx, two Ingresses": two_ingresses,
    "canary, nginx, setHeaderRoute": nginx_header,
    "canary, nginx, dynamicStableScale": nginx_dynamic,
    "canary, nginx, adopted Deployment": adopted,
    SMI: smi,
    "canary, HTTPRoute": http_route,
    GRPC: grpc_route,
    "canary, nginx + HTTPRoute": nginx_and_http_route,
    "canary, no router (by replicas)": by_replicas,
    "blue-green": blue_green,
}
