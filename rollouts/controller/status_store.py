"""The status of a Rollout as it is read and written: the only memory there is."""

from datetime import datetime

from pydantic import ValidationError

from rollouts.core.next.conditions import condition, conditions
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.merge_patch import difference
from rollouts.model.status import PauseCondition, RolloutStatus

_GOES_ON = "; by the last valid spec: "
_FIELDS = {str(field.alias or name) for name, field in RolloutStatus.model_fields.items()}


def read_status(rollout: FrozenJSON) -> RolloutStatus | None:
    """
    Return the status that the Rollout carries; None when somebody has made it unreadable.

    Then what is stable is found again by what the stable Service selects, as after a
    restore from a backup.
    """
    try:
        return RolloutStatus.model_validate(rollout.get("status") or {})
    except ValidationError:
        return None


def as_json(status: RolloutStatus) -> JSON:
    """Return the status as JSON; what is absent is left out."""
    dumped: JSON = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def status_patch(rollout: FrozenJSON, status: RolloutStatus) -> JSON:
    """
    Return the merge patch that turns the Rollout's status into `status`.

    Bound to the resourceVersion that was read, so that nobody's write is lost; fields of
    later versions stay as they are.
    """
    before = {k: v for k, v in (rollout.get("status") or {}).items() if k in _FIELDS}
    return {
        "metadata": {"resourceVersion": rollout["metadata"]["resourceVersion"]},
        "status": difference(before, as_json(status)),
    }


def with_invalid_spec(
    rollout: FrozenJSON, status: RolloutStatus, why: str, now: datetime
) -> RolloutStatus:
    """Return the status of a Rollout whose spec is invalid: it says why, and keeps all else."""
    generation = int(rollout["metadata"].get("generation") or 0)
    pause = status.pause
    if pause is not None and pause.reason != "InvalidSpec":
        pause = PauseCondition(reason="InvalidSpec", at=now)
    after = status.evolve(
        phase="Degraded", message=why, pause=pause, observed_generation=generation
    )
    return _marked(after, status, why, now)


def under_last_valid_spec(
    before: RolloutStatus, after: RolloutStatus, why: str, now: datetime
) -> RolloutStatus:
    """
    Return the status of a Rollout that goes on by its last valid spec.

    It says what is wrong first, and then what goes on, or what became of the release.
    """
    told = f"{why}{_GOES_ON}{after.message}"
    return _marked(after.evolve(phase="Degraded", message=told), before, why, now)


def is_new_error(before: RolloutStatus, why: str) -> bool:
    """Return whether status does not know yet that the spec is invalid in this way."""
    return _invalid(before) != why


def _invalid(status: RolloutStatus) -> str | None:
    """Return what status says is wrong with the spec; None for nothing."""
    found = (each for each in status.conditions if each.type == "InvalidSpec")
    return next((each.message for each in found if each.status == "True"), None)


def _marked(after: RolloutStatus, before: RolloutStatus, why: str, now: datetime) -> RolloutStatus:
    """Return `after` with the condition that names the error, and the others as they follow."""
    invalid = condition(
        before.conditions, "InvalidSpec", holds=True, reason="InvalidSpec", message=why, now=now
    )
    preflight = {each.type: each for each in after.conditions if each.type == "Preflight"}
    said = {**preflight, invalid.type: invalid}
    others = conditions(before.conditions, after, (), now)
    return after.evolve(conditions=[said.get(each.type, each) for each in others])


def without_invalid_spec(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone, as if the spec had been valid."""
    why = _invalid(status)
    if why is None:
        return status
    told = status.message.removeprefix(f"{why}{_GOES_ON}")
    if told != status.message or status.abort is None:
        return status.evolve(message=told)
    said = [entry.message for entry in status.history if entry.reason == "RolledBack"]
    return status.evolve(message=said[-1]) if said else status
