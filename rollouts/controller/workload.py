"""The Deployment that a workloadRef names: its template and selector are the Rollout's."""

from collections.abc import Iterable, Iterator

from rollouts.controller.objects import labels_of
from rollouts.controller.revisions import made_revisions
from rollouts.core.template import identify, known_hash, template_hash, user_template
from rollouts.core.world import FINALIZERS, Workload
from rollouts.model.kinds import (
    DEPLOYMENT,
    HASH_LABEL,
    JSON,
    FrozenJSON,
    Ref,
)
from rollouts.model.spec import LabelSelector, RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.ports import Reads


def observe_workload(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> Workload | None:
    """Return what is known of the Deployment; None for a Rollout that has its own template."""
    if spec.workload_ref is None:
        return None
    deployment = _deployment(cluster, rollout, spec)
    if deployment is None:
        return Workload(spec.workload_ref.name)
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    wanted = (deployment.get("spec") or {}).get("replicas")
    known_hash = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    counts = (status.get("updatedReplicas"), status.get("availableReplicas"))
    return Workload(
        name=metadata["name"],
        uid=metadata["uid"] or metadata["name"],  # one that is only a file yet has none
        replicas=1 if wanted is None else int(wanted),
        generation=int(metadata.get("generation") or 0),
        existing=int(status.get("replicas") or 0),
        available=min(int(count or 0) for count in counts) if known_hash else 0,
        problem="; ".join(_problems(deployment)),
    )


def is_finalized(rollout: FrozenJSON) -> bool:
    """Return whether a Rollout is being deleted, and has nothing to give back before."""
    metadata = rollout["metadata"]
    stays = set(FINALIZERS).intersection(metadata.get("finalizers") or ())
    return bool(metadata.get("deletionTimestamp")) and not stays


def never_had_revision(cluster: Reads, rollout: FrozenJSON, status: RolloutStatus) -> bool:
    """Return whether a Rollout never had a revision: whatever its spec is, it has nothing to give back."""
    return status.current_revision is None and not made_revisions(cluster, rollout)


def with_template(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> RolloutSpec:
    """
    Return the spec with the Deployment's template and selector.

    Without the Deployment those of the current revision are kept, as its ReplicaSet has them;
    without that there are none.
    """
    if spec.workload_ref is None:
        return spec
    deployment = _deployment(cluster, rollout, spec)
    if deployment is not None:
        wanted = deployment["spec"]
        return _with(spec, wanted["template"], wanted["selector"], wanted.get("minReadySeconds"))
    return with_current_template(cluster, rollout, spec)


def with_current_template(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> RolloutSpec:
    """Return the spec with the current revision's template and selector, as its ReplicaSet has them."""
    current = ((rollout.get("status") or {}).get("currentRevision") or {}).get("hash")
    for replica_set in made_revisions(cluster, rollout):
        if labels_of(replica_set)[HASH_LABEL] == current:
            selector = dict(replica_set["spec"]["selector"])
            labels = dict(selector.get("matchLabels") or {})
            labels.pop(HASH_LABEL, None)
            return _with(
                spec, user_template(replica_set), {**selector, "matchLabels": labels}, None
            )
    return spec


def wanted_hash(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> str:
    """
    Return the hash of the wanted template; without a Deployment the current revision's.

    Empty when there is no template.
    """
    if spec.template is None:
        return ""
    current = str(((rollout.get("status") or {}).get("currentRevision") or {}).get("hash") or "")
    if spec.workload_ref is not None:
        deployment = _deployment(cluster, rollout, spec)
        told = known_hash(deployment, rollout) if deployment is not None else current
        if told or deployment is None:
            return told
    elif current and template_hash(spec.template) == current:
        return current  # as a rule, and at the least cost
    return identify(spec.template, rollout, made_revisions(cluster, rollout))


def _with(
    spec: RolloutSpec, template: FrozenJSON, selector: FrozenJSON, min_ready_seconds: int | None
) -> RolloutSpec:
    return spec.model_copy(
        update={
            "template": dict(template),
            "selector": LabelSelector.model_validate(selector),
            "min_ready_seconds": spec.min_ready_seconds or min_ready_seconds or 0,
        }
    )


def _deployment(cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> JSON | None:
    """Return the Deployment, unless it is gone, or going."""
    assert spec.workload_ref is not None
    ref = Ref(DEPLOYMENT, rollout["metadata"]["namespace"], spec.workload_ref.name)
    found = cluster.get(ref)
    if found is None or found["metadata"].get("deletionTimestamp"):
        return None
    return found


def _problems(deployment: FrozenJSON) -> Iterator[str]:
    """Yield what keeps the Deployment from its pods."""
    if (deployment.get("spec") or {}).get("paused"):
        yield "it is paused; let it go on with `kubectl rollout resume`"
    conditions: Iterable[FrozenJSON] = (deployment.get("status") or {}).get("conditions") or ()
    for each in conditions:
        failed = each.get("type") == "ReplicaFailure" and each.get("status") == "True"
        late = each.get("type") == "Progressing" and each.get("status") == "False"
        if failed or late:
            yield str(each.get("message") or each.get("reason") or each.get("type"))
