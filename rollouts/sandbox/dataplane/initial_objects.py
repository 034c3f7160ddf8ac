"""
What a data plane has in a cluster from the start: its IngressClass, its GatewayClass and a Gateway.

The last two are named `sandbox`. The Gateway is in the namespace `default` and takes routes of every
namespace; a route there names it as its parent with `name: sandbox` alone.
"""

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.builtins import INGRESS_CLASS
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS
from rollouts.sandbox.dataplane.gateways import CONTROLLER

NAME = "sandbox"
NAMESPACE = "default"
CLASS = "nginx"
"""The IngressClass: examples and users know it by the name that it mostly has."""


async def create(cluster: Cluster, controller: str = CONTROLLER, port: int = 80) -> None:
    """
    Make the three where they are missing and their kinds are served; `controller` is whose Gateways are.

    Raises:
        Unavailable: the API server does not answer.
    """
    for kind, namespace, name, spec in (
        (INGRESS_CLASS, "", CLASS, {"controller": "k8s.io/ingress-nginx"}),
        (GATEWAY_CLASS, "", NAME, {"controllerName": controller}),
        (GATEWAY, NAMESPACE, NAME, {"gatewayClassName": NAME, "listeners": [_listener(port)]}),
    ):
        if cluster.served(kind) == kind and cluster.get(kind, namespace, name) is None:
            metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
            body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
            await _create(cluster, kind, body | {"spec": spec})


async def _create(cluster: Cluster, kind: Kind, body: JSON) -> None:
    try:
        await cluster.create(kind, body)
    except ApiError as error:
        if error.code not in (404, 409):  # its kind has gone, or somebody was faster
            raise


def _listener(port: int) -> JSON:
    everywhere = {"namespaces": {"from": "All"}}
    return {"name": "http", "protocol": "HTTP", "port": port, "allowedRoutes": everywhere}
