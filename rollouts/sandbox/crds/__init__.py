"""
The custom kinds that every sandbox serves: TrafficSplit of SMI, the Gateway API's four, and
KEDA's ScaledObject.

The definitions are our own and compact: they hold the fields that a route is made of, with
the defaults, limits and list types that users of the real ones know, and keep what they do
not know. Who needs the originals deletes these and applies those.
"""

from importlib import resources
from typing import cast

import yaml

from rollouts.model.kinds import JSON, Kind

_GATEWAY_API = ("gateway.networking.k8s.io", "v1")
GATEWAY_CLASS = Kind(*_GATEWAY_API, "gatewayclasses", "GatewayClass")
GATEWAY = Kind(*_GATEWAY_API, "gateways", "Gateway")
HTTP_ROUTE = Kind(*_GATEWAY_API, "httproutes", "HTTPRoute")
GRPC_ROUTE = Kind(*_GATEWAY_API, "grpcroutes", "GRPCRoute")
TRAFFIC_SPLIT = Kind("split.smi-spec.io", "v1alpha4", "trafficsplits", "TrafficSplit")
SCALED_OBJECT = Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")

FILES = ("smi.yaml", "gateway-api.yaml", "keda.yaml")
TRAEFIK = "traefik.yaml"
"""More kinds of the Gateway API, without which Traefik serves no route."""


def definitions(*files: str) -> list[JSON]:
    """Return the CustomResourceDefinitions of these files, or else of `FILES`, as plain JSON."""
    here = resources.files(__name__)
    return [
        cast("JSON", document)
        for name in files or FILES
        for document in yaml.safe_load_all(here.joinpath(name).read_text(encoding="utf-8"))
    ]
