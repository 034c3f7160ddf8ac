"""Where a Rollout's template is written: in itself, or in the Deployment that it names."""

from rollouts.cli.session import ReadRequests
from rollouts.cli.wait_outcome import Wanted, present_revision
from rollouts.controller.objects import labels_of
from rollouts.core.template import identify, known_hash
from rollouts.errors import Forbidden
from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, REPLICA_SET, FrozenJSON, Ref
from rollouts.model.owners import is_controlled_by


def template_owner(rollout: FrozenJSON, ref: Ref) -> Ref:
    """Return the object that has the template."""
    workload = (rollout.get("spec") or {}).get("workloadRef") or {}
    name = workload.get("name")
    return Ref(DEPLOYMENT, ref.namespace, str(name)) if name else ref


async def wanted_revision(requests: ReadRequests, rollout: FrozenJSON, ref: Ref) -> Wanted:
    """
    Return the revision that the present template means, found as the controller finds it.

    Raises:
        NotFound: there is no Deployment of that name.
    """
    home = template_owner(rollout, ref)
    return await revision_written_in(
        requests, rollout, rollout if home == ref else await requests.get(home)
    )


async def revision_written_in(
    requests: ReadRequests, rollout: FrozenJSON, home: FrozenJSON
) -> Wanted:
    """Return the revision that the template means of `home`: the Rollout itself, or its Deployment."""
    if home["metadata"].get("uid") == rollout["metadata"].get("uid"):
        return await _own(requests, home)
    hash_ = known_hash(home, rollout)
    if not hash_:
        own = await _replica_sets(requests, rollout)
        hash_ = identify(home["spec"]["template"], rollout, own)
    return Wanted(hash_, generation=int(home["metadata"].get("generation") or 0))


async def _own(requests: ReadRequests, rollout: FrozenJSON) -> Wanted:
    """Return the revision of a Rollout's own template: by its hash, where ReplicaSets may not be read."""
    exact = present_revision(rollout)
    current = (rollout.get("status") or {}).get("currentRevision") or {}
    if not exact.hash or current.get("hash") == exact.hash:
        return exact
    try:
        return present_revision(rollout, await _replica_sets(requests, rollout))
    except Forbidden:
        return exact


async def _replica_sets(requests: ReadRequests, rollout: FrozenJSON) -> list[JSON]:
    found = await requests.select(REPLICA_SET, rollout["metadata"]["namespace"])
    return [
        each for each in found if HASH_LABEL in labels_of(each) and is_controlled_by(each, rollout)
    ]
