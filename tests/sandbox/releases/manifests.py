"""The objects that a user would write for one release, small and quick."""

from typing import Any

from rollouts.model.kinds import JSON

NAME = "web"
STABLE, CANARY = NAME, f"{NAME}-canary"
CANARY_INGRESS = f"{NAME}-{NAME}-canary"
LABELS = {"app": NAME}
ANNOTATION = "nginx.ingress.kubernetes.io"
ERRORS: JSON = {"name": "errors", "errorRate": {"max": "1%"}}
FOUR_STEPS: list[JSON] = [
    {"setWeight": 25},
    {"pause": {"duration": "2s"}},
    {"setWeight": 50},
    {"pause": {"duration": "2s"}},
]
UNTIL_PROMOTED: list[JSON] = [{"setWeight": 50}, {"pause": {}}]


def metadata(namespace: str, name: str = NAME) -> JSON:
    return {"name": name, "namespace": namespace}


def service(namespace: str, name: str = STABLE) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(namespace, name),
        "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def path(service_name: str = STABLE) -> JSON:
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    return {"path": "/", "pathType": "Prefix", "backend": backend}


def ingress(namespace: str, *rules: JSON, name: str = NAME) -> JSON:
    usual = {"host": f"{namespace}.example", "http": {"paths": [path()]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(namespace, name),
        "spec": {"ingressClassName": "nginx", "rules": list(rules) or [usual]},
    }


def container(version: str, **environment: str) -> JSON:
    wanted = {"VERSION": version, **environment}
    return {
        "name": "app",
        "image": f"demo/{NAME}:{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": name, "value": value} for name, value in wanted.items()],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
    }


def template(version: str, **environment: str) -> JSON:
    spec = {"containers": [container(version, **environment)], "terminationGracePeriodSeconds": 10}
    return {"metadata": {"labels": LABELS}, "spec": spec}


def strategy(steps: list[JSON], nginx: JSON | None = None) -> JSON:
    canary = {
        "stableService": STABLE,
        "trafficRouting": {"nginx": {"stableIngresses": [NAME], **(nginx or {})}},
        "steps": steps,
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
    }
    return {"canary": canary}


def rollout(namespace: str, steps: list[JSON], *, nginx: JSON | None = None, **spec: Any) -> JSON:
    return {
        "apiVersion": "rollouts.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": metadata(namespace),
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": template("1"),
            "strategy": strategy(steps, nginx),
            "successCriteria": [ERRORS],
            **spec,
        },
    }
