"""
The GatewayClass and the Gateway that a sandbox has from the start, both named `sandbox`.

The Gateway is in the namespace `default` and takes routes of every namespace; a route there
names it as its parent with `name: sandbox` alone.
"""

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.crds import GATEWAY, GATEWAY_CLASS
from rollouts.sandbox.dataplane.gateways import CONTROLLER

NAME = "sandbox"
NAMESPACE = "default"


def furnish(store: Store) -> None:
    """Make the two where they are missing and their kinds are served."""
    served = {resource.kind for resource in store.registry}
    for kind, namespace, spec in (
        (GATEWAY_CLASS, "", {"controllerName": CONTROLLER}),
        (GATEWAY, NAMESPACE, {"gatewayClassName": NAME, "listeners": [_listener()]}),
    ):
        if kind in served and store.get(kind, namespace, NAME) is None:
            metadata = {"name": NAME} | ({"namespace": namespace} if namespace else {})
            body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
            store.create(kind, body | {"spec": spec})


def _listener() -> JSON:
    everywhere = {"namespaces": {"from": "All"}}
    return {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": everywhere}
