"""
The status of a Rollout: the only memory there is.

What is not here, in the spec, or in the cluster is not known to the next controller.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from rollouts.model.base import StatusModel, Timestamp

Phase = Literal["Healthy", "Progressing", "Paused", "Degraded"]
Verdict = Literal["pass", "fail", "inconclusive", "error"]
PauseReason = Literal[
    "PauseStep",
    "Command",
    "SpecPaused",
    "Inconclusive",
    "MetricsUnavailable",
    "StepsChanged",
    "StrategyChanged",
    "InvalidSpec",
]


class Condition(StatusModel):
    """A condition as Kubernetes' own objects have them."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    last_transition_time: Timestamp
    observed_generation: int | None = None


class Revision(StatusModel):
    """One version of the pod template."""

    number: int
    hash: str
    images: list[str] = Field(default_factory=list)
    rolled_back_from: bool = False
    """It was stable and was left for one before it; so it is until it has taken all steps again."""


class Weights(StatusModel):
    """The canary's share of the traffic, in percent."""

    desired: int = 0
    """What the current step wants."""
    applied: int = 0
    """What the routing objects say, confirmed."""
    applied_at: Timestamp | None = None
    """Since when `applied` has been what it is."""
    served: float | None = None
    """What was measured from request counters since `appliedAt`; absent when nothing was."""
    routes: list[str] = Field(default_factory=list)
    """The header and mirror routes that the routing objects have, confirmed, by name."""
    disrupted_at: Timestamp | None = None
    """
    Since when all canary pods have been gone by no fault of their own: nothing is routed to the
    canary until others are available. Absent otherwise.
    """


class PauseCondition(StatusModel):
    """Why the steps are held, and since when."""

    reason: PauseReason
    at: Timestamp
    by: str = ""


class Abort(StatusModel):
    """A rollback: when, by whom, and why, in words."""

    at: Timestamp
    by: str
    reason: str
    forced: bool = False
    """
    A person wants it whatever it costs: traffic goes back even while stable has no ready pod,
    or only a few.
    """


class Pinned(StatusModel):
    """A past revision that runs in place of what the template says, until either changes."""

    hash: str
    instead_of: str
    """The hash of the template that it runs in place of."""
    at: Timestamp
    by: str = ""


class Restart(StatusModel):
    """Pods that are not younger than `at` are replaced, by evictions."""

    at: Timestamp
    by: str = ""
    begun: bool = False
    """The second of `at` is over: pods that are made from now on are younger, and tell so."""
    going: Annotated[list[str], Field(max_length=50)] = Field(default_factory=list)
    """The pods that are being evicted: no others are before these have gone."""


class Adoption(StatusModel):
    """A Deployment whose place is taken by the Rollout."""

    name: str
    uid: str
    replicas: int
    """How many pods it had; at least so many it has again when it is given back."""
    at: Timestamp
    observed_generation: int = 0
    """The Deployment's generation that this status speaks of."""
    template_hash: str = ""
    """The revision that its template is, at that generation."""
    idle_since: Timestamp | None = None
    """Since when no Service that is named here selects its pods."""
    scaled_down: bool = False
    """Its own pods have gone, as spec.workloadRef.scaleDown says."""
    restored_at: Timestamp | None = None
    """When it was given its pods again; absent while the Rollout stays."""
    released_at: Timestamp | None = None
    """Since when the Services lead to its pods again."""
    missing_since: Timestamp | None = None
    """Since when it has been gone, while everything is to be given back to it."""


class CriterionStatus(StatusModel):
    """What one criterion says at the moment, with its numbers."""

    name: str
    verdict: Verdict
    value: float | None = None
    """The measured error rate (fraction), latency (seconds) or query result."""
    limit: float | None = None
    """In the unit of `value`; for `min` of a query the least, else the most."""
    leans: bool = False
    """
    More fails than the limit allows, and that may well be so, though it is not proven: no
    weight rises over it.
    """
    requests: int = 0
    """Canary requests seen since the canary's first."""
    unseen: int = 0
    """
    About how many canary requests have to be seen yet, to make up for those at this weight that
    nobody saw, because nothing was scraped then.
    """
    failures: int = 0
    """Those that count against it: failed, or slower than the limit."""
    stable_requests: int = 0
    stable_failures: int = 0
    needed: int | None = None
    """About how many more canary requests until it can say something."""
    message: str = ""
    failed_measurements: int = 0
    """threshold: failed measurements so far (in a row, when `consecutive`)."""
    errors: int = 0
    """Measurements in a row that went without an answer."""
    checked_at: Timestamp | None = None
    """When it was last measured, as far as status knows."""


class Readings(StatusModel):
    """How the pods that count the canary's requests are read between two scrapes: its own, or a router's."""

    pods: int = 0
    """How many pods are read."""
    of_pods: int = 0
    """How many there are that could be."""
    interval_seconds: float = 0.0
    """How often each is read, about; 0: none is."""
    message: str = ""
    """Why some can't be read, or none, and what to do."""


class Exposure(StatusModel):
    """What the canary has cost so far."""

    canary_requests: int = 0
    canary_failures: int = 0
    scrape_interval_seconds: float = 0.0
    """How far apart scrapes were measured to be: so long its counters may lag behind; 0: not known."""
    readings: Readings | None = None
    """How the pods that count its requests are read between two scrapes; absent: they are not."""


class HistoryEntry(StatusModel):
    """One decision: its rule, and a sentence with its numbers."""

    at: Timestamp
    reason: str
    message: str
    revision: int | None = None
    command: str = ""
    """The verb of the command that it obeys, such as `promote`; empty: nobody asked for it."""
    by: str = ""
    """Who gave that command, as they say themselves."""


Outcome = Literal["Promoted", "RolledBack", "Superseded", "Withdrawn"]


class ReleaseRecord(StatusModel):
    """What is kept of a release when it is over: one attempt at one revision."""

    revision: Revision
    stable: Revision | None = None
    """The revision that was to be replaced; absent for a first deploy."""
    outcome: Outcome
    """Superseded: by another template or attempt. Withdrawn: the template was made that of stable again."""
    message: str = ""
    """How it ended, in words."""
    started_at: Timestamp
    ended_at: Timestamp
    started_by: str = ""
    """Who began it by a command, as they say themselves; empty where its template was changed."""
    promoted_by: str = ""
    """Who passed a hold of it last, as they say themselves."""
    aborted_by: str = ""
    """Who had it rolled back, as they say themselves; `rollouts` where the controller did by itself."""
    reason: str = ""
    """Why it was rolled back."""
    step: str = ""
    """The step that it ended in, such as 3/6."""
    weight: int = 0
    """Percent of the traffic that the revision had when it was decided how it ends."""
    entered_steps: Annotated[list[str], Field(max_length=101)] = Field(default_factory=list)
    criteria: list[CriterionStatus] = Field(default_factory=list)
    """What the criteria said at the end, with their numbers."""
    exposure: Exposure = Field(default_factory=Exposure)
    decisions: Annotated[list[HistoryEntry], Field(max_length=20)] = Field(default_factory=list)

    def object_name(self, rollout: str) -> str:
        """Return the name of the object that keeps it, the same whoever makes it and how often."""
        begun = self.started_at
        moment = f"{begun:%Y%m%d%H%M%S}{begun.microsecond // 1000:03d}"
        return f"{rollout}-{self.revision.number}-{moment}"


class HandledCommand(StatusModel):
    """The controller's answer to the last command."""

    id: str
    verb: str
    by: str = ""
    revision: int | None = None
    accepted: bool
    message: str
    at: Timestamp


class Retiring(StatusModel):
    """
    A revision that has no traffic any more, and goes when its time has come.

    Where it has begun anew, none of its pods go before that.
    """

    hash: str
    delay_seconds: float
    """How long it stays after its last request."""
    at: Timestamp | None = None
    """When it goes; absent until nothing is routed to it any more."""


WANTS_EVIDENCE = ("Inconclusive", "MetricsUnavailable")
"""The reasons of a pause that ends when there is evidence."""


def evidence_holds(pause_reason: str, *, leans: bool) -> bool:
    """Return whether evidence holds a release that pauses for this reason, if it does, and leans or not."""
    return pause_reason in WANTS_EVIDENCE or leans


class RolloutStatus(StatusModel):
    """Everything that the next decision needs to know about the past."""

    observed_generation: int = 0
    phase: Phase = "Progressing"
    message: str = ""
    conditions: list[Condition] = Field(default_factory=list)
    stable_revision: Revision | None = None
    current_revision: Revision | None = None
    current_step_index: int | None = None
    """Counted from 0; the number of steps when all are done; absent when no rollout is under way."""
    step: str = ""
    """For people, such as 3/6: the step that runs, counted from 1, or how many were passed when none does."""
    step_started_at: Timestamp | None = None
    started_at: Timestamp | None = None
    """When this attempt at the current revision began."""
    exposed_at: Timestamp | None = None
    """Since when requests to the canary Service are this attempt's: evidence counts from here."""
    unsettled_since: Timestamp | None = None
    """
    Since when the step has been waiting for pods or routes, or between releases stable for its
    pods; the progress deadline runs from here.
    """
    route_ends_at: Timestamp | None = None
    """After a promotion: until when the canary's route stays, for load balancers that are slow."""
    settled_pods: int | None = None
    """
    How many canary pods the current step needed when it had them all; absent until then. What an
    autoscaler asks for beyond them is no part of the release, and no deadline runs for it.
    """
    drain_until: Timestamp | None = None
    """No traffic before this: failures of a superseded canary must not count against the next."""
    entered_steps: Annotated[list[str], Field(max_length=101)] = Field(default_factory=list)
    """The steps that this attempt has entered, by what they were; the last is the current one."""
    promoted: Literal["", "Step", "Evidence", "Full"] = ""
    """
    What a person took upon themselves: to pass the hold of the current step, that hold and
    evidence that leans or is missing, or all that remain.
    """
    leaning_since: Timestamp | None = None
    """Since when evidence that leans against the release has kept the weight from rising."""
    weights: Weights = Field(default_factory=Weights)
    replicas: int = 0
    """The pods that share the users' traffic: what /scale reports."""
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    """The current revision's pods."""
    selector: str = ""
    """What finds the Rollout's pods, the same when it is settled and in a release: what /scale reports."""
    stable_floor: int = 0
    """The stable revision is never made smaller than this while a rollout is under way."""
    canary_scale: int | None = None
    """The canary's size while setCanaryScale holds."""
    pause: PauseCondition | None = None
    held_by: PauseCondition | None = None
    """The pause command, until resume."""
    abort: Abort | None = None
    pinned: Pinned | None = None
    restart: Restart | None = None
    adoption: Adoption | None = None
    """workloadRef: what the Deployment was, and how far its place is taken, or given back."""
    services: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)
    """
    The user's Services that are bound to a revision, or will be by the next decision: one that the spec names no longer is given
    back, and one that has lost our key is bound again.
    """
    services_to_bind: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)
    """Those of them that were not seen to be bound yet: nobody has taken our key out of them."""
    effective_spec: Annotated[
        dict[str, Any] | None,
        Field(json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = None
    """
    The spec, without its template, by which this Rollout is run: the last valid one, and in
    the middle of a release the last one whose strategy is the release's.
    """
    past_revisions: Annotated[list[Revision], Field(max_length=20)] = Field(default_factory=list)
    """The revisions that were stable before, the latest first."""
    previous_revision: Revision | None = None
    """blueGreen: the revision that was switched away from, for as long as it is kept warm."""
    criteria: list[CriterionStatus] = Field(default_factory=list)
    exposure: Exposure = Field(default_factory=Exposure)
    retiring: Annotated[list[Retiring], Field(max_length=100)] = Field(default_factory=list)
    history: Annotated[list[HistoryEntry], Field(max_length=20)] = Field(default_factory=list)
    unrecorded: Annotated[list[ReleaseRecord], Field(max_length=3)] = Field(default_factory=list)
    """The releases that have ended, and whose ReleaseRecord was not seen yet."""
    last_command: HandledCommand | None = None
    refreshed_at: Timestamp | None = None
    """When the numbers (counts, criteria, served) were last brought up to date."""

    @property
    def preflight(self) -> Condition | None:
        """What is in the way of this Rollout, as its condition has it; None when nothing is."""
        found = (each for each in self.conditions if each.type == "Preflight")
        return next((each for each in found if each.status == "False" and each.message), None)

    @property
    def waits_for_evidence(self) -> bool:
        """Return whether evidence is what holds it: it leans, can't say, or is not to be had."""
        reason = self.pause.reason if self.pause is not None else ""
        return evidence_holds(reason, leans=self.leaning_since is not None)
