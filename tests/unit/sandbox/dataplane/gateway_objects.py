"""Gateways and routes as small as they can be."""

from rollouts.model.kinds import JSON
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.sandbox.dataplane.gateways import CONTROLLER
from rollouts.sandbox.dataplane.snapshot import RoutingSnapshot


def meta(name: str, namespace: str = "ns", day: int = 1, generation: int = 1) -> JSON:
    created = f"2026-01-0{day}T00:00:00Z"
    return {
        "name": name,
        "namespace": namespace,
        "creationTimestamp": created,
        "generation": generation,
    }


def gateway(*listeners: JSON, name: str = "edge") -> JSON:
    spec = {"gatewayClassName": "ours", "listeners": [*(listeners or [listener()])]}
    return {"kind": "Gateway", "metadata": meta(name), "spec": spec}


def listener(name: str = "http", **more: object) -> JSON:
    return {"name": name, "protocol": "HTTP", "port": 80, **more}


def route(*rules: JSON, name: str = "web", namespace: str = "ns", day: int = 1) -> JSON:
    spec = {"parentRefs": [{"name": "edge", "namespace": "ns"}], "rules": [*rules]}
    return {
        "kind": HTTP_ROUTE.name,
        "metadata": meta(name, namespace, day),
        "spec": spec,
    }


def grpc_route(*rules: JSON) -> JSON:
    return route(*rules) | {"kind": GRPC_ROUTE.name}


def service(name: str, namespace: str = "ns") -> JSON:
    return {"metadata": meta(name, namespace), "spec": {"ports": [{"name": "http", "port": 80}]}}


def cluster(*gateways: JSON, **more: list[JSON]) -> RoutingSnapshot:
    classes = [
        {"metadata": {"name": "ours"}, "spec": {"controllerName": CONTROLLER}},
        {"metadata": {"name": "theirs"}, "spec": {"controllerName": "example.io/other"}},
    ]
    return RoutingSnapshot(gateway_classes=classes, gateways=[*(gateways or [gateway()])], **more)
