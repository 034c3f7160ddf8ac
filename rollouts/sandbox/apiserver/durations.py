"""How long ago, in the few characters that kubectl gives it."""

from datetime import datetime
from typing import Any

from rollouts.model.ages import short_age
from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.objects import get_path

_UNKNOWN = "<unknown>"


def ago(moment: Any, now: datetime) -> str:
    """Return the time since an RFC 3339 moment; `<unknown>` when it is none."""
    try:
        return short_age((now - datetime.fromisoformat(moment)).total_seconds())
    except (TypeError, ValueError):
        return _UNKNOWN


def age(obj: FrozenJSON, now: datetime) -> str:
    return ago(get_path(obj, "metadata.creationTimestamp"), now)
