"""Reading JSON whose shape nobody has checked: what is not there, or is something else, is empty."""

from collections.abc import Mapping


def mapping(value: object) -> Mapping[str, object]:
    """Return what should be a map, as one."""
    return value if isinstance(value, dict) else {}


def elements(value: object) -> list[object]:
    """Return what should be a list, as one."""
    return value if isinstance(value, list) else []


def items(value: object) -> list[Mapping[str, object]]:
    """Return the maps in what should be a list of maps."""
    return [each for each in elements(value) if isinstance(each, dict)]
