"""How long ago, in the few characters that kubectl gives it."""

from datetime import datetime
from typing import Any

from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.objects import dig

_UNKNOWN = "<unknown>"


def ago(moment: Any, now: datetime) -> str:
    """Return the time since an RFC 3339 moment; `<unknown>` when it is none."""
    try:
        return short((now - datetime.fromisoformat(moment)).total_seconds())
    except (TypeError, ValueError):
        return _UNKNOWN


def age(obj: FrozenJSON, now: datetime) -> str:
    return ago(dig(obj, "metadata.creationTimestamp"), now)


def short(seconds: float) -> str:
    """Return a duration as `kubectl` rounds it: 90s, 5m30s, 3h, 4d2h."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if seconds < 120:
        return f"{int(seconds)}s"
    if minutes < 10:
        return _two(minutes, "m", int(seconds % 60), "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365 if days < 365 * 8 else 0, "d")


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}" + (f"{small}{small_unit}" if small else "")
