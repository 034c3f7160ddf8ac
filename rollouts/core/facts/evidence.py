"""
Whether the weight may rise, as far as evidence goes.

A release that is not proven bad may still not go on: nobody has seen what it does now,
a part of what it did went unseen, or what was seen leans against it. That costs a good
release only time, so it is decided on far weaker evidence than a rollback
(docs/adr/0017-evidence-before-a-rise.md). Nothing here stops a release or sends anybody back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.core.world import World, current_route, evidence_is_waived, split_of
from rollouts.model.status import PauseReason, RolloutStatus


@dataclass(frozen=True, slots=True)
class StepDone:
    """The step is over."""


@dataclass(frozen=True, slots=True)
class StepWaits:
    """
    The step goes on: why, and when time alone may end it.

    `pause` is set when only a person, or better evidence, can end it; `leans` when evidence
    that leans against the release is what it waits over.
    """

    why: str
    until: datetime | None = None
    pause: PauseReason | None = None
    leans: bool = False


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The step ends the release: an analysis could not say, and that means rollback here."""

    why: str


StepState = StepDone | StepWaits | StepFailed


def may_have_retreated(world: World, status: RolloutStatus) -> bool:
    """
    Return whether a predecessor may have taken traffic back, and died before it wrote down why.

    Then the routes send less than status says. It may as well be somebody's change: the
    next measurement of the success criteria tells, and until then nothing is given back.
    """
    now = current_route(world, status)
    weight = now.weight
    less = weight is None or weight < min(status.weights.applied, status.weights.desired)
    closed = bool(status.weights.routes) and not now.routes_match
    return (less or closed) and not_measured(world, status) is not None


def rise_waits_for(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return what has to be seen, or to be shown, before the weight may rise or be promoted.

    None when nothing has: also when a person took it upon themselves, and for a release
    without success criteria.
    """
    if evidence_is_waived(status):
        return None
    return (
        not_measured(world, status)
        or sample_too_small(world, status)
        or leaning_evidence(world, status)
    )


def evidence_turned(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return the evidence that has turned against a rise that was decided, and is not made yet; or None.

    Only what is known counts. A controller that has just started knows nothing, and goes on
    with what was decided: to take it back until the first measurement would move traffic to and fro.
    """
    return None if evidence_is_waived(status) else leaning_evidence(world, status)


def is_rising(world: World, status: RolloutStatus) -> bool:
    """Return whether the current step wants more weight, or another route, than the routes have confirmed."""
    opens = set(split_of(world.spec, status).names) - set(status.weights.routes)
    return status.weights.desired > status.weights.applied or bool(opens)


def leaning_since(world: World, status: RolloutStatus, found: StepWaits) -> datetime | None:
    """
    Return since when evidence that leans has held it, where it waits for `found` now.

    Only evidence that does not lean ends that: a measurement that goes without an answer is none.
    """
    if found.leans:
        return status.leaning_since or world.now
    known = [each for each in world.evidence.criteria if each.verdict != "error"]
    cleared = bool(known) and len(known) == len(world.spec.success_criteria)
    return None if cleared else status.leaning_since


def is_exposed(world: World, status: RolloutStatus) -> bool:
    """Return whether requests reach the canary, and there are criteria that judge how it answers."""
    exposed = status.weights.applied > 0 or bool(status.weights.routes)
    return exposed and bool(world.spec.success_criteria)


def not_measured(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return what is missing to see how the canary does, or None.

    The weight is never raised unseen: not before the first measurement at the weight
    that is applied now, and not while a metrics provider does not answer. Users who are
    chosen by a header count like a weight.
    """
    if not is_exposed(world, status):
        return None
    for spec, criterion in zip(world.spec.success_criteria, world.evidence.criteria, strict=False):
        if criterion.verdict == "error" and status.promoted != "Evidence":
            pause: PauseReason | None = (
                "MetricsUnavailable" if criterion.errors > spec.error_limit else None
            )
            return StepWaits(
                f"{criterion.name} can't be measured: {criterion.message}; the weight stays until it can be, or"
                " somebody promotes or aborts",
                pause=pause,
            )
    applied_at, measured_at = status.weights.applied_at, world.evidence.at
    if measured_at is None or (applied_at is not None and measured_at < applied_at):
        return StepWaits(
            f"waits for the first measurement of the success criteria at {status.weights.applied} %"
        )
    return None


def sample_too_small(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return what was seen too little of, or None: never is next to nothing taken for evidence.

    One scrape that is a moment younger than the weight shows a handful of requests: a whole
    time between two scrapes has to lie within it. And of what went by while nothing was scraped nobody
    knows how it was answered: as much has to be seen since.
    """
    applied_at, measured_at = status.weights.applied_at, world.evidence.at
    if not is_exposed(world, status) or measured_at is None:
        return None
    interval = timedelta(seconds=world.evidence.scrape_interval_seconds)
    if applied_at is not None and measured_at < applied_at + interval:
        return StepWaits(
            f"waits for the first whole measurement of the success criteria at {status.weights.applied} %"
        )
    for criterion in world.evidence.criteria:
        if criterion.unseen:
            return StepWaits(
                f"{criterion.name}: about {criterion.unseen:,} more canary requests have to be seen, to make"
                " up for those that went unseen while nothing was scraped"
            )
    return None


def leaning_evidence(world: World, status: RolloutStatus) -> StepWaits | None:
    """
    Return the criterion that leans against the release, and how much more will tell, or None.

    After `inconclusiveWaitSeconds` of it a person is asked; it goes on by itself when the
    evidence turns.
    """
    said = [f"{each.name}: {each.message}" for each in world.evidence.criteria if each.leans]
    if not said or status.promoted == "Evidence":
        return None
    since = status.leaning_since or world.now
    until = since + timedelta(seconds=world.spec.inconclusive_wait_seconds)
    waited = until <= world.now
    return StepWaits(
        "; ".join(said),
        until=None if waited else until,
        pause="Inconclusive" if waited else None,
        leans=True,
    )


def not_all_seen(world: World, status: RolloutStatus, end: datetime) -> StepWaits | None:
    """
    Return that what came up to `end` has not all been seen, or None.

    With scrapes further apart than a pause is long, the last measurement before its end may know
    nothing but the weight's first second.
    """
    measured_at = world.evidence.at
    if evidence_is_waived(status) or not is_exposed(world, status):
        return None
    if measured_at is not None and measured_at >= end:
        return None
    return StepWaits(
        "the step's time is over, and a scrape from after its end has to be measured first"
    )
