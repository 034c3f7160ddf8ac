"""
What status says of writes that were refused, and what it does not remember because of them.

Nearly all of it speaks of what is observed, and needs nothing of this. Pure.
"""

from collections.abc import Iterable
from dataclasses import replace

from rollouts.core.plan.actions import Action, Decision, RestoreWorkload, SyncService
from rollouts.core.world import SERVICE_SYNCED
from rollouts.model.status import RolloutStatus

_REFUSED = "; refused: "


def with_refusals(status: RolloutStatus, texts: Iterable[str]) -> RolloutStatus:
    """Return the status with why writes were refused in its message."""
    why = "; ".join(texts)
    said = f"{status.message}{_REFUSED}{why}" if why else status.message
    return status.evolve(message=said.removeprefix("; "))


def without_refusals(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone: else each try would be another problem."""
    return status.evolve(message=status.message.partition(_REFUSED)[0])


def without_refused(
    before: RolloutStatus, decision: Decision, refused: Iterable[Action]
) -> Decision:
    """Return the decision without what it says was done by these of its actions, which were refused."""
    for action in refused:
        if isinstance(action, SyncService):
            # Said three times it would be taken for a war, which a release does not wait for.
            decision = _unsaid(before, decision, SERVICE_SYNCED)
        elif isinstance(action, RestoreWorkload):
            decision = _not_restored(
                before, _unsaid(before, decision, "Reverting", "TemplateGivenBack")
            )
    return decision


def _unsaid(before: RolloutStatus, decision: Decision, *reasons: str) -> Decision:
    status = decision.status
    kept = [each for each in status.history if each.reason not in reasons or each in before.history]
    said = tuple(each for each in decision.events if each.reason not in reasons)
    return replace(decision, status=status.evolve(history=kept), events=said)


def _not_restored(before: RolloutStatus, decision: Decision) -> Decision:
    """Return it with the Deployment still to be given its template and its pods."""
    adoption, known = decision.status.adoption, before.adoption
    if adoption is None:
        return decision
    at = known.restored_at if known is not None else None
    adoption = adoption.evolve(restored_at=at)
    return replace(decision, status=decision.status.evolve(adoption=adoption))
