"""Conditions, so that `kubectl wait`, Argo CD and Flux (kstatus) understand a Rollout."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rollouts.core.world import Event, StatusUpdate, World
from rollouts.model.finding import Finding
from rollouts.model.status import Condition, RolloutStatus

_ON_WHEN_GOOD = ("Ready", "Preflight")
_MOST_EVENTS = 3
_MOST_FINDINGS = 20
"""As many are named in a condition; each is a sentence or two."""


def with_conditions(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update with the conditions that its status amounts to; what Preflight finds is an event, too."""
    findings, before = world.route.findings, update.before.conditions
    told = update.evolve(conditions=conditions(before, update.status, findings, world.now))
    known = update.before.preflight
    # What blocks a release is an event as soon as one is blocked, and what is not named can't be known.
    new = [
        each
        for each in _most_serious(findings)
        if not (each.is_blocking or (known and each.message in known.message))
    ]
    said = (Event("Warning", each.reason, each.message) for each in new[:_MOST_EVENTS])
    return replace(told, events=(*told.events, *said))


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
    named = _most_serious(findings)
    words = [finding.message for finding in named]
    if len(findings) > len(named):
        words.append(f"and {len(findings) - len(named)} more: `rollouts lint --live` names all")
    return condition(
        before,
        "Preflight",
        holds=not named,
        reason=named[0].reason if named else "Passed",
        message="; ".join(words),
        now=now,
    )


def _most_serious(findings: Sequence[Finding]) -> list[Finding]:
    """Return those that are named: what stops a release, then the rest."""
    return sorted(findings, key=lambda finding: not finding.is_blocking)[:_MOST_FINDINGS]


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
