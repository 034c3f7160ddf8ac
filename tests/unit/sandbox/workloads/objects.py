"""The objects that these tests create."""

from typing import Any

from rollouts.model.kinds import JSON

LABELS = {"app": "web"}


def template(version: str = "v1", **container: Any) -> JSON:
    body = {"name": "web", "image": f"demo:{version}", "ports": [{"containerPort": 8080}]}
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [body | container]}}


def replica_set(replicas: int, name: str = "web", **spec: Any) -> JSON:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": template(),
            **spec,
        },
    }


deployment = replica_set
"""At birth, the two have the same fields."""


def service(**spec: Any) -> JSON:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }


def pod(name: str, **labels: str) -> JSON:
    body = template()
    body["metadata"] = {"name": name, "namespace": "default", "labels": labels or LABELS}
    return body
