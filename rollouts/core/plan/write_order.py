"""
In which order the writes of one decision are made: first what nobody can wait for.

No action needs another one of the same decision. What has to come before it is asked of what
is observed, so each may be refused, by a quota or a webhook, and the others are made all the
same. The order is about time: a write takes as long as an admission webhook does. Only a size comes
after what the next pods are to look like, which would otherwise be made with what another role gave.
"""

from collections.abc import Iterable, Sequence

from rollouts.core.plan.actions import (
    Action,
    Adopt,
    DeleteRecord,
    DeleteReplicaSet,
    EvictPod,
    KeepRecord,
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    ScaleReplicaSet,
    ScaleWorkload,
    SelectRevision,
    SetMinReady,
    SetPodMetadata,
    SetStableLabel,
    SetTemplateMetadata,
    SetWeight,
    SyncService,
)
from rollouts.core.world import World, mechanism_of

_BACK, _PODS, _SERVICES, _FORWARD, _LATER = range(5)
_CAN_WAIT = (DeleteReplicaSet, SetPodMetadata, EvictPod, KeepRecord, DeleteRecord)


def by_urgency(world: World, actions: Iterable[Action]) -> list[Action]:
    """
    Return the actions with the most urgent first.

    Weights that fall; then pods that are asked for; Services and owners; what goes forward; and
    at the end what takes away, or can wait. Those that are alike stay in their order.
    """
    asked = tuple(actions)
    return sorted(asked, key=lambda action: _place(world, asked, action))


def _place(world: World, asked: Sequence[Action], action: Action) -> int:
    match action:
        case SetTemplateMetadata(name) | SetMinReady(name):
            return min((_size(world, each) for each in _sizes(asked, name)), default=_LATER)
        case SetWeight(split):
            falls = split.percent == 0 or split.percent < world.route.highest
            return _BACK if falls else _FORWARD
        case ScaleReplicaSet():
            return _size(world, action)
        case ScaleWorkload(replicas):
            workload = world.observed.workload
            return _PODS if workload is not None and replicas > workload.replicas else _LATER
        case RestoreWorkload():
            return _PODS
        case SelectRevision() | SetStableLabel() | ReleaseService() | SyncService() | Adopt():
            return _SERVICES
        case RemoveRoute():
            return _LATER
    return _LATER if isinstance(action, _CAN_WAIT) else _FORWARD


def _sizes(asked: Sequence[Action], name: str) -> list[ScaleReplicaSet]:
    """Return the change of a ReplicaSet's size, before which its template has to be what its role gives."""
    return [each for each in asked if isinstance(each, ScaleReplicaSet) and each.name == name]


def _size(world: World, action: ScaleReplicaSet) -> int:
    found = (each for each in world.observed.replica_sets.values() if each.name == action.name)
    grows = any(action.replicas > each.wanted for each in found)
    return _PODS if grows or mechanism_of(world.spec).pods_are_the_weight else _LATER
