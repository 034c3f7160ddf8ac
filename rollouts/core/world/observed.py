"""What a decision sees of the cluster: plain, small, and already counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.core.template import AppliedMetadata
from rollouts.model.kinds import FrozenJSON, Ref
from rollouts.model.route import Route
from rollouts.model.status import Revision

REVERT = "rollouts.dev/revert"
"""The finalizer of a Rollout with `revertOnDeletion`: ours, for as long as the spec says so."""
DETACH = "rollouts.dev/detach"
"""The finalizer that `rollouts detach` sets before it deletes."""
FINALIZERS = (REVERT, DETACH)


@dataclass(frozen=True, slots=True)
class Workload:
    """The Deployment that keeps the template, and whose pods are replaced by ours."""

    name: str
    uid: str = ""
    """Empty: it does not exist."""
    replicas: int = 0
    """spec.replicas."""
    generation: int = 0
    existing: int = 0
    """Its pods, whatever their template."""
    available: int = 0
    """Its available pods of the present template; 0 until its controller has seen that."""
    problem: str = ""
    """What its own conditions, or a pause, say is in the way of its pods; or empty."""

    @property
    def exists(self) -> bool:
        return bool(self.uid)

    @property
    def serves(self) -> bool:
        """All pods that it wants are available and of its present template."""
        return self.available >= self.replicas and self.existing <= self.replicas


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a ReplicaSet that is not terminating, and has not ended."""

    name: str
    ready: bool
    created_at: datetime
    restarts: int = 0
    problem: str = ""
    """What its containers wait for, such as `CrashLoopBackOff` or `ImagePullBackOff`, or empty."""
    mark: str = ""
    """The digest of what it has of its revision's role; empty for nothing."""
    labelled: bool = True
    """It has the label by which `/scale` selects; False: it is older than that label."""
    leads: bool = False
    """It has the label of stable, by which a Service that Git owns selects."""
    unready_since: datetime | None = None
    """Since when it is not ready; None when it is, or when nothing tells."""
    was_ready: bool = False
    """It is not ready now, but has been, or a container of it has ended: it does not only start."""
    disrupted: bool = False
    """It is not ready because somebody takes it away, or because its node does not answer."""
    unschedulable: bool = False
    """No node has room for it now."""

    @property
    def crash_looping(self) -> bool:
        """Its containers end and are started again, and again."""
        return self.problem == "CrashLoopBackOff"


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One revision's ReplicaSet."""

    name: str
    uid: str
    hash: str
    revision: int
    images: tuple[str, ...]
    wanted: int
    """spec.replicas."""
    existing: int
    """Pods that exist; those that are terminating, or have ended, are not counted."""
    ready: int
    available: int
    created_at: datetime
    owned: bool = True
    """False: it carries our labels and its owner is gone, as after a restore; it is to be adopted."""
    pods: tuple[Pod, ...] = ()
    min_ready_seconds: int = 0
    applied: AppliedMetadata = field(default_factory=AppliedMetadata)
    """What a role put into its template."""
    labelled: bool = True
    """Its next pods will have the label by which `/scale` selects."""
    leads: bool = False
    """Its next pods will have the label of stable."""
    refusal: str = ""
    """Why its next pod can't be made, such as a quota, in the API server's words; or empty."""

    @property
    def as_revision(self) -> Revision:
        """The revision whose pods these are, by its present number."""
        return Revision(number=self.revision, hash=self.hash, images=list(self.images))

    @property
    def has_stable_label(self) -> bool:
        """Whether a pod of it has the label of stable, or its next one will."""
        return self.leads or any(pod.leads for pod in self.pods)

    @property
    def is_labelled_stable(self) -> bool:
        """Whether all its pods have the label of stable, and its next ones will."""
        return self.leads and all(pod.leads for pod in self.pods)

    @property
    def crash_looping(self) -> tuple[Pod, ...]:
        """The pods that crash again and again."""
        return tuple(pod for pod in self.pods if pod.crash_looping)

    @property
    def broken(self) -> int:
        """How many pods are not ready because they failed, and not because they are starting."""
        return sum(not pod.ready and (pod.restarts > 0 or bool(pod.problem)) for pod in self.pods)

    @property
    def pod_problems(self) -> str:
        """What its pods wait for, or can't be made for, in brackets behind a count of them; or empty."""
        findings = {pod.problem for pod in self.pods if pod.problem}
        findings |= {"Unschedulable" for pod in self.pods if pod.unschedulable}
        findings |= {self.refusal} - {""}
        return f" ({', '.join(sorted(findings))})" if findings else ""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service, and where its ready endpoints are."""

    name: str
    uid: str
    selected_hash: str = ""
    """The revision that it leads to alone, by our key in its selector or by the label of its pods; or empty."""
    by_label: bool = False
    """Its selector asks for the label of stable: it is not written, the label goes from pods to pods."""
    keeps_key: bool = False
    """By label, and our key from before is in its selector still."""
    ours: bool = False
    """This Rollout made it."""
    ready_endpoints: Mapping[str, int] = field(default_factory=dict)
    """Ready endpoints by revision hash."""
    other_endpoints: int = 0
    """Ready endpoints that are no revision's pods, such as a Deployment's."""
    misses: frozenset[str] = frozenset()
    """Revisions that have pods, none of which its own selector selects, whatever it is bound to."""
    selectable: Mapping[str, int] = field(default_factory=dict)
    """By label: ready pods by revision hash that its own selector selects, be they given the label or not."""
    is_outdated: bool = False
    """This Rollout made it, and its stable Service asks for something else since."""

    @property
    def has_our_key(self) -> bool:
        """Whether its selector has our key, which is to be given back."""
        return self.selected_hash != "" and (not self.by_label or self.keeps_key)


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A ReleaseRecord that is there, as far as a decision asks: its name says the rest."""

    name: str
    uid: str
    outcome: str
    """Empty where somebody has taken the label away."""

    @property
    def begun(self) -> str:
        """When its release began, in digits that sort."""
        return self.name.rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class Command:
    """The command annotation: `id` is empty when a person wrote the bare verb."""

    id: str
    verb: str
    revision: str = ""
    by: str = ""
    reason: str = ""
    to: str = ""
    """rollback: the revision to go back to, by number or hash; empty for the one before."""
    step: str = ""
    """promote: the step that is meant, counted from 1, or `promotion`; empty for the current one."""
    hold: str = ""
    """promote: what is to be passed where it is not the step's own gate: `evidence`, `edit` or `pause`."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision sees."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    template_hash: str
    images: tuple[str, ...]
    replica_sets: Mapping[str, ReplicaSet] = field(default_factory=dict)
    """By hash."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """
    By name: the stable (or active) and the canary (or preview) Service, when they exist; and of
    those that the spec names no longer the bound ones, and those that this Rollout made.
    """
    orphans: tuple[Ref, ...] = ()
    """Services and routing objects that are the Rollout's by name and labels, and whose owner is gone."""
    route: Route = field(default_factory=Route)
    command: Command | None = None
    bad_command: str = ""
    """Why the command annotation can't be understood."""
    selector: str = ""
    """spec.selector in the notation of /scale."""
    template: FrozenJSON = field(default_factory=dict)
    quiet_seconds: float = 0.0
    """How long after a superseded canary's last request its counters may still move."""
    records: Mapping[str, SeenRecord] | None = None
    """The records of its past releases by name; None: none can be kept here."""
    workload: Workload | None = None
    """The Deployment of workloadRef; its template is `template` here, its selector `selector`."""
    is_being_deleted: bool = False
    """The Rollout is being deleted, and stays until everything is given back."""
    finalizers: tuple[str, ...] = ()
    """Those of ours (`FINALIZERS`) that the Rollout has."""


def by_whom(command: Command) -> str:
    return f" by {command.by}" if command.by else ""
