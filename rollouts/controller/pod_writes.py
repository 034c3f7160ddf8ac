"""From an action about pods, and what they are created with, to writes. Decides nothing."""

from rollouts.controller.objects import required_object
from rollouts.core.plan.actions import (
    EvictPod,
    SetMinReady,
    SetPodMetadata,
    SetStableLabel,
    SetTemplateMetadata,
)
from rollouts.core.template import metadata_patch
from rollouts.model.kinds import JSON, POD, REPLICA_SET, STABLE, STABLE_LABEL, FrozenJSON, Ref
from rollouts.ports import Cluster, Evict, Patch, Write

PodAction = SetMinReady | SetTemplateMetadata | SetPodMetadata | SetStableLabel | EvictPod


def writes(cluster: Cluster, rollout: FrozenJSON, action: PodAction) -> list[Write]:
    """
    Return the writes of one action.

    Raises:
        Conflict: the ReplicaSet has gone since it was decided to change it.
    """
    namespace = rollout["metadata"]["namespace"]
    match action:
        case SetMinReady(name, seconds):
            ref = Ref(REPLICA_SET, namespace, name)
            return [Patch(ref, {"spec": {"minReadySeconds": seconds}})]
        case SetTemplateMetadata(name, role):
            ref = Ref(REPLICA_SET, namespace, name)
            role_patch = metadata_patch(
                required_object(cluster, ref), role, rollout["metadata"]["name"]
            )
            return [Patch(ref, role_patch)]
        case SetPodMetadata(name, labels, annotations):
            parts = {"labels": dict(labels), "annotations": dict(annotations)}
            metadata = {part: changes for part, changes in parts.items() if changes}
            return [Patch(Ref(POD, namespace, name), {"metadata": metadata})]
        case SetStableLabel():
            return _stable_label(namespace, action)
        case EvictPod(name):
            return [Evict(Ref(POD, namespace, name))]


def _stable_label(namespace: str, action: SetStableLabel) -> list[Write]:
    """Return the writes to the ReplicaSet first, so that no pod is made in between that is as those before."""
    labelled: JSON = {"metadata": {"labels": {STABLE_LABEL: STABLE if action.leads else None}}}
    ref = Ref(REPLICA_SET, namespace, action.replica_set)
    template = [] if action.is_in_template else [Patch(ref, {"spec": {"template": labelled}})]
    return [*template, *(Patch(Ref(POD, namespace, name), labelled) for name in action.pods)]
