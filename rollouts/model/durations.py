"""Durations as people write them: 90s, 5m, 1h30m, 500ms. Inside the program they are seconds. Pure."""

import re

LONGEST_SECONDS = 31_536_000
"""A year: no wait of a release is longer, and every sum of times stays inside the calendar."""
_DURATION = re.compile(
    r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII
)


def parse_duration(value: object) -> float:
    """
    Return the seconds that `value` means: `90s`, `5m`, `1h30m`, `500ms`, or whole seconds.

    Raises:
        ValueError: it is none of these, negative, or longer than a year.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _no_duration(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"expected whole seconds, or a text such as 500ms or 1.5s, got {value}")
    seconds = _seconds(value) if isinstance(value, str) else value
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"expected a duration of 0 s to a year (8760h), got {shown(value)}")
    return float(seconds)


def _seconds(text: str) -> float:
    if text.isascii() and text.isdigit():
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise _no_duration(text)
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _no_duration(value: object) -> ValueError:
    return ValueError(f"expected a duration such as 90s, 5m or 1h30m, got {shown(value)}")


def format_duration(seconds: float) -> str:
    """Return `seconds` as people write it: `1h30m`, `45s`, `1.5s`, `500ms`."""
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.3g}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def shown(value: object) -> str:
    """Return `value` as an error shows it: short, whatever it is."""
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    text = f"{value:.4g}" if isinstance(value, float) else _text(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _text(value: object) -> str:
    return "a huge number" if isinstance(value, int) and abs(value) > 10**18 else repr(value)
