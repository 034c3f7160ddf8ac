"""Which Rollouts go first in the queue: those whose traffic has to go back, as far as that is known without a decision."""

from rollouts.analysis.evidence import weigh
from rollouts.controller.commands import read_command
from rollouts.controller.parse_cache import ParseCache
from rollouts.errors import InvalidSpec
from rollouts.model.evidence import MeasurementRound
from rollouts.model.kinds import FrozenJSON
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus


def is_retreating(status: RolloutStatus) -> bool:
    """
    Return whether a canary may have traffic still that it must not have: that is not put off for long.

    It was rolled back, or waits at 0 because all its pods are gone.
    """
    if status.abort is None:
        return status.weights.disrupted_at is not None
    return status.weights.applied > status.weights.desired


def is_urgent(
    rollout: FrozenJSON, parse_cache: ParseCache, latest: MeasurementRound | None
) -> bool:
    """Return whether traffic has to go back, or is about to: by a person's word, or by what was measured last."""
    status = parse_cache.status(rollout)
    if status is None:
        return False
    if is_retreating(status) or _is_told_to_abort(rollout, status):
        return True
    spec = parse_cache.spec(rollout).spec
    return not isinstance(spec, InvalidSpec) and _has_failed(spec, status, latest)


def _is_told_to_abort(rollout: FrozenJSON, status: RolloutStatus) -> bool:
    """Return whether somebody has said so, and was not answered yet."""
    command, last = read_command(rollout)[0], status.last_command
    if command is None or command.verb != "abort":
        return False
    return last is None or not command.id or command.id != last.id


def _has_failed(spec: RolloutSpec, status: RolloutStatus, latest: MeasurementRound | None) -> bool:
    """Return whether a criterion of what is under way has failed, and that had no consequence yet."""
    judged = weigh(spec, status, latest).criteria if status.abort is None else ()
    return any(criterion.verdict == "fail" for criterion in judged)
