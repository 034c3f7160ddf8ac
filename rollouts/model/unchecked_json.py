"""Reading JSON whose shape nobody has checked: what is not there, or is something else, is empty."""

from collections.abc import Mapping
from datetime import UTC, datetime


def mapping(value: object) -> Mapping[str, object]:
    """Return what should be a map, as one."""
    return value if isinstance(value, dict) else {}


def elements(value: object) -> list[object]:
    """Return what should be a list, as one."""
    return value if isinstance(value, list) else []


def items(value: object) -> list[Mapping[str, object]]:
    """Return the maps in what should be a list of maps."""
    return [each for each in elements(value) if isinstance(each, dict)]


def parse_time(value: object) -> datetime | None:
    """Return the moment that a timestamp of Kubernetes says; None for what is none."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
