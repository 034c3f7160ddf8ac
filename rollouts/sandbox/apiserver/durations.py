"""How long ago, in the few characters that kubectl gives it."""

from datetime import datetime

from rollouts.model.ages import short_age
from rollouts.model.kinds import FrozenJSON
from rollouts.model.moments import parse_time
from rollouts.sandbox.apiserver.objects import get_path

_UNKNOWN = "<unknown>"


def ago(moment: object, now: datetime) -> str:
    """Return the time since an RFC 3339 moment; `<unknown>` when it is none."""
    began = parse_time(moment)
    return _UNKNOWN if began is None else short_age((now - began).total_seconds())


def age(obj: FrozenJSON, now: datetime) -> str:
    return ago(get_path(obj, "metadata.creationTimestamp"), now)
