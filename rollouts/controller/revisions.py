"""
Which ReplicaSets are a Rollout's revisions: those it owns, and those that only lost their owner.

After a restore from a backup, or a deletion that orphans, they have none, or one that is gone.
Reads only.
"""

from rollouts.controller.objects import labels_of
from rollouts.model.kinds import HASH_LABEL, JSON, MANAGED_BY_LABEL, REPLICA_SET, FrozenJSON
from rollouts.model.owners import is_controlled_by
from rollouts.ports import Reads
from rollouts.traffic.ownership import has_lost_owner, is_terminating


def is_revision(replica_set: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether the Rollout owns it, or is to adopt it."""
    return is_owned(replica_set, rollout) or is_orphan(replica_set, rollout)


def is_owned(replica_set: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether the Rollout is its controlling owner, and it carries a hash and stays."""
    return (
        bool(labels_of(replica_set).get(HASH_LABEL))
        and not is_terminating(replica_set)
        and is_controlled_by(replica_set, rollout)
    )


def is_orphan(replica_set: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether it is the Rollout's by name and labels, and its owner is gone."""
    hash_ = labels_of(replica_set).get(HASH_LABEL)
    return (
        bool(hash_)
        and replica_set["metadata"]["name"] == f"{rollout['metadata']['name']}-{hash_}"
        and has_lost_owner(replica_set, rollout)
        and not is_terminating(replica_set)
    )


def is_foreign(replica_set: FrozenJSON, rollout: FrozenJSON) -> bool:
    """Return whether a ReplicaSet with a name of ours is somebody else's, or made by hand."""
    if not has_lost_owner(replica_set, rollout):
        return not is_controlled_by(replica_set, rollout)
    return MANAGED_BY_LABEL not in labels_of(replica_set) and not is_orphan(replica_set, rollout)


def made_revisions(cluster: Reads, rollout: FrozenJSON) -> list[JSON]:
    """Return those that carry the label that every one of ours was made with."""
    metadata = rollout["metadata"]
    ours = {MANAGED_BY_LABEL: metadata["name"]}
    found = cluster.select(REPLICA_SET, metadata["namespace"], ours)
    return [each for each in found if is_revision(each, rollout)]
