"""
Whether the weight may rise, as far as evidence goes.

A release that is not proven bad may still not go on: nobody has looked at what it does now,
a part of what it did went unseen, or what was seen leans against it. That costs a good
release only time, so it is decided on far weaker evidence than a rollback
(docs/adr/0017-evidence-before-a-rise.md). Nothing here stops a release or sends anybody back.
"""

from datetime import datetime, timedelta

from rollouts.core.replicas import split_of
from rollouts.core.waiting import Waiting
from rollouts.core.world import World, waived
from rollouts.model.status import PauseReason, RolloutStatus


def held_back(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what has to be seen, or to be shown, before the weight may rise or be promoted.

    None when nothing has: also when a person took it upon themselves, and for a release
    without success criteria.
    """
    if waived(status):
        return None
    return blind(world, status) or too_early(world, status) or leaning(world, status)


def turned(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return the evidence that has turned against a rise that was decided, and is not made yet; or None.

    Only what is known counts. A controller that has just started knows nothing, and goes on
    with what was decided: to take it back until the first look would move traffic to and fro.
    """
    return None if waived(status) else leaning(world, status)


def is_rising(world: World, status: RolloutStatus) -> bool:
    """Return whether the current step wants more weight, or another route, than the routes have confirmed."""
    opens = set(split_of(world.spec, status).names) - set(status.weights.routes)
    return status.weights.desired > status.weights.applied or bool(opens)


def leaning_since(world: World, status: RolloutStatus, found: Waiting) -> datetime | None:
    """
    Return since when evidence that leans has held it, where it waits for `found` now.

    Only evidence that does not lean ends that: a look that goes without an answer is none.
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


def blind(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what is missing to see how the canary does, or None.

    The weight is never raised without eyes: not before the first look at the weight
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
            return Waiting(f"{criterion.name} can't be measured: {criterion.message}", pause=pause)
    applied_at, looked_at = status.weights.applied_at, world.evidence.at
    if looked_at is None or (applied_at is not None and looked_at < applied_at):
        return Waiting(f"first look at the success criteria at {status.weights.applied} %")
    return None


def too_early(world: World, status: RolloutStatus) -> Waiting | None:
    """
    Return what was seen too little of, or None: never is next to nothing taken for evidence.

    One scrape that is a moment younger than the weight shows a handful of requests: a whole
    time between two scrapes has to lie within it. And of what went by while nothing was scraped nobody
    knows how it was answered: as much has to be seen since.
    """
    applied_at, looked_at = status.weights.applied_at, world.evidence.at
    if not is_exposed(world, status) or looked_at is None:
        return None
    spacing = timedelta(seconds=world.evidence.spacing_seconds)
    if applied_at is not None and looked_at < applied_at + spacing:
        return Waiting(f"first whole look at the success criteria at {status.weights.applied} %")
    for criterion in world.evidence.criteria:
        if criterion.missed:
            return Waiting(
                f"{criterion.name}: about {criterion.missed:,} more canary requests have to be seen, to make"
                " up for those that went unseen while nothing was scraped"
            )
    return None


def leaning(world: World, status: RolloutStatus) -> Waiting | None:
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
    return Waiting(
        "; ".join(said),
        until=None if waited else until,
        pause="Inconclusive" if waited else None,
        leans=True,
    )


def uncovered(world: World, status: RolloutStatus, end: datetime) -> Waiting | None:
    """
    Return that what came up to `end` has not all been seen, or None.

    With scrapes further apart than a pause is long, the last look before its end may know
    nothing but the weight's first second.
    """
    looked_at = world.evidence.at
    if waived(status) or not is_exposed(world, status):
        return None
    if looked_at is not None and looked_at >= end:
        return None
    return Waiting("is over, and goes on until a scrape from after its end has been looked at")
