"""Where a Rollout's template is written: in itself, or in the Deployment that it names."""

from rollouts.cli.outcome import Wanted, present_revision
from rollouts.cli.session import Reads
from rollouts.core.identity import identify
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, REPLICA_SET, FrozenJSON, Ref


def home_of(rollout: FrozenJSON, ref: Ref) -> Ref:
    """Return the object that has the template."""
    workload = (rollout.get("spec") or {}).get("workloadRef") or {}
    name = workload.get("name")
    return Ref(DEPLOYMENT, ref.namespace, str(name)) if name else ref


async def wanted_now(requests: Reads, rollout: FrozenJSON, ref: Ref) -> Wanted:
    """
    Return the revision that the present template means, found as the controller finds it.

    Raises:
        NotFound: there is no Deployment of that name.
    """
    home = home_of(rollout, ref)
    if home == ref:
        return present_revision(rollout)
    return await meant_by(requests, rollout, await requests.get(home))


async def meant_by(requests: Reads, rollout: FrozenJSON, deployment: FrozenJSON) -> Wanted:
    """Return the revision that a Deployment's template means."""
    metadata = rollout["metadata"]
    own = [
        each
        for each in await requests.select(REPLICA_SET, metadata["namespace"])
        if _is_of(each, metadata.get("uid"))
    ]
    hash_ = identify(deployment, rollout, own)
    return Wanted(hash_, generation=int(deployment["metadata"].get("generation") or 0))


def _is_of(replica_set: JSON, uid: object) -> bool:
    metadata = replica_set["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return HASH_LABEL in (metadata.get("labels") or {}) and any(
        owner.get("uid") == uid for owner in owners
    )
