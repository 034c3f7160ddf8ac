"""The status of a Rollout as it is read and written: the only memory there is."""

from typing import Any

from pydantic import ValidationError

from rollouts.core.conditions import condition, conditions
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.model.status import RolloutStatus

_FIELDS = {str(field.alias or name) for name, field in RolloutStatus.model_fields.items()}


def recall(rollout: FrozenJSON) -> RolloutStatus | None:
    """
    Return the status that the Rollout carries; None when somebody has made it unreadable.

    Then what is stable is found again by what the stable Service selects, as after a
    restore from a backup.
    """
    try:
        return RolloutStatus.model_validate(rollout.get("status") or {})
    except ValidationError:
        return None


def dump(status: RolloutStatus) -> JSON:
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
        "status": merge_patch(before, dump(status)),
    }


def merge_patch(before: FrozenJSON, after: FrozenJSON) -> JSON:
    """Return the smallest JSON merge patch (RFC 7386) from `before` to `after`."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


def refused(
    rollout: FrozenJSON, status: RolloutStatus, error: InvalidSpec, now: Any
) -> RolloutStatus:
    """Return the status of a Rollout whose spec is invalid: it says why, and keeps all else."""
    message = str(error)
    generation = int(rollout["metadata"].get("generation") or 0)
    after = status.having(phase="Degraded", message=message, observed_generation=generation)
    return _marked(after, status, error, now)


def held(
    rollout: FrozenJSON,
    before: RolloutStatus,
    after: RolloutStatus,
    error: InvalidSpec,
    now: Any,
) -> RolloutStatus:
    """
    Return the status of a release whose spec has become invalid on its way.

    It is held by the last valid spec, under which it may still be rolled back.
    """
    if after.abort is None:
        after = refused(rollout, after, error, now)
        after = after.having(message=f"{after.message}; held by the last valid spec")
    return _marked(after, before, error, now)


def is_news(before: RolloutStatus, error: InvalidSpec) -> bool:
    """Say whether status does not know yet that the spec is invalid in this way."""
    return not any(
        each.type == "InvalidSpec" and each.status == "True" and each.message == str(error)
        for each in before.conditions
    )


def _marked(
    after: RolloutStatus, before: RolloutStatus, error: InvalidSpec, now: Any
) -> RolloutStatus:
    """Return `after` with the condition that names the error, and the others as they follow."""
    invalid = condition(
        before.conditions,
        "InvalidSpec",
        holds=True,
        reason="InvalidSpec",
        message=str(error),
        now=now,
    )
    others = conditions(before.conditions, after, (), now)
    return after.having(
        conditions=[invalid if each.type == invalid.type else each for each in others]
    )


def restored(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release again, once the spec is valid again."""
    was_invalid = any(
        each.type == "InvalidSpec" and each.status == "True" for each in status.conditions
    )
    if not was_invalid or status.abort is None:
        return status
    said = [entry.message for entry in status.history if entry.reason == "RolledBack"]
    return status.having(message=said[-1]) if said else status
