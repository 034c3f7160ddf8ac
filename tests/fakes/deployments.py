"""
The Deployment controller, on a `FakeCluster`: one ReplicaSet of its own, replaced at once.

Its pods are ready when `Kubernetes.settle` has made them; its status is what came of it.
"""

import copy

from rollouts.core.template import template_hash
from rollouts.model.kinds import DEPLOYMENT, JSON, POD, REPLICA_SET, Ref
from tests.fakes.kubernetes import Kubernetes, has_ended, template

THEIR_LABEL = "pod-template-hash"


class Deployments(Kubernetes):
    """Deployments, and all that there is besides."""

    def settle(self) -> None:
        for each in self.cluster.select(DEPLOYMENT, self.namespace):
            self._sets_of(each)
        super().settle()
        for each in self.cluster.select(DEPLOYMENT, self.namespace):
            self._count(each)

    def _sets_of(self, deployment: JSON) -> None:
        wanted = template_hash(deployment["spec"]["template"])[::-1]
        name = deployment["metadata"]["name"]
        own = Ref(REPLICA_SET, self.namespace, f"{name}-{wanted}")
        if self.cluster.get(own) is None:
            self.cluster.put(REPLICA_SET, _replica_set(deployment, wanted))
        for each in self.cluster.select(REPLICA_SET, self.namespace):
            ref = Ref(REPLICA_SET, self.namespace, each["metadata"]["name"])
            if _is_of(each, deployment):
                size = deployment["spec"]["replicas"] if ref == own else 0
                if each["spec"]["replicas"] != size:
                    self.cluster.edit(ref, {"spec": {"replicas": size}})

    def _count(self, deployment: JSON) -> None:
        sets = [
            each["metadata"]["uid"]
            for each in self.cluster.select(REPLICA_SET, self.namespace)
            if _is_of(each, deployment)
        ]
        pods = [
            pod
            for pod in self.cluster.select(POD, self.namespace)
            if pod["metadata"]["ownerReferences"][0]["uid"] in sets and not has_ended(pod)
        ]
        metadata = deployment["metadata"]
        status = {
            "observedGeneration": metadata.get("generation", 0),
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "availableReplicas": len(pods),
        }
        if deployment.get("status") != status:
            self.cluster.edit(Ref(DEPLOYMENT, self.namespace, metadata["name"]), {"status": status})


def deployment(image: str = "shop:1", replicas: int = 4) -> JSON:
    """Return a Deployment `checkout` in namespace `shop`, as an API server shows it."""
    shown = copy.deepcopy(template(image))
    shown["metadata"]["creationTimestamp"] = None
    shown["spec"]["restartPolicy"] = "Always"
    return {
        "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": shown,
        },
    }


def _replica_set(owner: JSON, hash_: str) -> JSON:
    labelled = copy.deepcopy(owner["spec"]["template"])
    labelled["metadata"]["labels"][THEIR_LABEL] = hash_
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {
        "namespace": owner["metadata"]["namespace"],
        "name": f"{owner['metadata']['name']}-{hash_}",
        "labels": labelled["metadata"]["labels"],
        "ownerReferences": [reference],
    }
    return {"metadata": metadata, "spec": {"replicas": 0, "template": labelled}}


def _is_of(replica_set: JSON, owner: JSON) -> bool:
    owners = replica_set["metadata"].get("ownerReferences") or [{}]
    return bool(owners[0].get("uid") == owner["metadata"]["uid"])
