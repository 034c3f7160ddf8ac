"""
The writes about a Deployment whose place a Rollout takes, or gives back.

Each is bound to what was read wherever somebody else's change could be lost.
"""

from rollouts.controller.objects import labels_of, required_object
from rollouts.core.plan.actions import RestoreWorkload, ScaleWorkload, SetFinalizers
from rollouts.core.template import user_template
from rollouts.core.world import FINALIZERS
from rollouts.errors import Conflict
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    FrozenJSON,
    Ref,
)
from rollouts.model.merge_patch import difference
from rollouts.model.owners import is_controlled_by
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Cluster, Patch, Write

WorkloadAction = ScaleWorkload | RestoreWorkload | SetFinalizers


def writes(
    cluster: Cluster, rollout: FrozenJSON, spec: RolloutSpec, action: WorkloadAction
) -> list[Write]:
    """
    Return the writes of one action; none when there is nothing left to do.

    Raises:
        Conflict: what it is about has gone since it was decided.
    """
    namespace = rollout["metadata"]["namespace"]
    assert spec.workload_ref is not None or isinstance(action, SetFinalizers)
    match action:
        case ScaleWorkload(replicas):
            assert spec.workload_ref is not None
            deployment = Ref(DEPLOYMENT, namespace, spec.workload_ref.name)
            return [Patch(deployment, {"spec": {"replicas": replicas}})]
        case RestoreWorkload(replicas, hash_):
            assert spec.workload_ref is not None
            deployment = Ref(DEPLOYMENT, namespace, spec.workload_ref.name)
            return [_restore(cluster, rollout, deployment, replicas, hash_)]
        case SetFinalizers(names):
            return finalizers(cluster, Ref(ROLLOUT, namespace, rollout["metadata"]["name"]), names)


def _restore(cluster: Cluster, rollout: FrozenJSON, ref: Ref, replicas: int, hash_: str) -> Write:
    deployment = required_object(cluster, ref)
    body: JSON = {
        "metadata": {"resourceVersion": deployment["metadata"]["resourceVersion"]},
        "spec": {"replicas": replicas},
    }
    if hash_:
        before = deployment["spec"]["template"]
        body["spec"]["template"] = difference(before, _template(cluster, rollout, hash_))
    return Patch(ref, body)


def _template(cluster: Cluster, rollout: FrozenJSON, hash_: str) -> JSON:
    """Return the template of one revision, as the Deployment had it."""
    for each in cluster.select(REPLICA_SET, rollout["metadata"]["namespace"], {HASH_LABEL: hash_}):
        if is_controlled_by(each, rollout) and labels_of(each)[HASH_LABEL] == hash_:
            return user_template(each)
    raise Conflict(
        f"the ReplicaSet of {hash_} has gone since it was decided to give its template back"
    )


def finalizers(cluster: Cluster, ref: Ref, names: tuple[str, ...]) -> list[Write]:
    """Return the writes after which our finalizers are `names`, beside those of others."""
    present = cluster.get(ref)
    if present is None:
        return []
    before = present["metadata"].get("finalizers") or []
    after = [each for each in before if each not in FINALIZERS or each in names]
    after += [each for each in names if each not in after]
    if after == before:
        return []
    version = present["metadata"]["resourceVersion"]
    return [Patch(ref, {"metadata": {"resourceVersion": version, "finalizers": after}})]
