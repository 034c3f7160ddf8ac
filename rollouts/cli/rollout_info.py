"""A Rollout with its ReplicaSets and pods, as the live view shows them: plain and counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rollouts.cli.output import plain_object
from rollouts.cli.session import Requests
from rollouts.model.kinds import HASH_LABEL, JSON, POD, REPLICA_SET, REVISION_LABEL, FrozenJSON
from rollouts.model.moments import parse_time
from rollouts.model.owners import is_controlled_by
from rollouts.model.status import RolloutStatus

Role = Literal["stable", "canary", "rolled back", "first", "older"]


@dataclass(frozen=True, slots=True)
class PodInfo:
    """One pod; `state` is what kubectl would call it."""

    name: str
    ready: bool
    state: str
    restarts: int
    created_at: datetime | None
    has_ended: bool = False
    """It stays as an object alone, as one that its node has evicted does: nobody counts it."""

    @property
    def has_problem(self) -> bool:
        usual = self.has_ended or self.state in ("Running", "Pending", "Terminating")
        return not usual or self.restarts > 0


@dataclass(frozen=True, slots=True)
class RevisionInfo:
    """One revision: its ReplicaSet and that one's pods."""

    number: int
    hash: str
    role: Role
    images: tuple[str, ...]
    name: str
    wanted: int
    ready: int
    pods: tuple[PodInfo, ...]

    @property
    def existing(self) -> int:
        """How many pods it has; those that have ended are none."""
        return sum(not pod.has_ended for pod in self.pods)


@dataclass(frozen=True, slots=True)
class RolloutInfo:
    """What is shown at one moment."""

    rollout: JSON
    status: RolloutStatus
    revisions: tuple[RevisionInfo, ...]

    @property
    def version(self) -> tuple[object, ...]:
        """What has to differ for a new snapshot to be worth printing."""
        return self.status.model_dump_json(exclude={"refreshed_at"}), self.revisions


async def read_rollout_info(requests: Requests, rollout: JSON) -> RolloutInfo:
    """Return the Rollout with its parts, as they are now: two requests."""
    namespace = rollout["metadata"]["namespace"]
    replica_sets = [
        replica_set
        for replica_set in await requests.select(REPLICA_SET, namespace)
        if is_controlled_by(replica_set, rollout)
    ]
    pods = await requests.select(POD, namespace, _labels(replica_sets)) if replica_sets else []
    return rollout_info_of(rollout, replica_sets, pods)


def rollout_info_of(
    rollout: JSON, replica_sets: Sequence[JSON], pods: Sequence[JSON]
) -> RolloutInfo:
    """Return the info of these objects, newest revision first; every text in it is plain."""
    rollout = plain_object(rollout)
    replica_sets, pods = plain_object(list(replica_sets)), plain_object(list(pods))
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    views = [_revision(entry, status, pods) for entry in replica_sets]
    views.sort(key=lambda view: (view.number, view.name), reverse=True)
    return RolloutInfo(rollout, status, tuple(views))


def _labels(replica_sets: Sequence[FrozenJSON]) -> Mapping[str, str]:
    """Return what all revisions' pods have in common, which workloadRef leaves to a Deployment."""
    selectors = [(each.get("spec") or {}).get("selector") or {} for each in replica_sets]
    labels = [(each.get("matchLabels") or {}).items() for each in selectors]
    return {key: value for key, value in labels[0] if all((key, value) in each for each in labels)}


def _revision(replica_set: JSON, status: RolloutStatus, pods: Sequence[JSON]) -> RevisionInfo:
    metadata = replica_set["metadata"]
    labels = metadata.get("labels") or {}
    hash_ = labels.get(HASH_LABEL, metadata["name"].rpartition("-")[2])
    number = {**(metadata.get("annotations") or {}), **labels}.get(REVISION_LABEL, "0")
    spec = replica_set.get("spec") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    own = sorted(
        (_pod(pod) for pod in pods if is_controlled_by(pod, replica_set)),
        key=lambda pod: pod.name,
    )
    return RevisionInfo(
        number=int(number) if str(number).isdigit() else 0,
        hash=hash_,
        role=_role(hash_, status),
        images=tuple(str(container.get("image", "")) for container in containers),
        name=metadata["name"],
        wanted=int(spec.get("replicas") or 0),
        ready=sum(pod.ready for pod in own),
        pods=tuple(own),
    )


def _role(hash_: str, status: RolloutStatus) -> Role:
    stable, current = status.stable_revision, status.current_revision
    if stable is not None and stable.hash == hash_:
        return "stable"
    if current is None or current.hash != hash_:
        return "older"
    if status.abort is not None:
        return "rolled back"
    return "canary" if stable is not None else "first"


def _pod(pod: FrozenJSON) -> PodInfo:
    metadata, status = pod["metadata"], pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    conditions = {
        entry.get("type"): entry.get("status") for entry in status.get("conditions") or ()
    }
    terminating = bool(metadata.get("deletionTimestamp"))
    phase = str(status.get("phase", "Pending"))
    has_ended = phase in ("Succeeded", "Failed")
    finding = str(status.get("reason") or phase) if has_ended else next(_problems(containers), "")
    state = "Terminating" if terminating else finding or phase
    return PodInfo(
        name=metadata["name"],
        ready=conditions.get("Ready") == "True" and not terminating and not has_ended,
        state=state,
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        created_at=parse_time(metadata.get("creationTimestamp")),
        has_ended=has_ended,
    )


def _problems(containers: Sequence[FrozenJSON]) -> Iterator[str]:
    """Yield why containers do not run, as kubectl's STATUS column has it."""
    for container in containers:
        state = container.get("state") or {}
        for kind in ("waiting", "terminated"):
            reason = (state.get(kind) or {}).get("reason")
            if reason and reason not in ("ContainerCreating", "PodInitializing", "Completed"):
                yield str(reason)
