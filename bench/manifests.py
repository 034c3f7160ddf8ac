"""What is released: the objects that a user would write, small and quick."""

from typing import Any

from rollouts.model.kinds import DEPLOYMENT, JSON, ROLLOUT, SERVICE, Kind
from rollouts.model.routers.nginx import INGRESS

Body = tuple[Kind, JSON]

NAME = "web"
LABELS = {"app": NAME}
GOOD = "0%"
ERRORS: JSON = {"name": "errors", "errorRate": {"max": "1%"}}
OWN_ERRORS: JSON = ERRORS | {"source": "app"}
"""Judged by the pods' own counters: each data plane has others, or none."""
SOON: JSON = {"scaleDownDelaySeconds": 1, "abortScaleDownDelaySeconds": 1}
"""No trial waits for pods that have nothing to do any more."""


def metadata(namespace: str, name: str = NAME) -> JSON:
    return {"name": name, "namespace": namespace}


def template(version: str, error_rate: str = GOOD) -> JSON:
    """Return the pods of one version, scraped by Prometheus."""
    env = [{"name": "VERSION", "value": version}, {"name": "ERROR_RATE", "value": error_rate}]
    container = {
        "name": "app",
        "image": f"bench/{NAME}:{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": env,
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
    }
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    return {
        "metadata": {"labels": LABELS, "annotations": annotations},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 10},
    }


def service(namespace: str) -> Body:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": LABELS, "ports": ports}
    return SERVICE, {"metadata": metadata(namespace), "spec": spec}


def ingress(namespace: str, host: str, name: str = NAME) -> Body:
    backend = {"service": {"name": NAME, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": paths}}]}
    return INGRESS, {"metadata": metadata(namespace, name), "spec": spec}


def rollout(namespace: str, strategy: JSON, *, replicas: int = 2, **spec: Any) -> Body:
    """Return a Rollout of version 1 that is judged by its errors, unless `spec` says otherwise."""
    usual: JSON = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template("1"),
        "strategy": strategy,
        "successCriteria": [ERRORS],
    }
    return ROLLOUT, {"metadata": metadata(namespace), "spec": usual | spec}


def deployment(namespace: str, replicas: int = 2) -> Body:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template("1"),
    }
    return DEPLOYMENT, {"metadata": metadata(namespace), "spec": spec}


def adopting(namespace: str, strategy: JSON, replicas: int = 2) -> Body:
    """Return the Rollout that takes that Deployment's place."""
    kind, body = rollout(namespace, strategy, replicas=replicas, workloadRef={"name": NAME})
    del body["spec"]["selector"], body["spec"]["template"]
    return kind, body
