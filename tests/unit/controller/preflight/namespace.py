"""A namespace in which nothing is wrong, to put one thing wrong at a time."""

import copy
from typing import Any

from rollouts.controller import preflight
from rollouts.controller.preflight.snapshot import ClusterSnapshot
from rollouts.model.finding import Finding
from rollouts.model.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    SCALED_OBJECT,
    SERVICE,
    Kind,
)
from rollouts.model.merge_patch import merged
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.model.validation import parse_rollout
from rollouts.traffic.gateway.policies import POLICIES

_KINDS = {
    kind.name: kind
    for kind in (
        AUTOSCALER,
        DEPLOYMENT,
        DISRUPTION_BUDGET,
        GRPC_ROUTE,
        HTTP_ROUTE,
        REPLICA_SET,
        ROLLOUT,
        SCALED_OBJECT,
        SERVICE,
        *POLICIES,
    )
}
UID = "u1"
OURS = {"apiVersion": "rollouts.dev/v1alpha1", "kind": "Rollout", "name": "checkout"}
PLAIN: JSON = {"setWeight": 50}
CANARY: JSON = {
    "stableService": "checkout",
    "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
    "steps": [PLAIN],
}
ADOPTED: JSON = {
    "replicas": 3,
    "workloadRef": {"name": "legacy"},
    "strategy": {"canary": CANARY},
}


def template(**changes: Any) -> JSON:
    container = {
        "name": "web",
        "image": "shop:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": "http"}},
        "resources": {"requests": {"cpu": "100m"}},
    }
    return {
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {"containers": [{**container, **changes}]},
    }


def rollout(spec: JSON | None = None, **changes: Any) -> JSON:
    """Return a Rollout in which nothing is wrong, but for `changes` of its spec."""
    good: JSON = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "checkout"}},
        "template": template(),
        "strategy": {"canary": CANARY},
    }
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.name,
        "metadata": {"namespace": "shop", "name": "checkout", "uid": UID},
        "spec": {**(good if spec is None else copy.deepcopy(spec)), **changes},
    }


def service(name: str = "checkout", **spec: Any) -> JSON:
    port = {"port": 80, "targetPort": "http"}
    return named(SERVICE, name, {"selector": {"app": "checkout"}, "ports": [port], **spec})


def named(kind: Kind, name: str, spec: JSON | None = None, **metadata: Any) -> JSON:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"namespace": "shop", "name": name, **metadata},
        "spec": spec or {},
    }


def autoscaler(name: str = "hpa", target: JSON | None = None, **spec: Any) -> JSON:
    body = {"scaleTargetRef": target or OURS, "minReplicas": 2, "maxReplicas": 9, **spec}
    return named(AUTOSCALER, name, body)


def scaled_object(name: str = "keda", target: JSON | None = None, **spec: Any) -> JSON:
    body = {"scaleTargetRef": target or OURS, "minReplicaCount": 2, **spec}
    return named(SCALED_OBJECT, name, body)


def with_metadata(obj: JSON, **metadata: Any) -> JSON:
    changed: JSON = merged(obj, {"metadata": metadata})
    return changed


def snapshot_of(*objects: JSON, of: JSON | None = None) -> tuple[ClusterSnapshot, JSON]:
    """Return these objects, with a Service if none is given, around the Rollout; and that."""
    cluster, given = ClusterSnapshot(), copy.deepcopy([*objects, of or rollout()])
    if not any(each["kind"] == "Service" for each in objects):
        given.append(service())
    for obj in given:
        cluster.add(_KINDS[obj["kind"]], [obj])
    return cluster, given[len(objects)]


def findings(*objects: JSON, of: JSON | None = None) -> list[Finding]:
    """Return what is found around the Rollout when there are these objects, and a Service if none is given."""
    cluster, released = snapshot_of(*objects, of=of)
    return list(preflight.findings(cluster, released, parse_rollout(released)))


def reasons(*objects: JSON, of: JSON | None = None) -> list[str]:
    return [problem.reason for problem in findings(*objects, of=of)]


def message(reason: str, *objects: JSON, of: JSON | None = None) -> str:
    """Return what is said for this reason; it has to be the only one."""
    (found,) = findings(*objects, of=of)
    assert found.reason == reason
    return found.message
