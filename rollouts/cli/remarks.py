"""A remark about a field, and how to read what nobody has validated."""

from dataclasses import dataclass
from typing import Literal

from rollouts.model.kinds import JSON

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about a field of a Rollout."""

    severity: Severity
    field: str
    reason: str


def as_mapping(value: object) -> JSON:
    """Return what should be a map, as one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return what should be a list, as one."""
    return value if isinstance(value, list) else []
