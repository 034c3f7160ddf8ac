"""
When a new status is worth a write.

What decides (phase, step, weights, revisions, verdicts, commands, history) is written at
once. What only informs rides with that, and is written by itself where that does not come soon:
counts of pods at most every few seconds, and evidence and what a step waits for that has its pods
after half a minute, and then ever more rarely: evidence when its sample has tripled. So a release
costs no more than its steps, unless they are long, and one that takes a day a handful of writes more.
"""

from datetime import datetime, timedelta
from typing import Any

from rollouts.model.status import Condition, CriterionStatus, RolloutStatus

COUNTS_EVERY = timedelta(seconds=5)
EVIDENCE_EVERY = timedelta(seconds=30)
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
    if _sample_has_grown(old, new) and _is_old(old, now):
        return True
    if _counts(old) == _counts(new) and old.message == new.message:
        return False
    return due_at(old, new, now) is None


def due_at(old: RolloutStatus, new: RolloutStatus, now: datetime) -> datetime | None:
    """
    Return when counts, or a message, that differ may be written; None when that is now or they do not.

    A message alone waits as long again as the step has lasted: one that counts requests would
    cost a write every few seconds for as long as nobody promotes. While nothing but time and evidence
    is waited for, it waits for half a minute at the least, in which the step may be over. That of
    a restart does not, and neither does another reason why nothing can be measured: somebody is at work on it.
    """
    if _counts(old) == _counts(new) and old.message == new.message:
        return None
    if old.refreshed_at is None:
        return None
    due = old.refreshed_at + _spacing(old, new, old.refreshed_at)
    return due if due > now else None


def _spacing(old: RolloutStatus, new: RolloutStatus, refreshed_at: datetime) -> timedelta:
    slow = _counts(old) == _counts(new) and _unanswered(old) == _unanswered(new)
    if not slow or old.step_started_at is None or old.restart is not None:
        return COUNTS_EVERY
    least = EVIDENCE_EVERY if _has_its_pods(old) and _has_its_pods(new) else COUNTS_EVERY
    return max(least, refreshed_at - old.step_started_at)


def _has_its_pods(status: RolloutStatus) -> bool:
    """Return whether a step has the pods and routes that it needs."""
    return status.current_step_index is not None and status.unsettled_since is None


def _is_old(status: RolloutStatus, now: datetime) -> bool:
    return status.refreshed_at is None or now - status.refreshed_at >= EVIDENCE_EVERY


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
