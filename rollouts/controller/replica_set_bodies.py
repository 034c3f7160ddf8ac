"""The ReplicaSets that we make: pure functions from the Rollout to an object."""

from rollouts.core.plan.actions import CreateReplicaSet
from rollouts.core.template import canonical_hash, with_anti_affinity, with_metadata
from rollouts.model.kinds import (
    HASH_LABEL,
    JSON,
    MANAGED_BY_LABEL,
    MEANING_ANNOTATION,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT_LABEL,
    STABLE,
    STABLE_LABEL,
    FrozenJSON,
)
from rollouts.model.owners import controller_reference
from rollouts.model.spec import RolloutSpec


def replica_set(rollout: FrozenJSON, spec: RolloutSpec, wanted: CreateReplicaSet) -> JSON:
    """
    Return the ReplicaSet of the Rollout's template, named and labelled by its hash.

    What the role of its revision puts into the template is on record in an annotation.
    """
    metadata, hash_ = rollout["metadata"], wanted.hash
    assert spec.selector is not None
    selector = spec.selector.model_dump(by_alias=True, exclude_defaults=True)
    selector["matchLabels"] = {**spec.selector.match_labels, HASH_LABEL: hash_}
    template = with_anti_affinity(
        spec.template or {}, spec.active_strategy.anti_affinity, selector, hash_
    )
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels |= {HASH_LABEL: hash_, ROLLOUT_LABEL: metadata["name"]}
    body: JSON = {
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
            "ownerReferences": [controller_reference(rollout)],
        },
        "spec": {
            "replicas": wanted.replicas,
            "minReadySeconds": spec.min_ready_seconds,
            "selector": selector,
            "template": template,
        },
    }
    if wanted.leads:
        body["spec"]["template"]["metadata"]["labels"] = {**labels, STABLE_LABEL: STABLE}
    return with_metadata(body, wanted.role)


def _annotations(spec: RolloutSpec) -> JSON:
    """Return what tells the template from others by its meaning; a Deployment's is told by itself."""
    if spec.workload_ref is not None:
        return {}
    return {"annotations": {MEANING_ANNOTATION: canonical_hash(spec.template or {})}}


def _labels(spec: RolloutSpec, template: FrozenJSON) -> FrozenJSON:
    """
    Return the labels of the pods for their ReplicaSet; none beside a Deployment.

    A Deployment takes over every ReplicaSet that its selector matches and that has lost its
    owner, and would scale it down.
    """
    return {} if spec.workload_ref is not None else template["metadata"]["labels"]
