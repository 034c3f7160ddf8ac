"""The objects that we make: pure functions from the Rollout to a ReplicaSet or a Service."""

from rollouts.controller.objects import owner_reference
from rollouts.core.actions import CreateReplicaSet
from rollouts.core.apart import kept_apart
from rollouts.core.dress import born
from rollouts.core.meaning import mark
from rollouts.model.kinds import (
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    MEANING_ANNOTATION,
    REPLICA_SET,
    REVISION_LABEL,
    SERVICE,
    FrozenJSON,
)
from rollouts.model.spec import RolloutSpec

_PORT_FIELDS = ("name", "port", "protocol", "targetPort", "appProtocol")


def replica_set(rollout: FrozenJSON, spec: RolloutSpec, wanted: CreateReplicaSet) -> JSON:
    """
    Return the ReplicaSet of the Rollout's template, named and labelled by its hash.

    What the role of its revision puts into the template is on record in an annotation.
    """
    metadata, hash_ = rollout["metadata"], wanted.hash
    assert spec.selector is not None
    selector = spec.selector.model_dump(by_alias=True, exclude_defaults=True)
    selector["matchLabels"] = {**spec.selector.match_labels, HASH_LABEL: hash_}
    template = kept_apart(spec.template or {}, spec.way.anti_affinity, selector, hash_)
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = hash_
    body = {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.name,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{metadata['name']}-{hash_}",
            "labels": {
                **_labels(spec, template),
                HASH_LABEL: hash_,
                REVISION_LABEL: str(wanted.revision),
                MANAGED_BY_LABEL: metadata["name"],
            },
            **_annotations(spec),
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": {
            "replicas": wanted.replicas,
            "minReadySeconds": spec.min_ready_seconds,
            "selector": selector,
            "template": template,
        },
    }
    return born(body, wanted.dress)


def _annotations(spec: RolloutSpec) -> JSON:
    """Return what tells the template from others by its meaning; a Deployment's is told by itself."""
    if spec.workload_ref is not None:
        return {}
    return {"annotations": {MEANING_ANNOTATION: mark(spec.template or {})}}


def _labels(spec: RolloutSpec, template: FrozenJSON) -> FrozenJSON:
    """
    Return the labels of the pods for their ReplicaSet; none beside a Deployment.

    A Deployment takes over every ReplicaSet that its selector matches and that has lost its
    owner, and would scale it down.
    """
    return {} if spec.workload_ref is not None else template["metadata"]["labels"]


def canary_service(rollout: FrozenJSON, stable: FrozenJSON, *, name: str, hash_: str) -> JSON:
    """
    Return the canary Service: the stable one's ports and selector, for one revision.

    Nothing that is the stable one's alone is copied: no addresses, no node ports, no load
    balancer, none of its annotations.
    """
    metadata, spec = rollout["metadata"], stable["spec"]
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": name,
            "labels": {MANAGED_BY_LABEL: metadata["name"]},
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": {
            "type": "ClusterIP",
            "ports": [
                {field: port[field] for field in _PORT_FIELDS if field in port}
                for port in spec.get("ports") or ()
            ],
            "selector": {**(spec.get("selector") or {}), HASH_LABEL: hash_},
        },
    }
