"""
Durations and percentages as people write them, and their place in a CRD schema.

A duration is a number of seconds inside the program; a percentage is a fraction 0..1.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from rollouts.model.durations import LONGEST_SECONDS, parse_duration, shown

MOST_PODS = 100_000
_DURATION_PATTERN = r"^(\d+|(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?)$"
_WHOLE_PERCENT = re.compile(r"(\d{1,3})%", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)


def parse_fraction(value: object) -> float:
    """
    Return the fraction 0..1 that `value` means: `1%`, or a number such as 0.01.

    Raises:
        ValueError: it is neither, or outside 0..1.
    """
    number: float
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        number = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    else:
        raise ValueError(
            f"expected a percentage such as 1% or a fraction such as 0.01, got {shown(value)}"
        )
    if not 0 <= number <= 1:
        raise ValueError(f"expected 0% to 100% (or a fraction 0 to 1), got {shown(value)}")
    return float(number)


def parse_error_limit(value: object) -> float:
    """
    Return the fraction of requests that may fail, below 1.

    Raises:
        ValueError: it is no fraction, or lets every request fail, which no release can break.
    """
    fraction = parse_fraction(value)
    if fraction == 1:
        raise ValueError(
            f"{shown(value)} means 100%: every request may fail; write 1% for one in a hundred"
        )
    return fraction


def parse_latency(value: object) -> float:
    """
    Return the seconds of a latency, which has to be written with its unit.

    500 is half a second to most who measure requests, and eight minutes to a duration.

    Raises:
        ValueError: it is no duration, or one without a unit.
    """
    seconds = parse_duration(value)
    if not isinstance(value, str) or value.isdigit():
        raise ValueError(f"{shown(value)} has no unit; write {seconds:.0f}ms or {seconds:.0f}s")
    return seconds


def parse_int_or_percent(value: object) -> int | str:
    """
    Return a number of pods, or a percentage of them such as `25%`, as it was written.

    Raises:
        ValueError: it is neither, or the percentage is above 100%.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_PODS:
        return value
    if (
        isinstance(value, str)
        and (match := _WHOLE_PERCENT.fullmatch(value))
        and int(match[1]) <= 100
    ):
        return value
    raise ValueError(f"expected a number of pods, or a percentage such as 25%, got {shown(value)}")


def resolve_int_or_percent(amount: int | str, total: int, *, round_up: bool) -> int:
    """Return how many of `total` an amount is."""
    if isinstance(amount, int):
        return amount
    hundredths = int(amount.removesuffix("%")) * total
    return -(-hundredths // 100) if round_up else hundredths // 100


def format_fraction(fraction: float) -> str:
    """Return `fraction` as a percentage with three significant digits: `0.5%`, `12.3%`."""
    return f"{fraction * 100:.3g}%" if fraction < 1 else f"{fraction * 100:.0f}%"


_DURATION_SCHEMA: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": _DURATION_PATTERN,
    "minimum": 0,
    "maximum": LONGEST_SECONDS,
    "minLength": 1,
    "maxLength": 32,
}
# A number or a string: the only way to say that in a structural schema is to leave the
# type open. `pattern` binds strings and `minimum`/`maximum` bind numbers; what is
# neither is refused by the model.
_ERROR_LIMIT_SCHEMA: dict[str, Any] = {
    "x-kubernetes-preserve-unknown-fields": True,
    "minimum": 0,
    "maximum": 1,
    "exclusiveMaximum": True,
    "pattern": r"^0*\d{1,2}(\.\d+)?\s*%$",
}
_LATENCY_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$",
    "minLength": 1,
    "maxLength": 32,
}

Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds; written `90s`, `5m`, `1h30m` or as a whole number of seconds."""

LatencyLimit = Annotated[float, BeforeValidator(parse_latency), WithJsonSchema(_LATENCY_SCHEMA)]
"""Seconds; written with a unit, such as `500ms`."""

ErrorLimit = Annotated[
    float, BeforeValidator(parse_error_limit), WithJsonSchema(_ERROR_LIMIT_SCHEMA)
]
"""0..1, without 1; written `1%` or 0.01."""

_INT_OR_PERCENT_SCHEMA: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^(100|\d{1,2})%$",
    "minimum": 0,
    "maximum": MOST_PODS,
    "maxLength": 4,
}
IntOrPercent = Annotated[
    int | str, BeforeValidator(parse_int_or_percent), WithJsonSchema(_INT_OR_PERCENT_SCHEMA)
]
"""A number of pods, or a percentage of spec.replicas such as `25%`."""
