"""The writes about Services: one that is made, which revision one selects, and one that is given back."""

from rollouts.controller import canary_service
from rollouts.controller.objects import required_object
from rollouts.controller.services import sync_patch
from rollouts.core.plan.actions import CreateService, ReleaseService, SelectRevision, SyncService
from rollouts.model.kinds import HASH_LABEL, SERVICE, FrozenJSON, Ref
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Cluster, Create, Patch, Write

Binding = CreateService | SelectRevision | ReleaseService | SyncService


def writes(
    cluster: Cluster, rollout: FrozenJSON, spec: RolloutSpec, action: Binding
) -> list[Write]:
    """
    Return the writes of one action; none when there is nothing left to do.

    Raises:
        Conflict: what it is about has gone since it was decided.
    """
    namespace = rollout["metadata"]["namespace"]
    match action:
        case CreateService(name, hash_):
            ref = Ref(SERVICE, namespace, spec.stable_service or "")
            stable = required_object(cluster, ref)
            body = canary_service.new_service(rollout, spec, stable, name=name, hash_=hash_)
            return [Create(SERVICE, body)]
        case SelectRevision(service, hash_):
            return [_select(Ref(SERVICE, namespace, service), hash_)]
        case ReleaseService(service):
            return [_select(Ref(SERVICE, namespace, service), None)]
        case SyncService(name):
            patch = sync_patch(cluster, rollout, spec, name)
            return [Patch(Ref(SERVICE, namespace, name), patch)] if patch else []


def _select(ref: Ref, hash_: str | None) -> Write:
    """Have a Service select this revision alone; None takes our key out of its selector."""
    return Patch(ref, {"spec": {"selector": {HASH_LABEL: hash_}}})
