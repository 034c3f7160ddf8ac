"""
From an action to writes.

In order, and up to the first that fails; but for a weight, which goes to every route that
will take it before anything is raised: on a retreat each of them counts. Decides nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from rollouts.controller import binding, bodies, giving, placing
from rollouts.controller.commands import annotation, named
from rollouts.controller.objects import owner_reference
from rollouts.controller.observe import is_foreign
from rollouts.controller.scenery import scenery
from rollouts.core.actions import (
    Action,
    AdoptReplicaSet,
    CreateReplicaSet,
    CreateService,
    DeleteReplicaSet,
    DressPod,
    DressReplicaSet,
    EvictPod,
    FollowService,
    NameCommand,
    NumberReplicaSet,
    ReleaseService,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetMinReady,
    SetWeight,
)
from rollouts.core.workload import RestoreWorkload, ScaleWorkload, SetFinalizers
from rollouts.errors import Conflict, NotFound, RolloutsError
from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    INGRESS,
    JSON,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.route import Change, Keep, Remove, RoutingWrite
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Apply, Clock, Cluster, Create, Delete, Patch, Write
from rollouts.traffic import routing
from rollouts.traffic.scene import Scene

_GONE_IS_STABLE = (INGRESS,)
"""Without these of our routing objects, all the traffic goes to stable."""

Writer = Callable[[Write], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Applier:
    """Carries out the actions of one decision about one Rollout."""

    cluster: Cluster
    clock: Clock
    write: Writer
    rollout: FrozenJSON
    spec: RolloutSpec

    async def carry_out(self, action: Action) -> None:
        """
        Make the writes of one action.

        Raises:
            RolloutsError: as `Cluster.write`; of several routes the first error, after all
                have been tried.
        """
        error: RolloutsError | None = None
        for write in self.writes(action):
            try:
                await self.write(write)
            except RolloutsError as caught:
                if isinstance(action, DressPod) and isinstance(caught, NotFound):
                    continue  # it had no need of it any more
                if not isinstance(action, SetWeight):
                    raise
                if action.split.percent == 0 and await self._taken_away(write):
                    continue
                error = error or caught
        if error is not None:
            raise error

    async def _taken_away(self, write: Write) -> bool:
        """
        Delete a routing object of ours whose weight can't be lowered; say whether it is gone.

        Creations and updates of Ingresses pass an admission webhook, which may be down
        just when traffic has to go back. Deletions do not.
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
            case AdoptReplicaSet(name):
                return self._adopt(name)
            case NumberReplicaSet(name, revision):
                labels = {REVISION_LABEL: str(revision)}
                return [Patch(self._ref(REPLICA_SET, name), {"metadata": {"labels": labels}})]
            case ScaleReplicaSet(name, replicas):
                return [Patch(self._ref(REPLICA_SET, name), {"spec": {"replicas": replicas}})]
            case SetMinReady() | DressReplicaSet() | DressPod() | EvictPod():
                return placing.writes(self.cluster, self.rollout, action)
            case DeleteReplicaSet(name, uid):
                return [Delete(self._ref(REPLICA_SET, name), uid)]
            case CreateService() | SelectRevision() | ReleaseService() | FollowService():
                return binding.writes(self.cluster, self.rollout, self.spec, action)
            case SetWeight(split):
                return _as_writes(routing.render(self._scene(), split))
            case RemoveRoute():
                return _as_writes(routing.clear(self._scene()))
            case NameCommand(id_, verb):
                return self._name_command(id_, verb)
            case ScaleWorkload() | RestoreWorkload() | SetFinalizers():
                return giving.writes(self.cluster, self.rollout, self.spec, action)

    def _create_replica_set(self, action: CreateReplicaSet) -> list[Write]:
        if not self.spec.template:
            return []  # the spec is invalid, and the revision's own template is gone
        body = bodies.replica_set(self.rollout, self.spec, action)
        present = self.cluster.get(self._ref(REPLICA_SET, body["metadata"]["name"]))
        if present is not None and is_foreign(present, self.rollout):
            return []  # an obstacle by now, which says what to do
        return [Create(REPLICA_SET, body)]

    def _adopt(self, name: str) -> list[Write]:
        """Add ourselves to the owners it has, unless somebody writes to it meanwhile."""
        ref = self._ref(REPLICA_SET, name)
        replica_set = self._needed(ref)
        metadata = {
            "resourceVersion": replica_set["metadata"]["resourceVersion"],
            "ownerReferences": [
                *(replica_set["metadata"].get("ownerReferences") or ()),
                owner_reference(self.rollout),
            ],
        }
        return [Patch(ref, {"metadata": metadata})]

    def _name_command(self, id_: str, verb: str) -> list[Write]:
        """Write the id into the annotation, if it still says what was read, and nobody writes now."""
        ref = self._ref(ROLLOUT, self.rollout["metadata"]["name"])
        present = self._needed(ref)
        if annotation(present) != annotation(self.rollout):
            return []
        command = named(present, id_=id_, verb=verb, at=self.clock.now())
        metadata = {
            "resourceVersion": present["metadata"]["resourceVersion"],
            "annotations": {COMMAND_ANNOTATION: command},
        }
        return [Patch(ref, {"metadata": metadata})]

    def _scene(self) -> Scene:
        return scenery(self.cluster, self.rollout, self.spec)

    def _needed(self, ref: Ref) -> JSON:
        found = self.cluster.get(ref)
        if found is None:
            raise Conflict(f"{ref} has gone since it was decided to use it")
        return found

    def _ref(self, kind: Kind, name: str) -> Ref:
        return Ref(kind, self.rollout["metadata"]["namespace"], name)


def _as_writes(wanted: Iterable[RoutingWrite]) -> list[Write]:
    """Return what a router wants written as writes to the cluster."""
    writes: list[Write] = []
    for each in wanted:
        match each:
            case Keep(kind, body):
                writes.append(Apply(kind, body))
            case Change(ref, body):
                writes.append(Patch(ref, body))
            case Remove(ref, uid):
                writes.append(Delete(ref, uid))
    return writes
