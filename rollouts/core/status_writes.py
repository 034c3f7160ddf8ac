"""
When a new status is worth a write.

What decides (phase, step, weights, revisions, verdicts, commands, history) is written at
once. Numbers that only inform are not: counts of pods at most every few seconds, and
evidence when its sample has tripled, so that a release that takes a day costs a handful
of writes more than one that takes a minute.
"""

from datetime import datetime, timedelta
from typing import Any

from rollouts.model.status import Condition, CriterionStatus, RolloutStatus

COUNTS_EVERY = timedelta(seconds=5)
FIRST_SAMPLE = 8
GROWTH = 3
_NUMBERS = {
    "unrecorded",  # comes with what ended a release, and goes with the next write
    "criteria",
    "exposure",
    "conditions",
    "message",
    "refreshed_at",
    "replicas",
    "ready_replicas",
    "available_replicas",
    "updated_replicas",
}


def worth_writing(old: RolloutStatus, new: RolloutStatus, now: datetime) -> bool:
    """Return whether `new` should replace `old` in the API server now."""
    if _deciding(old) != _deciding(new):
        return True
    if _sample_has_grown(old, new):
        return True
    if _counts(old) == _counts(new) and old.message == new.message:
        return False
    return due_at(old, new, now) is None


def due_at(old: RolloutStatus, new: RolloutStatus, now: datetime) -> datetime | None:
    """
    Return when counts, or a message, that differ may be written; None when that is now or they do not.

    A message alone waits as long again as the step has lasted: one that counts requests would
    cost a write every few seconds for as long as nobody promotes. That of a restart does not, and
    neither does another reason why nothing can be measured: somebody is at work on it.
    """
    if _counts(old) == _counts(new) and old.message == new.message:
        return None
    if old.refreshed_at is None:
        return None
    spacing = COUNTS_EVERY
    slow = _counts(old) == _counts(new) and _unanswered(old) == _unanswered(new)
    if slow and old.step_started_at is not None and old.restart is None:
        spacing = max(spacing, old.refreshed_at - old.step_started_at)
    due = old.refreshed_at + spacing
    return due if due > now else None


def _deciding(status: RolloutStatus) -> dict[str, Any]:
    facts: dict[str, Any] = {
        name: value
        for name, value in status
        if name not in _NUMBERS and name not in ("weights", "last_command")
    }
    facts["weights"] = (status.weights.desired, status.weights.applied)
    facts["command"] = status.last_command.id if status.last_command else None
    facts["verdicts"] = [_deciding_criterion(each) for each in status.criteria if _tells(each)]
    facts["conditions"] = [_told(entry) for entry in status.conditions]
    return facts


def _told(entry: Condition) -> tuple[str, ...]:
    """Return what somebody acts on: of Preflight also the words, which name all of them."""
    words = (entry.message,) if entry.type == "Preflight" else ()
    return entry.type, entry.status, entry.reason, *words


def _deciding_criterion(criterion: CriterionStatus) -> tuple[str, str, int, int]:
    return criterion.name, criterion.verdict, criterion.failed_measurements, criterion.errors


def _tells(criterion: CriterionStatus) -> bool:
    """Return whether it says anything yet: inconclusive is what everybody assumes of the first measurements."""
    return criterion.verdict != "inconclusive" or bool(
        criterion.failed_measurements or criterion.errors
    )


def _unanswered(status: RolloutStatus) -> list[tuple[str, str]]:
    return [(each.name, each.message) for each in status.criteria if each.verdict == "error"]


def _counts(status: RolloutStatus) -> tuple[int, ...]:
    return (
        status.replicas,
        status.ready_replicas,
        status.available_replicas,
        status.updated_replicas,
    )


def _sample_has_grown(old: RolloutStatus, new: RolloutStatus) -> bool:
    before, after = old.exposure.canary_requests, new.exposure.canary_requests
    return after >= FIRST_SAMPLE and after >= GROWTH * before
