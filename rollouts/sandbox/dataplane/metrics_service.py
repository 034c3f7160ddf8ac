"""
Where a controller finds the pages of the sandbox's ingress controller, as ingress-nginx' Helm chart offers them.

A Service in the namespace `ingress-nginx`, with the chart's labels and a port named `metrics`. The exporter is no pod
of the cluster, so that the Service selects none, and its EndpointSlice is made here.
"""

from rollouts.model.kinds import ENDPOINT_SLICE, JSON, SERVICE, Kind
from rollouts.sandbox.apiserver.builtins import NAMESPACE
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.dataplane.ingress_metrics import CONSTANT_LABELS

NAME = "ingress-nginx-controller-metrics"
LABELS = {
    "app.kubernetes.io/name": "ingress-nginx",
    "app.kubernetes.io/component": "controller",
}
_PORT = "metrics"


async def create(cluster: Cluster, address: str, port: int) -> None:
    """
    Make it where it is missing; the exporter listens at `address` and `port`.

    Raises:
        Unavailable: the API server does not answer.
    """
    namespace = dict(CONSTANT_LABELS)["controller_namespace"]
    metadata: JSON = {"name": NAME, "namespace": namespace, "labels": LABELS}
    of_service = {**LABELS, "kubernetes.io/service-name": NAME}
    ports = [{"name": _PORT, "port": port, "protocol": "TCP"}]
    endpoint = {"addresses": [address], "conditions": {"ready": True, "serving": True}}
    slice_metadata = {**metadata, "name": f"{NAME}-exporter", "labels": of_service}
    await _create(cluster, NAMESPACE, {"metadata": {"name": namespace}})
    await _create(cluster, SERVICE, {"metadata": metadata, "spec": {"ports": ports}})
    await _create(
        cluster,
        ENDPOINT_SLICE,
        {
            "metadata": slice_metadata,
            "addressType": "IPv4",
            "endpoints": [endpoint],
            "ports": ports,
        },
    )


async def _create(cluster: Cluster, kind: Kind, body: JSON) -> None:
    try:
        await cluster.create(kind, {"apiVersion": kind.api_version, "kind": kind.name, **body})
    except ApiError as error:
        if error.code != 409:  # it is there
            raise
