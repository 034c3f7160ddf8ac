"""From an action about pods, and what they are born with, to writes. Decides nothing."""

from rollouts.core.plan.actions import EvictPod, SetMinReady, SetPodMetadata, SetTemplateMetadata
from rollouts.core.template import metadata_patch
from rollouts.errors import Conflict
from rollouts.model.kinds import POD, REPLICA_SET, FrozenJSON, Ref
from rollouts.ports import Cluster, Evict, Patch, Write

PodAction = SetMinReady | SetTemplateMetadata | SetPodMetadata | EvictPod


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
            replica_set = cluster.get(ref)
            if replica_set is None:
                raise Conflict(f"{ref} has gone since it was decided to use it")
            return [Patch(ref, metadata_patch(replica_set, role, rollout["metadata"]["name"]))]
        case SetPodMetadata(name, labels, annotations):
            parts = {"labels": dict(labels), "annotations": dict(annotations)}
            metadata = {part: changes for part, changes in parts.items() if changes}
            return [Patch(Ref(POD, namespace, name), {"metadata": metadata})]
        case EvictPod(name):
            return [Evict(Ref(POD, namespace, name))]
