"""Conditions, so that `kubectl wait`, Argo CD and Flux (kstatus) understand a Rollout."""

from collections.abc import Sequence
from datetime import datetime

from rollouts.core.world import StatusUpdate, World
from rollouts.model.finding import Finding
from rollouts.model.status import Condition, RolloutStatus

_ON_WHEN_GOOD = ("Ready", "Preflight")
_MOST_FINDINGS = 20
"""As many are named in a condition; each is a sentence or two."""


def with_conditions(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update with the conditions that its status amounts to."""
    findings, before = world.route.findings, update.before.conditions
    return update.evolve(conditions=conditions(before, update.status, findings, world.now))


def conditions(
    before: Sequence[Condition], status: RolloutStatus, findings: Sequence[Finding], now: datetime
) -> list[Condition]:
    """
    Return the conditions that `status` amounts to.

    Ready, Reconciling and Stalled are kstatus'; a condition's transition time moves only
    when its status does. InvalidSpec, NotReady and others that are set elsewhere are kept
    out: what does not hold is False.
    """
    phase, reason = status.phase, _reason(status)
    facts = {
        "Ready": phase == "Healthy",
        "Reconciling": phase in ("Progressing", "Paused"),
        "Stalled": phase == "Degraded",
        "Progressing": phase == "Progressing",
        "Paused": phase == "Paused",
        "Aborted": status.abort is not None,
        "InvalidSpec": False,
    }
    found = [
        condition(before, kind, holds=holds, reason=reason, message=status.message, now=now)
        for kind, holds in facts.items()
    ]
    return [*found, _preflight(before, findings, now)]


def _preflight(
    before: Sequence[Condition], findings: Sequence[Finding], now: datetime
) -> Condition:
    """Name what was found: what stops a release, then the rest."""
    named = sorted(findings, key=lambda finding: not finding.is_blocking)
    words = [finding.message for finding in named[:_MOST_FINDINGS]]
    if len(named) > _MOST_FINDINGS:
        words.append(f"and {len(named) - _MOST_FINDINGS} more: `rollouts lint --live` names all")
    return condition(
        before,
        "Preflight",
        holds=not named,
        reason=named[0].reason if named else "Passed",
        message="; ".join(words),
        now=now,
    )


def condition(
    before: Sequence[Condition], kind: str, *, holds: bool, reason: str, message: str, now: datetime
) -> Condition:
    """Return one condition; an unchanged status keeps its transition time."""
    relevant = holds or kind in _ON_WHEN_GOOD
    status = "True" if holds else "False"
    reason, message = (reason, message) if relevant else (f"Not{kind}", "")
    since = now
    for old in before:
        if old.type == kind and old.status == status:
            if (old.reason, old.message) == (reason, message):
                return old
            since = old.last_transition_time
    return Condition(
        type=kind, status=status, reason=reason, message=message, last_transition_time=since
    )


def _reason(status: RolloutStatus) -> str:
    if status.abort is not None:
        return "RolledBack"
    if status.pause is not None:
        return status.pause.reason
    return {"Healthy": "Promoted", "Degraded": "Blocked"}.get(status.phase, "StepRunning")
