"""Bodies to send, as small as they may be."""

from typing import Any

from rollouts.model.kinds import JSON
from tests.contract.api_server.wire import Wire

NOBODY = "3e8b6b3e-0000-0000-0000-000000000000"
"""A uid that no object has."""


def service(name: str = "web", **metadata: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, **metadata},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    }


def config_map(name: str, **metadata: Any) -> JSON:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def lease(name: str, **spec: Any) -> JSON:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": spec,
    }


def pod(pod_name: str = "web-1", /, **container: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod_name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1", **container}]},
    }


def replica_set(name: str = "web", **pod_spec: Any) -> JSON:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "web", "image": "web:1"}], **pod_spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


async def version(wire: Wire, path: str) -> int:
    """Return the resourceVersion of what is there, an object or a list."""
    return int((await wire.get(path)).body["metadata"]["resourceVersion"])
