"""The inputs of one decision, the move it makes, and how a move is put into words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from rollouts.core.actions import Occurrence
from rollouts.core.observed import Observed, ReplicaSet, Service
from rollouts.model.evidence import Evidence
from rollouts.model.finding import Finding
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import HistoryEntry, Revision, RolloutStatus

HISTORY_LENGTH = 20
DRIFT_CORRECTED = "DriftCorrected"
FOLLOWED = "ServiceFollowed"
"""Said when a Service of ours was made as its stable Service is."""
DRIFT_ROUNDS = 3
DRIFT_WITHIN = timedelta(seconds=60)
DRIFT_PAUSE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why the spec as it is written is not the one by which a release is run, and what ends that."""

    reason: Literal["StepsChanged", "StrategyChanged", "InvalidSpec"]
    why: str
    """In words: what was changed, and what a person may do."""
    steps: tuple[str, ...] = ()
    """The steps as they are written now, by their labels (`rollouts.core.plan.label`)."""
    resumes_at: int = 0
    """StepsChanged: which of them a promote goes on with."""
    next_step: str = ""
    """The same, as messages name it."""
    goes_over: str = ""
    """StrategyChanged: what is said of an attempt that has entered no step yet."""


@dataclass(frozen=True, slots=True)
class World:
    """What is wanted, seen and measured, and when."""

    spec: RolloutSpec
    observed: Observed
    evidence: Evidence
    now: datetime
    asked: tuple[str, ...] = ()
    """The header and mirror routes that the routing objects were asked about."""
    hold: Hold | None = None
    """Why `spec` is not what is written, if it is not."""

    def replica_set(self, revision: Revision | None) -> ReplicaSet | None:
        """Return the ReplicaSet of `revision`, if there is one."""
        return self.observed.replica_sets.get(revision.hash) if revision is not None else None

    def others(self, status: RolloutStatus) -> list[ReplicaSet]:
        """Return the ReplicaSets of revisions that are neither stable nor current."""
        named = {each.hash for each in (status.stable_revision, status.current_revision) if each}
        return [each for each in self.observed.replica_sets.values() if each.hash not in named]

    def warned(self, found: Iterable[Finding]) -> "World":
        """Return the world with these problems before all others."""
        added = tuple(found)
        if not added:
            return self
        route = self.observed.route
        seen = replace(self.observed, route=replace(route, findings=(*added, *route.findings)))
        return replace(self, observed=seen)

    def stands(self, revision: Revision | None) -> bool:
        """
        Return whether a Service may select `revision`: it has a ready pod, or nobody wants any.

        In the middle of a release pods stay wanted whatever an autoscaler asks for.
        """
        found = self.replica_set(revision)
        if found is None:
            return False
        return found.ready > 0 or (self.spec.replicas == 0 and found.wanted == 0)

    @property
    def stable_service(self) -> Service | None:
        """The Service that users' requests reach, if one is named and exists."""
        return self.observed.services.get(self.spec.stable_service or "")

    @property
    def lacking(self) -> str:
        """What is said of a Service that is named, and does not exist; or nothing."""
        name = self.spec.stable_service
        if name is None or name in self.observed.services:
            return ""
        field = "stableService" if self.spec.blue_green is None else "activeService"
        return f"Service {name} does not exist; create it, or correct {field}"

    @property
    def claimed(self) -> bool:
        """Return whether another Rollout has our Services: then they are not ours to write."""
        return any(each.reason == "ServiceClaimed" for each in self.observed.route.blockers)

    @property
    def canary_service(self) -> Service | None:
        """The Service of the new revision alone, if one is named and exists."""
        return self.observed.services.get(self.spec.canary_service or "")


@dataclass(frozen=True, slots=True)
class Move:
    """
    A status on its way to become the next one.

    `retreat`: traffic has to go back to stable before anything else, status included.
    """

    status: RolloutStatus
    occurrences: tuple[Occurrence, ...] = ()
    retreat: bool = False
    wake_at: tuple[datetime, ...] = ()

    def evolve(self, **changes: Any) -> "Move":
        """Return the move with these fields of its status changed."""
        return replace(self, status=self.status.evolve(**changes))

    def requeue_at(self, at: datetime) -> "Move":
        """Return the move, to be looked at again at `at` whatever happens."""
        return replace(self, wake_at=(*self.wake_at, at))

    def as_retreat(self) -> "Move":
        """Return the move as a retreat."""
        return replace(self, retreat=True)

    def event(
        self, world: World, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal"
    ) -> "Move":
        """Return the move with this decision put on record: message, history and event."""
        current = self.status.current_revision
        entry = HistoryEntry(
            at=world.now,
            reason=reason,
            message=message,
            revision=current.number if current else None,
        )
        history = [*self.status.history, entry][-HISTORY_LENGTH:]
        told = replace(self, occurrences=(*self.occurrences, Occurrence(kind, reason, message)))
        return told.evolve(message=message, history=history)


def under_way(status: RolloutStatus) -> bool:
    """Return whether a new revision is on its way: there is a stable one, it is another, and nobody stopped it."""
    stable, current = status.stable_revision, status.current_revision
    return (
        stable is not None
        and current is not None
        and stable.hash != current.hash
        and status.abort is None
    )


def attempt(status: RolloutStatus) -> tuple[datetime | None, str]:
    """Return what tells one attempt at a revision from every other."""
    current = status.current_revision
    return status.started_at, current.hash if current is not None else ""


def frozen(spec: RolloutSpec, status: RolloutStatus) -> bool:
    """Return whether steps, and every raise of the weight, are held by a person."""
    return spec.paused or status.held_by is not None


def waived(status: RolloutStatus) -> bool:
    """Return whether a person takes the promotion upon themselves: evidence may then be missing, not bad."""
    return status.promoted == "Full"


def is_warm(world: "World", status: RolloutStatus) -> bool:
    """Return whether the revision that was switched away from is still there, in full, to go back to."""
    previous = world.replica_set(status.previous_revision)
    if previous is None or under_way(status) or status.abort is not None:
        return False
    kept = any(
        entry.hash == previous.hash and (entry.at is None or entry.at > world.now)
        for entry in status.retiring
    )
    return kept and previous.ready > 0


def drift_corrected_lately(
    status: RolloutStatus, now: datetime, reason: str = DRIFT_CORRECTED
) -> list[datetime]:
    """Return when something was put back, or what else has this reason, in the last minute."""
    return [
        entry.at
        for entry in status.history
        if entry.reason == reason and now - entry.at < DRIFT_WITHIN
    ]


def drift_pause_ends(
    status: RolloutStatus, now: datetime, reason: str = DRIFT_CORRECTED
) -> datetime | None:
    """
    Return until when to keep our hands off what somebody else keeps changing; None for now.

    Putting back at once is right for a slip of the hand. Against another program it would
    be a war of writes, so after a few rounds in a minute it is done now and then.
    """
    rounds = drift_corrected_lately(status, now, reason)
    if len(rounds) < DRIFT_ROUNDS:
        return None
    ends = rounds[-1] + DRIFT_PAUSE
    return ends if ends > now else None
