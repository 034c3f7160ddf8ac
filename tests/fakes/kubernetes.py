"""
What a cluster does by itself, on a `FakeCluster`: ReplicaSets make pods, Services find them.

Pods are ready at once unless their image says otherwise (`broken`: never; `crashing`: in a
crash loop). Nothing happens until `settle`. A pod that has ended stays as an object, and another
one is made in its place.
"""

from datetime import datetime
from typing import Any

from rollouts.model.kinds import (
    ENDPOINT_SLICE,
    HASH_LABEL,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    Ref,
)
from rollouts.model.routers.nginx import INGRESS
from tests.fakes.cluster import FakeCluster

_NOT_READY = [{"type": "Ready", "status": "False"}]
_READY = [{"type": "Ready", "status": "True"}]
_UNSCHEDULABLE: JSON = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
}


class Kubernetes:
    def __init__(self, cluster: FakeCluster, namespace: str = "shop") -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._pods_made = 0
        self.quota: int | None = None
        """As many pods there may be in the namespace, as a ResourceQuota has it."""
        self.is_full = False
        """No node has room: pods that are made stay Pending until this is False again."""

    def settle(self) -> None:
        for replica_set in self.cluster.select(REPLICA_SET, self.namespace):
            self._pods_of(replica_set)
        for service in self.cluster.select(SERVICE, self.namespace):
            self._endpoints_of(service)

    def evict(self, pod: JSON) -> None:
        """End a pod as a kubelet does whose node runs out of memory or disk."""
        status = {"phase": "Failed", "reason": "Evicted", "conditions": _NOT_READY}
        self._tell(pod, status)

    def drain(self, pod: JSON) -> None:
        """Take a pod away as an eviction by the API does, once its containers have ended."""
        self.cluster.drop(Ref(POD, self.namespace, pod["metadata"]["name"]))

    def lose(self, pod: JSON, at: datetime) -> None:
        """Have its node not answer: the node controller says not ready, and gives no reason."""
        ready = {"type": "Ready", "status": "False", "lastTransitionTime": _moment(at)}
        self._tell(pod, {"conditions": [ready, {"type": "ContainersReady", "status": "True"}]})

    def unready(self, pod: JSON, at: datetime) -> None:
        """Have its readiness probe fail."""
        why = {"status": "False", "reason": "ContainersNotReady", "lastTransitionTime": _moment(at)}
        self._tell(
            pod, {"conditions": [{"type": "Ready", **why}, {"type": "ContainersReady", **why}]}
        )

    def recover(self, pod: JSON) -> None:
        """Have it be ready again."""
        self._tell(pod, {"conditions": _READY})

    def _tell(self, pod: JSON, status: JSON) -> None:
        self.cluster.edit(Ref(POD, self.namespace, pod["metadata"]["name"]), {"status": status})

    def _pods_of(self, replica_set: JSON) -> None:
        name, uid = replica_set["metadata"]["name"], replica_set["metadata"]["uid"]
        pods = [
            pod
            for pod in self.cluster.select(POD, self.namespace)
            if pod["metadata"]["ownerReferences"][0]["uid"] == uid and not has_ended(pod)
        ]
        wanted = replica_set["spec"]["replicas"]
        for pod in pods[wanted:]:
            self.cluster.drop(Ref(POD, self.namespace, pod["metadata"]["name"]))
        pods = pods[:wanted]
        while len(pods) < wanted and self._has_room():
            pods.append(self._pod(replica_set))
        pods = [self._scheduled(pod, replica_set) for pod in pods]
        ready = sum(_is_ready(pod) for pod in pods)
        status: JSON = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        if self.quota is not None:
            status["conditions"] = [_quota_refuses(self.quota)] * (len(pods) < wanted)
        if replica_set.get("status") != status:
            self.cluster.edit(Ref(REPLICA_SET, self.namespace, name), {"status": status})

    def _has_room(self) -> bool:
        pods = self.cluster.select(POD, self.namespace)
        return self.quota is None or sum(not has_ended(pod) for pod in pods) < self.quota

    def _scheduled(self, pod: JSON, replica_set: JSON) -> JSON:
        """Give a pod that waits for a node one, unless all are full."""
        if self.is_full or pod["status"].get("phase") != "Pending":
            return pod
        image = replica_set["spec"]["template"]["spec"]["containers"][0]["image"]
        ref = Ref(POD, self.namespace, pod["metadata"]["name"])
        return self.cluster.edit(ref, {"status": {"phase": "Running", **pod_status(image)}})

    def _pod(self, replica_set: JSON) -> JSON:
        self._pods_made += 1
        template = replica_set["spec"]["template"]
        image = template["spec"]["containers"][0]["image"]
        metadata = {
            "namespace": self.namespace,
            "name": f"{replica_set['metadata']['name']}-{self._pods_made}",
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"].get("annotations") or {},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": replica_set["metadata"]["name"],
                    "uid": replica_set["metadata"]["uid"],
                    "controller": True,
                }
            ],
        }
        status = self._first_status(image)
        return self.cluster.put(
            POD, {"metadata": metadata, "spec": template["spec"], "status": status}
        )

    def _first_status(self, image: str) -> JSON:
        """Return what is said of a pod that has just been made."""
        return _UNSCHEDULABLE if self.is_full else pod_status(image)

    def _endpoints_of(self, service: JSON) -> None:
        name = service["metadata"]["name"]
        selector = service["spec"].get("selector") or {}
        endpoints = [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": _is_ready(pod)},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in self.cluster.select(POD, self.namespace, selector)
            if not has_ended(pod)
        ]
        ref = Ref(ENDPOINT_SLICE, self.namespace, f"{name}-abcde")
        before = self.cluster.get(ref)
        if before is None or before["endpoints"] != endpoints:
            labels = {"kubernetes.io/service-name": name}
            metadata = {"namespace": ref.namespace, "name": ref.name, "labels": labels}
            self.cluster.put(ENDPOINT_SLICE, {"metadata": metadata, "endpoints": endpoints})


def pod_status(image: str) -> JSON:
    if image.startswith("broken"):
        return _status("False", "ImagePullBackOff", 0)
    if image.startswith("crashing"):
        return _status("False", "CrashLoopBackOff", 4)
    return {
        "conditions": _READY,
        "containerStatuses": [{"name": "web", "restartCount": 0, "state": {"running": {}}}],
    }


def _status(ready: str, reason: str, restarts: int) -> JSON:
    waiting = {"waiting": {"reason": reason}}
    return {
        "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [{"name": "web", "restartCount": restarts, "state": waiting}],
    }


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_ready(pod: JSON) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"]["conditions"]
    )


def _quota_refuses(limit: int) -> JSON:
    why = f"exceeded quota: few, requested: pods=1, used: pods={limit}, limited: pods={limit}"
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": f'pods "checkout-x7k2p" is forbidden: {why}',
    }


def has_ended(pod: JSON) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def rollout(steps: list[Any], image: str = "shop:1", replicas: int = 4, **spec: Any) -> JSON:
    """Return a Rollout `checkout` in namespace `shop`."""
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.name,
        "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": template(image),
            "strategy": {
                "canary": {
                    "stableService": "checkout",
                    "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
                    "steps": steps,
                    "scaleDownDelaySeconds": 5,
                    "abortScaleDownDelaySeconds": 5,
                }
            },
            **spec,
        },
    }


def template(image: str) -> JSON:
    return {
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }


def service() -> JSON:
    return {
        "metadata": {"namespace": "shop", "name": "checkout", "annotations": {"owner": "me"}},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.0.0.9",
            "selector": {"app": "checkout"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080}],
        },
    }


def ingress() -> JSON:
    backend = {"service": {"name": "checkout", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": "shop.test", "http": {"paths": [path]}}],
        },
    }


def selected(cluster: FakeCluster, name: str) -> str:
    """Return the revision that a Service selects."""
    found = cluster.get(Ref(SERVICE, "shop", name))
    return str(found["spec"]["selector"].get(HASH_LABEL, "")) if found else ""


def canary_weight(cluster: FakeCluster) -> int | None:
    """Return what the canary Ingress says, or None when there is none."""
    found = cluster.get(Ref(INGRESS, "shop", "checkout-checkout-canary"))
    if found is None:
        return None
    return int(found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])
