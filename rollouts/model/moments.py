"""Moments as texts (RFC 3339), as objects of Kubernetes have them. Pure."""

from datetime import UTC, datetime
from typing import Literal

Precision = Literal["seconds", "milliseconds", "microseconds"]


def format_time(moment: datetime, precision: Precision = "milliseconds") -> str:
    """Return an aware moment in UTC; what is smaller than `precision` is cut off."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """
    Return the aware moment that a text says; one without a zone is in UTC.

    Raises:
        ValueError: it says none.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_time(value: object) -> datetime | None:
    """Return the aware moment that a value of unchecked JSON says; None for what says none."""
    try:
        return read_time(str(value))
    except ValueError:
        return None
