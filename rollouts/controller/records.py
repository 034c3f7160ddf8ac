"""The records of past releases: which there are, and the object that keeps one."""

from rollouts.controller.objects import labels_of
from rollouts.core.plan.actions import DeleteRecord, KeepRecord
from rollouts.core.world import SeenRecord
from rollouts.model.kinds import (
    CRD,
    JSON,
    OUTCOME_LABEL,
    RELEASE_RECORD,
    REVISION_LABEL,
    ROLLOUT_LABEL,
    FrozenJSON,
    Ref,
    served_version,
)
from rollouts.model.owners import controller_reference
from rollouts.model.status import ReleaseRecord
from rollouts.ports import Apply, Delete, Reads, Write


def observe_records(cluster: Reads, rollout: FrozenJSON) -> dict[str, SeenRecord] | None:
    """
    Return the records of a Rollout's past releases by name; None where none can be kept.

    Those of a Rollout of this name that is gone are among them, as after a deletion that leaves orphans.
    """
    metadata = rollout["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    if not _are_kept(cluster, namespace):
        return None
    found = cluster.select(RELEASE_RECORD, namespace, {ROLLOUT_LABEL: name})
    return {
        each["metadata"]["name"]: SeenRecord(
            each["metadata"]["name"],
            each["metadata"]["uid"],
            str(labels_of(each).get(OUTCOME_LABEL, "")),
        )
        for each in found
        if not each["metadata"].get("deletionTimestamp")
    }


def _are_kept(cluster: Reads, namespace: str) -> bool:
    """Return whether the cluster knows the kind; where it does not let us see that, it is taken to."""
    definition = cluster.get(Ref(CRD, "", RELEASE_RECORD.crd_name))
    if definition is None:
        # A controller with Roles alone sees no definition, and the one of Rollouts came with this one.
        return bool(cluster.refusal(RELEASE_RECORD, namespace))
    return served_version(definition, (RELEASE_RECORD.version,)) is not None


def writes(rollout: FrozenJSON, action: KeepRecord | DeleteRecord) -> list[Write]:
    """Return the writes of one action."""
    match action:
        case KeepRecord(record):
            return [Apply(RELEASE_RECORD, _body(rollout, record))]
        case DeleteRecord(name, uid):
            return [Delete(Ref(RELEASE_RECORD, rollout["metadata"]["namespace"], name), uid)]


def _body(rollout: FrozenJSON, record: ReleaseRecord) -> JSON:
    """Return the object that keeps a record, and goes with its Rollout."""
    metadata = rollout["metadata"]
    labels = {
        ROLLOUT_LABEL: metadata["name"],
        REVISION_LABEL: str(record.revision.number),
        OUTCOME_LABEL: record.outcome,
    }
    return {
        "apiVersion": RELEASE_RECORD.api_version,
        "kind": RELEASE_RECORD.name,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": record.object_name(metadata["name"]),
            "labels": labels,
            "ownerReferences": [controller_reference(rollout)],
        },
        "spec": record.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
