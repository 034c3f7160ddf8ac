"""What is wanted, seen and measured, and when: the inputs of one decision."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from rollouts.core.world.observed import Observed, ReplicaSet, Service
from rollouts.model.evidence import Evidence
from rollouts.model.finding import Finding
from rollouts.model.route import Route
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Revision, RolloutStatus

HoldReason = Literal[
    "StepsChanged", "StrategyChanged", "InvalidSpec", "Command", "WorkloadMissing", "SpecPaused"
]


@dataclass(frozen=True, slots=True)
class Hold:
    """
    Why nothing of a release goes forward: who or what holds it, in words.

    With the first three reasons the spec as it is written is not the one by which it is run.
    """

    reason: HoldReason
    why: str
    """Of an edit: what was changed, and what a person may do; else who or what holds it."""
    by: str = ""
    """Command: who gave it."""
    steps: tuple[str, ...] = ()
    """The steps as they are written now, by their labels (`rollouts.model.step_labels`)."""
    resumes_at: int = 0
    """StepsChanged: which of them a promote goes on with."""
    next_step: str = ""
    """The same, as messages name it."""
    goes_over: str = ""
    """StrategyChanged: what is said of an attempt that has entered no step yet."""

    @property
    def invalid_spec(self) -> str:
        """What is answered to who wants to go forward by a spec that is invalid."""
        return f"the spec is invalid; correct it first: {self.why}"


@dataclass(frozen=True, slots=True)
class World:
    """What is wanted, seen and measured, and when."""

    spec: RolloutSpec
    observed: Observed
    evidence: Evidence
    now: datetime
    asked: tuple[str, ...] = ()
    """The header and mirror routes that the routing objects were asked about."""
    edit: Hold | None = None
    """Why `spec` is not what is written, if it is not; what else holds a release `facts.hold_of` tells."""
    found: tuple[Finding, ...] = ()
    """What is found wrong by what is wanted and seen together; `route` has it with all else."""
    confirmation_ends_at: datetime | None = None
    """Until when routes that are cut may wait for somebody's answer; None: for as long as it takes."""

    @property
    def route(self) -> Route:
        """
        What the routing objects do as far as it counts, and all that is found wrong.

        Routes that are cut send nothing to the canary once an answer has been waited for long enough.
        """
        route = self.observed.route
        ends = self.confirmation_ends_at
        if route.is_cut and ends is not None and self.now >= ends:
            route = replace(route, weight=0, highest=0, written=frozenset())
        return replace(route, findings=(*self.found, *route.findings)) if self.found else route

    def replica_set(self, revision: Revision | None) -> ReplicaSet | None:
        """Return the ReplicaSet of `revision`, if there is one."""
        return self.observed.replica_sets.get(revision.hash) if revision is not None else None

    def others(self, status: RolloutStatus) -> list[ReplicaSet]:
        """Return the ReplicaSets of revisions that are neither stable nor current."""
        named = {each.hash for each in (status.stable_revision, status.current_revision) if each}
        return [each for each in self.observed.replica_sets.values() if each.hash not in named]

    def with_findings(self, found: Iterable[Finding]) -> "World":
        """Return the world with these findings before all others."""
        added = tuple(found)
        return replace(self, found=(*added, *self.found)) if added else self

    def is_selectable(self, revision: Revision | None) -> bool:
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
    def services_by_label(self) -> list[Service]:
        """The Services that lead to pods by the label of stable."""
        return [each for each in self.observed.services.values() if each.by_label]

    def may_be_led_to(self, hash_: str) -> bool:
        """Return whether a Service leads to pods of a revision by the label of stable, be it beside others."""
        found = self.observed.replica_sets.get(hash_)
        return found is not None and found.has_stable_label and bool(self.services_by_label)

    @property
    def services_are_claimed(self) -> bool:
        """Return whether another Rollout claims our Services: then they are not ours to write."""
        return any(each.reason == "ServiceClaimed" for each in self.route.blockers)

    @property
    def canary_service(self) -> Service | None:
        """The Service of the new revision alone, if one is named and exists."""
        return self.observed.services.get(self.spec.canary_service or "")
