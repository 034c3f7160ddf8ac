"""
From an action to writes.

Of an action with several writes, which are those to routes, each is tried before anything is
raised: where a weight falls each of them counts, and none waits for those to other objects. Decides nothing.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollouts.controller import (
    pod_writes,
    records,
    replica_set_bodies,
    service_writes,
    workload_writes,
)
from rollouts.controller.commands import annotation, named
from rollouts.controller.objects import required_object
from rollouts.controller.revisions import is_foreign
from rollouts.controller.routing_objects import routing_context
from rollouts.core.plan.actions import (
    Action,
    Adopt,
    CreateReplicaSet,
    CreateService,
    DeleteRecord,
    DeleteReplicaSet,
    EvictPod,
    KeepRecord,
    NameCommand,
    NumberReplicaSet,
    ReleaseService,
    RemoveRoute,
    RestoreWorkload,
    ScaleReplicaSet,
    ScaleWorkload,
    SelectRevision,
    SetFinalizers,
    SetMinReady,
    SetPodMetadata,
    SetStableLabel,
    SetTemplateMetadata,
    SetWeight,
    SyncService,
)
from rollouts.errors import Conflict, Forbidden, NotFound, Outdated, RolloutsError
from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.owners import controller_reference, owners_of
from rollouts.model.route import Change, Keep, Remove, RoutingWrite
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Apply, Clock, Cluster, Create, Delete, Patch, Write
from rollouts.traffic import routers
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.ownership import is_former

_GONE_IS_STABLE = tuple(each.kind for each in routers.kinds() if each.gone_is_stable)
"""Without these of our routing objects, all the traffic goes to stable."""

RETREAT_SECONDS = 10.0
"""How long one of these may take to be changed, where deleting it would do."""

_LABELS = (SetPodMetadata, SetStableLabel)
"""A pod that has gone needs none of what these give."""

ENDS_ALL = (Conflict, Outdated)
"""After these nothing else of a decision is written: the state that it was about is not so."""

Writer = Callable[[Write], Awaitable[None]]
Failure = RolloutsError | None
"""Why something was refused; None: it was not."""
RunWrites = Callable[[Iterable[Coroutine[Any, Any, Failure]]], Awaitable[list[Failure]]]
"""Carries out all of them, one after the other or at once, and returns what came of each."""


async def sequentially(writes: Iterable[Coroutine[Any, Any, Failure]]) -> list[Failure]:
    """Carry out one after the other, which needs no event loop."""
    return [await each for each in writes]


@dataclass(frozen=True, slots=True)
class Applier:
    """Carries out the actions of one decision about one Rollout."""

    cluster: Cluster
    clock: Clock
    write: Writer
    rollout: FrozenJSON
    spec: RolloutSpec
    run_writes: RunWrites

    async def carry_out(self, action: Action) -> None:
        """
        Make the writes of one action.

        Raises:
            RolloutsError: as `Cluster.write`; of several writes one that ends all, or the first error,
                after all have been tried.
        """
        writes = self.writes(action)
        # Each may take half a minute, as long as an API server waits for a webhook.
        apart = self._by_object(writes) if self._lowers(action) else [writes]
        outcomes = await self.run_writes(self._try_each(action, those) for those in apart)
        for error in sorted(
            filter(None, outcomes), key=lambda each: not isinstance(each, ENDS_ALL)
        ):
            raise error

    async def _try_each(self, action: Action, writes: Iterable[Write]) -> Failure:
        """Make the writes one after the other; return the first error."""
        error: Failure = None
        for write in writes:
            try:
                await self.write(_in_time(action, write))
            except Outdated as caught:
                return caught
            except RolloutsError as caught:
                if isinstance(action, _LABELS) and isinstance(caught, NotFound):
                    continue  # it had no need of it any more
                if _cuts_off(action) and await self._taken_away(write):
                    continue
                error = error or _with_way_out(action, caught)
        return error

    def _lowers(self, action: Action) -> bool:
        """Return whether some route sends the canary more than the action leaves it."""
        if not isinstance(action, SetWeight) or _cuts_off(action):
            return _cuts_off(action)
        return routers.observe(self._context(), action.split).highest > action.split.percent

    def _by_object(self, writes: Iterable[Write]) -> Iterable[Sequence[Write]]:
        """Return the writes to routing objects, those to the same one together and in order."""
        found: dict[Ref | None, list[Write]] = {}
        for write in writes:
            found.setdefault(self._object_of(write), []).append(write)
        return found.values()

    def _object_of(self, write: Write) -> Ref | None:
        match write:
            case Patch(ref) | Delete(ref):
                return ref
            case Apply(kind, body):
                return self._ref(kind, body["metadata"]["name"])
        return None

    async def _taken_away(self, write: Write) -> bool:
        """
        Delete a routing object of ours whose weight can't be lowered; return whether it is gone.

        Its creations and updates may pass an admission webhook, which may be down just when
        traffic has to go back. Deletions do not.
        """
        if not isinstance(write, Apply):
            return False
        ref = self._ref(write.kind, write.body["metadata"]["name"])
        present = self.cluster.get(ref)
        if present is None:
            return True
        if ref.kind not in _GONE_IS_STABLE:
            return False
        try:
            await self.write(Delete(ref, present["metadata"]["uid"]))
        except RolloutsError:
            return False
        return True

    def writes(self, action: Action) -> Sequence[Write]:  # noqa: C901 - one line per action
        """Return the writes of one action."""
        match action:
            case CreateReplicaSet():
                return self._create_replica_set(action)
            case Adopt(ref):
                return self._adopt(ref)
            case NumberReplicaSet(name, revision):
                labels = {REVISION_LABEL: str(revision)}
                return [Patch(self._ref(REPLICA_SET, name), {"metadata": {"labels": labels}})]
            case ScaleReplicaSet(name, replicas):
                return [Patch(self._ref(REPLICA_SET, name), {"spec": {"replicas": replicas}})]
            case (
                SetMinReady()
                | SetTemplateMetadata()
                | SetPodMetadata()
                | SetStableLabel()
                | EvictPod()
            ):
                return pod_writes.writes(self.cluster, self.rollout, action)
            case DeleteReplicaSet(name, uid):
                return [Delete(self._ref(REPLICA_SET, name), uid)]
            case KeepRecord() | DeleteRecord():
                return records.writes(self.rollout, action)
            case CreateService() | SelectRevision() | ReleaseService() | SyncService():
                return service_writes.writes(self.cluster, self.rollout, self.spec, action)
            case SetWeight(split):
                return self._as_writes(routers.render(self._context(), split))
            case RemoveRoute():
                return self._as_writes(routers.clear(self._context()))
            case NameCommand():
                return self._name_command(action)
            case ScaleWorkload() | RestoreWorkload() | SetFinalizers():
                return workload_writes.writes(self.cluster, self.rollout, self.spec, action)

    def _create_replica_set(self, action: CreateReplicaSet) -> list[Write]:
        if not self.spec.template:
            return []  # the spec is invalid, and the revision's own template is gone
        body = replica_set_bodies.replica_set(self.rollout, self.spec, action)
        present = self.cluster.get(self._ref(REPLICA_SET, body["metadata"]["name"]))
        if present is not None and is_foreign(present, self.rollout):
            return []  # a blocking finding by now, which says what to do
        return [Create(REPLICA_SET, body, strict=not action.proven)]

    def _adopt(self, ref: Ref) -> list[Write]:
        """Take the place of the owner that is gone, unless somebody writes to it meanwhile."""
        found = required_object(self.cluster, ref)
        ours = controller_reference(self.rollout)
        others = (each for each in owners_of(found) if each.get("uid") != ours["uid"])
        metadata = {
            "resourceVersion": found["metadata"]["resourceVersion"],
            "ownerReferences": [
                *(each for each in others if not is_former(each, self.rollout)),
                ours,
            ],
        }
        return [Patch(ref, {"metadata": metadata})]

    def _name_command(self, action: NameCommand) -> list[Write]:
        """Write the id into the annotation, if it still says what was read, and nobody writes now."""
        ref = self._ref(ROLLOUT, self.rollout["metadata"]["name"])
        present = required_object(self.cluster, ref)
        if annotation(present) != annotation(self.rollout):
            return []
        command = named(present, action, self.clock.now())
        metadata = {
            "resourceVersion": present["metadata"]["resourceVersion"],
            "annotations": {COMMAND_ANNOTATION: command},
        }
        return [Patch(ref, {"metadata": metadata})]

    def _as_writes(self, wanted: Iterable[RoutingWrite]) -> list[Write]:
        """Return what routers want written as writes to the cluster."""
        writes: list[Write] = []
        for each in wanted:
            match each:
                case Keep(kind, body):
                    writes += [
                        *self._freed(self._ref(kind, body["metadata"]["name"])),
                        Apply(kind, body),
                    ]
                case Change(ref, body):
                    writes.append(Patch(ref, body))
                case Remove(ref, uid):
                    writes.append(Delete(ref, uid))
        return writes

    def _freed(self, ref: Ref) -> list[Write]:
        """Take the place of an owner that is gone, beside which an apply would only put ourselves."""
        present = self.cluster.get(ref)
        owners = owners_of(present) if present is not None else []
        return self._adopt(ref) if any(is_former(each, self.rollout) for each in owners) else []

    def _context(self) -> RoutingContext:
        return routing_context(self.cluster, self.rollout, self.spec)

    def _ref(self, kind: Kind, name: str) -> Ref:
        return Ref(kind, self.rollout["metadata"]["namespace"], name)


def _in_time(action: Action, write: Write) -> Write:
    """Return a write that is not waited for as long as any, when traffic can go back in another way."""
    if _cuts_off(action) and isinstance(write, Apply) and write.kind in _GONE_IS_STABLE:
        return replace(write, within_seconds=RETREAT_SECONDS)
    return write


def _with_way_out(action: Action, error: RolloutsError) -> RolloutsError:
    """
    Return an error with what to do about it, where the API server does not say.

    Where OwnerReferencesPermissionEnforcement is on, whoever changes an object's owners has to be allowed to
    delete it, and we may delete no Service.
    """
    match action, error:
        case Adopt(Ref(kind=kind, name=name)), Forbidden() if kind == SERVICE:
            return Forbidden(
                f"Service {name} stays without an owner, and would stay when this Rollout is deleted; "
                f"delete it while no release is under way, and the next release makes it anew: {error}"
            )
    return error


def _cuts_off(action: Action) -> bool:
    return isinstance(action, SetWeight) and action.split.percent == 0
