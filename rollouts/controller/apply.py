"""
From an action to writes.

In order, and up to the first that fails; but for a weight, which goes to every route that
will take it before anything is raised: on a retreat each of them counts. Decides nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rollouts.controller import bodies
from rollouts.controller.commands import annotation, named
from rollouts.controller.objects import controller_of, owner_reference, refers_to
from rollouts.controller.observe import is_foreign
from rollouts.core.actions import (
    Action,
    AdoptReplicaSet,
    CreateReplicaSet,
    CreateService,
    DeleteReplicaSet,
    NameCommand,
    NumberReplicaSet,
    RemoveRoute,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
)
from rollouts.errors import Conflict, RolloutsError
from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    HASH_LABEL,
    INGRESS,
    JSON,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.spec import RolloutSpec
from rollouts.ports import Apply, Clock, Cluster, Create, Delete, Patch, Write
from rollouts.traffic import nginx

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
                if not isinstance(action, SetWeight):
                    raise
                if action.percent == 0 and await self._taken_away(write):
                    continue
                error = error or caught
        if error is not None:
            raise error

    async def _taken_away(self, write: Write) -> bool:
        """
        Delete a canary Ingress whose weight can't be lowered; say whether it is gone.

        Creations and updates of Ingresses pass an admission webhook, which may be down
        just when traffic has to go back. Deletions do not.
        """
        if not isinstance(write, Apply):
            return False
        present = self.cluster.get(self._ref(INGRESS, write.body["metadata"]["name"]))
        if present is None:
            return True
        try:
            await self.write(
                Delete(self._ref(INGRESS, present["metadata"]["name"]), present["metadata"]["uid"])
            )
        except RolloutsError:
            return False
        return True

    def writes(self, action: Action) -> Sequence[Write]:  # noqa: C901 - one line per action
        """Return the writes of one action."""
        match action:
            case CreateReplicaSet(hash_, revision, replicas):
                return self._create_replica_set(hash_, revision, replicas)
            case AdoptReplicaSet(name):
                return self._adopt(name)
            case NumberReplicaSet(name, revision):
                labels = {REVISION_LABEL: str(revision)}
                return [Patch(self._ref(REPLICA_SET, name), {"metadata": {"labels": labels}})]
            case ScaleReplicaSet(name, replicas):
                return [Patch(self._ref(REPLICA_SET, name), {"spec": {"replicas": replicas}})]
            case DeleteReplicaSet(name, uid):
                return [Delete(self._ref(REPLICA_SET, name), uid)]
            case CreateService(name, hash_):
                return self._create_service(name, hash_)
            case SelectRevision(service, hash_):
                selector = {"spec": {"selector": {HASH_LABEL: hash_}}}
                return [Patch(self._ref(SERVICE, service), selector)]
            case SetWeight(percent, cut_off):
                return self._set_weight(percent, cut_off=cut_off)
            case RemoveRoute():
                return self._remove_route()
            case NameCommand(id_, verb):
                return self._name_command(id_, verb)

    def _create_replica_set(self, hash_: str, revision: int, replicas: int) -> list[Write]:
        body = bodies.replica_set(
            self.rollout, self.spec, hash_=hash_, revision=revision, replicas=replicas
        )
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

    def _create_service(self, name: str, hash_: str) -> list[Write]:
        stable = self._needed(self._ref(SERVICE, self.spec.stable_service))
        body = bodies.canary_service(self.rollout, stable, name=name, hash_=hash_)
        return [Create(SERVICE, body)]

    def _set_weight(self, percent: int, *, cut_off: bool) -> list[Write]:
        ingresses = self._ingresses()
        rendered = nginx.render(self.spec, self.rollout, ingresses, percent, cut_off=cut_off)
        return [
            Apply(INGRESS, body)
            for body in rendered
            if self._is_free_or_ours(ingresses.get(body["metadata"]["name"]))
        ]

    def _is_free_or_ours(self, ingress: FrozenJSON | None) -> bool:
        return ingress is None or refers_to(controller_of(ingress), self.rollout)

    def _remove_route(self) -> list[Write]:
        ingresses = self._ingresses()
        return [
            Delete(self._ref(INGRESS, name), ingresses[name]["metadata"]["uid"])
            for name in nginx.owned(self.spec, self.rollout, ingresses)
        ]

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

    def _ingresses(self) -> dict[str, JSON]:
        namespace = self.rollout["metadata"]["namespace"]
        return {each["metadata"]["name"]: each for each in self.cluster.select(INGRESS, namespace)}

    def _needed(self, ref: Ref) -> JSON:
        found = self.cluster.get(ref)
        if found is None:
            raise Conflict(f"{ref} has gone since it was decided to use it")
        return found

    def _ref(self, kind: Kind, name: str) -> Ref:
        return Ref(kind, self.rollout["metadata"]["namespace"], name)
