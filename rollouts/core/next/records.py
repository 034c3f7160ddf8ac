"""
What is kept of a release that has ended.

It goes into status with the decision that ends the release, and from there, by the next one, into an
object of its own: whoever dies in between, the next controller finds it in status. Once the object
was seen it leaves status, with the next write that there is.
"""

from collections.abc import Iterator
from datetime import datetime

from rollouts.core.facts import records_to_write
from rollouts.core.world import (
    BEGINS,
    Aborted,
    FirstDeploy,
    Settled,
    StatusUpdate,
    UnderWay,
    World,
    attempt,
    describe,
    stage_of,
)
from rollouts.model.status import HistoryEntry, Outcome, ReleaseRecord, Revision, RolloutStatus

MOST_UNRECORDED = 3
"""So many wait for their objects: one as a rule, more where a release is superseded at once."""
_SAID_WITH: dict[Outcome, tuple[str, ...]] = {
    "Promoted": ("Promoted",),
    "RolledBack": ("RolledBack",),
    "Superseded": BEGINS,
    "Withdrawn": ("BackToStable",),
}
_PROMOTES = ("promote", "promote-full")


def remember_ended_releases(world: World, update: StatusUpdate) -> StatusUpdate:
    """Take up the releases that this decision ends, and let go of those whose record was seen."""
    before, after = update.before, update.status
    waiting = before.unrecorded
    if world.observed.records is not None and waiting:
        waiting = records_to_write(world, before)
    ended = list(_ended(before, after, world.now))
    if not ended:
        same = len(waiting) == len(before.unrecorded)
        return update if same else update.evolve(unrecorded=waiting)
    name = world.observed.name
    names = {record.object_name(name) for record in ended}
    others = [record for record in waiting if record.object_name(name) not in names]
    return update.evolve(unrecorded=[*others, *ended][-MOST_UNRECORDED:])


def _ended(before: RolloutStatus, after: RolloutStatus, now: datetime) -> Iterator[ReleaseRecord]:
    """Yield what this decision ends: the attempt that was open, and one that both begins and ends in it."""
    if attempt(before) != attempt(after):
        match stage_of(before):
            case UnderWay(_, current) | FirstDeploy(current):
                outcome: Outcome = "Superseded"
                if isinstance(stage_of(after), Settled) and before.started_at == after.started_at:
                    outcome = "Withdrawn"
                yield _record(before, after, current, outcome, now)
    outcome_now = _outcome(before, after)
    if outcome_now is not None and after.current_revision is not None:
        yield _record(after, after, after.current_revision, outcome_now, now)


def _outcome(before: RolloutStatus, after: RolloutStatus) -> Outcome | None:
    """Return how the attempt that status is about ends in this decision; None when it does not."""
    begins = before.started_at != after.started_at
    if not begins and attempt(before) != attempt(after):
        return None  # back at stable: no attempt
    was, is_ = stage_of(before), stage_of(after)
    if isinstance(is_, Aborted) and (begins or not isinstance(was, Aborted)):
        return "RolledBack"
    was_open = begins or isinstance(was, UnderWay | FirstDeploy)
    return "Promoted" if isinstance(is_, Settled) and was_open else None


def _record(
    of: RolloutStatus, after: RolloutStatus, revision: Revision, outcome: Outcome, now: datetime
) -> ReleaseRecord:
    """Return the record of the attempt that `of` is about; what was decided is in `after`."""
    begun = of.started_at or now
    said = [entry for entry in after.history if entry.at >= begun]
    decisions = [entry for entry in said if entry.revision == revision.number]
    last = [entry for entry in reversed(said) if entry.reason in _SAID_WITH[outcome]]
    words = f"{describe(revision)} is stable, and nothing was before it"
    abort = after.abort if outcome == "RolledBack" else None
    stable = of.stable_revision
    return ReleaseRecord(
        revision=revision,
        stable=stable if stable is not None and stable.hash != revision.hash else _replaced(of),
        outcome=outcome,
        message=last[0].message if last else words,
        started_at=begun,
        ended_at=now,
        started_by=next((each.by for each in decisions if each.reason in BEGINS), ""),
        promoted_by=_who(decisions),
        aborted_by=abort.by if abort is not None else "",
        reason=abort.reason if abort is not None else "",
        step=of.step,
        weight=of.weights.applied,
        entered_steps=of.entered_steps,
        criteria=of.criteria,
        exposure=of.exposure,
        decisions=decisions,
    )


def _replaced(status: RolloutStatus) -> Revision | None:
    """Return what was stable until this revision became so."""
    return next(iter(status.past_revisions), None)


def _who(decisions: list[HistoryEntry]) -> str:
    """Return who passed a hold last."""
    return next((each.by for each in reversed(decisions) if each.command in _PROMOTES), "")
