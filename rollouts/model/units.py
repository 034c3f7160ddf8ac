"""
Durations and percentages as people write them, and their place in a CRD schema.

A duration is a number of seconds inside the program; a percentage is a fraction 0..1.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_DURATION_PATTERN = r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$"
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_duration(value: object) -> float:
    """
    Return the seconds that `value` means: `90s`, `5m`, `1h30m`, `500ms`, or a number of seconds.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if isinstance(value, bool):
        raise ValueError("expected a duration such as 90s, 5m or 1h30m, got a boolean")
    if isinstance(value, int | float):
        if not 0 <= value < float("inf"):
            raise ValueError(f"expected a duration of 0 s or more, got {value}")
        return float(value)
    if isinstance(value, str) and value.strip().isdigit():
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"expected a duration such as 90s, 5m or 1h30m, got {value!r}")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def parse_fraction(value: object) -> float:
    """
    Return the fraction 0..1 that `value` means: `1%`, or a number such as 0.01.

    Raises:
        ValueError: it is neither, or outside 0..1.
    """
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        number = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        raise ValueError(
            f"expected a percentage such as 1% or a fraction such as 0.01, got {value!r}"
        )
    if not 0 <= number <= 1:
        raise ValueError(f"expected 0% to 100% (or a fraction 0 to 1), got {value}")
    return number


def format_duration(seconds: float) -> str:
    """Return `seconds` as people write it: `1h30m`, `45s`, `1.5s`, `500ms`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def format_fraction(fraction: float) -> str:
    """Return `fraction` as a percentage with three significant digits: `0.5%`, `12.3%`."""
    return f"{fraction * 100:.3g}%" if fraction < 1 else f"{fraction * 100:.0f}%"


_DURATION_SCHEMA: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": _DURATION_PATTERN,
    "minimum": 0,
    "maxLength": 32,
}
# A number or a string: the only way to say that in a structural schema is to leave the
# type open. `pattern` binds strings and `minimum`/`maximum` bind numbers; what is
# neither is refused by the model.
_FRACTION_SCHEMA: dict[str, Any] = {
    "x-kubernetes-preserve-unknown-fields": True,
    "pattern": r"^\d+(\.\d+)?\s*%$",
    "minimum": 0,
    "maximum": 1,
}

Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds; written `90s`, `5m`, `1h30m` or as a whole number of seconds."""

Fraction = Annotated[float, BeforeValidator(parse_fraction), WithJsonSchema(_FRACTION_SCHEMA)]
"""0..1; written `1%` or 0.01."""
