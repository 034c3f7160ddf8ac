"""The closed union of what a decision may ask for, who yields it, and the decision itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rollouts.core.template import RoleMetadata
from rollouts.core.world import Event, World
from rollouts.model.kinds import Ref
from rollouts.model.route import Split
from rollouts.model.status import ReleaseRecord, RolloutStatus


@dataclass(frozen=True, slots=True)
class ScaleWorkload:
    """Set how many pods the Deployment has."""

    replicas: int


@dataclass(frozen=True, slots=True)
class RestoreWorkload:
    """Give the Deployment its pods again, in one write with the template, which is this revision's."""

    replicas: int
    hash: str = ""
    """Empty: its template stays what it is."""


@dataclass(frozen=True, slots=True)
class SetFinalizers:
    """Have the Rollout these finalizers of ours; those of others are left alone."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateReplicaSet:
    """Make the ReplicaSet of the current template."""

    hash: str
    revision: int
    replicas: int
    role: RoleMetadata = field(default_factory=RoleMetadata)
    """What the role of the revision gives to its pods."""
    proven: bool = False
    """It was stable already: what of its template is unknown was dropped before, and is again."""
    leads: bool = False
    """Its pods have the label of stable from the beginning."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Become the owner of what is ours by name and labels, and whose owner is gone."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class NumberReplicaSet:
    """Give a ReplicaSet that is wanted again its new revision number."""

    name: str
    revision: int


@dataclass(frozen=True, slots=True)
class ScaleReplicaSet:
    """Set how many pods it has."""

    name: str
    replicas: int


@dataclass(frozen=True, slots=True)
class SetMinReady:
    """Set how long its pods have to be ready to count as available."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class SetTemplateMetadata:
    """Give the pods that it makes from now on what a role gives, and the label of their Rollout."""

    name: str
    role: RoleMetadata


@dataclass(frozen=True, slots=True)
class SetPodMetadata:
    """Give a living pod what its role gives; None takes something away. That it has gone is fine."""

    name: str
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class SetStableLabel:
    """Give these pods the label of stable, or take it from them. That one has gone is fine."""

    replica_set: str
    pods: tuple[str, ...]
    leads: bool
    is_in_template: bool
    """The ReplicaSet's next pods are as they are to be."""


@dataclass(frozen=True, slots=True)
class EvictPod:
    """Ask a pod to go, as far as PodDisruptionBudgets allow it now."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteReplicaSet:
    """Remove an old revision that has no pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class KeepRecord:
    """Have the object that keeps the record of a release that has ended."""

    record: ReleaseRecord


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    """Remove the record of an old release."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateService:
    """Make the canary Service after the stable one, selecting this revision."""

    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class SelectRevision:
    """Point a Service's selector at this revision: one key, one write."""

    service: str
    hash: str


@dataclass(frozen=True, slots=True)
class ReleaseService:
    """Take our key out of a Service's selector: it is what it was before we came."""

    service: str


@dataclass(frozen=True, slots=True)
class SyncService:
    """Make a Service of ours as its stable Service is by now, but for the revision that it selects."""

    name: str


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Have every route say this; makes the routing objects that are absent."""

    split: Split


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Remove the routing objects that we own, and what we put into those of the user."""


@dataclass(frozen=True, slots=True)
class NameCommand:
    """Rewrite a bare verb in the annotation as a command with an id, so that it counts once."""

    id: str
    verb: str
    revision: str = ""
    """The revision that it is meant for from now on; empty: whichever is current when it is obeyed."""
    before_status: bool = False
    """Status will name another revision, after which nobody could tell for which one it was given."""


Action = (
    CreateReplicaSet
    | Adopt
    | NumberReplicaSet
    | ScaleReplicaSet
    | SetMinReady
    | SetTemplateMetadata
    | SetPodMetadata
    | SetStableLabel
    | EvictPod
    | DeleteReplicaSet
    | KeepRecord
    | DeleteRecord
    | CreateService
    | SelectRevision
    | ReleaseService
    | SyncService
    | SetWeight
    | RemoveRoute
    | NameCommand
    | ScaleWorkload
    | RestoreWorkload
    | SetFinalizers
)
Writing = Callable[[World, RolloutStatus], Iterator[Action]]
"""What yields the writes that are missing between the world and a status."""


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What to do: carry out `actions`, then write `status`, then tell `events`.

    The most urgent action comes first, and none needs another: that one is refused is no
    reason to leave out the rest.

    Moves forward are written into status before they are made (their actions come with
    the next decision); retreats are made first and written down after.
    """

    status: RolloutStatus
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after_seconds: float | None = None
