"""The setups that stories are told of: what a Rollout says, and which objects of users' there are besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.model.kinds import CRD, DEPLOYMENT, JSON, SERVICE, STABLE, STABLE_LABEL, Kind
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from tests.fakes.crds import definition
from tests.fakes.deployments import deployment
from tests.fakes.kubernetes import ingress, rollout, service

DELAYS: JSON = {"scaleDownDelaySeconds": 5, "abortScaleDownDelaySeconds": 5}
_PAUSE: JSON = {"pause": {"duration": "5s"}}
STEPS: list[JSON] = [
    {"setWeight": 5},
    _PAUSE,
    {"setWeight": 25},
    _PAUSE,
    {"setWeight": 50},
    _PAUSE,
]
_MATCH = [{"headerName": "x-tester", "headerValue": {"exact": "1"}}]
WITH_TESTERS: list[JSON] = [
    {"setHeaderRoute": {"name": "testers", "match": _MATCH}},
    _PAUSE,
    *STEPS[:4],
    {"setHeaderRoute": {"name": "testers"}},
    *STEPS[4:],
]
NGINX: JSON = {"nginx": {"stableIngresses": ["checkout"]}}
GATEWAY: JSON = {"gatewayAPI": {"httpRoutes": ["checkout"]}}
CRITERIA: list[JSON] = [{"name": "errors", "errorRate": {"max": "1%"}}]
_OF_A_BAKE: list[JSON] = [{**CRITERIA[0], "onInconclusive": "proceed"}]


@dataclass(frozen=True)
class Setup:
    """A strategy, and the objects that users have made for it."""

    strategy: JSON
    objects: tuple[tuple[Kind, JSON], ...] = ()
    criteria: list[JSON] = field(default_factory=lambda: CRITERIA)
    replicas: int = 4
    adopts: bool = False

    def rollout(self, image: str, changes: Mapping[str, Any]) -> JSON:
        """Return the Rollout; `changes` are fields of its spec, of the strategy those in `strategy`."""
        given = dict(changes)
        ((name, fields),) = self.strategy.items()
        strategy = {name: {**fields, **given.pop("strategy", {})}}
        spec = {"successCriteria": self.criteria, "strategy": strategy, **given}
        replicas = spec.pop("replicas", self.replicas)
        body = rollout([], image, replicas, **spec)
        if self.adopts:
            del body["spec"]["template"], body["spec"]["selector"]
            body["spec"]["workloadRef"] = {"name": "checkout"}
        return body


def _service(name: str) -> JSON:
    body = service()
    body["metadata"]["name"] = name
    return body


def _route() -> JSON:
    rule = {"backendRefs": [{"name": "checkout", "port": 80}]}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.name,
        "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [rule]},
    }


def canary(routing: JSON | None, **more: Any) -> JSON:
    routed = {"stableService": "checkout", "trafficRouting": routing} if routing else {}
    return {"canary": {"steps": STEPS, **routed, **DELAYS, **more}}


def _led_by_label() -> JSON:
    body = service()
    body["spec"]["selector"][STABLE_LABEL] = STABLE
    return body


_INGRESS = ((SERVICE, service()), (INGRESS, ingress()))
_BLUE_GREEN: JSON = {
    "blueGreen": {
        "activeService": "checkout",
        "previewService": "checkout-preview",
        "postPromotionAnalysis": {"duration": "10s"},
        **DELAYS,
    }
}
_BY_LABEL = ((SERVICE, _led_by_label()), (INGRESS, ingress()))
_HTTP_ROUTE = ((CRD, definition(HTTP_ROUTE, "v1")), (HTTP_ROUTE, _route()))
_SMI = ((CRD, definition(TRAFFIC_SPLIT, "v1alpha4")),)
SETUPS: dict[str, Setup] = {
    "router": Setup(canary(NGINX), _INGRESS),
    "several routers": Setup(
        canary({**NGINX, **GATEWAY}, steps=WITH_TESTERS), (*_INGRESS, *_HTTP_ROUTE)
    ),
    "gateway": Setup(canary(GATEWAY), ((SERVICE, service()), *_HTTP_ROUTE)),
    "mesh": Setup(canary({"smi": {}}), ((SERVICE, service()), *_SMI)),
    "mesh with a root": Setup(
        canary({"smi": {"rootService": "checkout-root"}}),
        ((SERVICE, service()), (SERVICE, _service("checkout-root")), *_SMI),
    ),
    "blue-green": Setup(_BLUE_GREEN, _INGRESS, _OF_A_BAKE),
    "replicas": Setup(canary(None), _INGRESS),
    "dynamic": Setup(canary(NGINX, dynamicStableScale=True), _INGRESS, replicas=10),
    "adopted": Setup(canary(NGINX), (*_INGRESS, (DEPLOYMENT, deployment())), adopts=True),
    "router by label": Setup(canary(NGINX), _BY_LABEL),
    "mesh by label": Setup(canary({"smi": {}}), (_BY_LABEL[0], *_SMI)),
    "blue-green by label": Setup(_BLUE_GREEN, _BY_LABEL, _OF_A_BAKE),
}
BY_LABEL = [name for name in SETUPS if name.endswith(" by label")]
"""Those whose stable Service is led by a label of pods, and never written."""
